"""What the address of a metric's page asks for: a window, days of one's own, solid or by label, one label."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage.reports.windows import CUSTOM, LABELS, MOST_DAYS, NAMES, PERIOD, TOTAL, Asked

EARLIEST = date(2000, 1, 1)
WRONG = {
    "required": gettext_lazy("Choose a day."),
    "invalid": gettext_lazy("Write a day as 2026-11-23."),
}


class DaysForm(forms.Form):
    """The first and the last day of a window of one's own; UTC days, both included.

    Its fields are named `from` and `until`, as in the address.
    """

    use_required_attribute = False  # what is missing is said beside the field

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["from"] = _day(gettext_lazy("From"))
        self.fields["until"] = _day(gettext_lazy("To, that day included"))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("from"), cleaned.get("until")
        if first and not EARLIEST <= first <= self.today:
            self.add_error("from", _("Choose a day from 2000 to today."))
        elif first and last and last < first:
            self.add_error("until", _("The last day is before the first."))
        elif first and last and last - first >= timedelta(days=MOST_DAYS):
            self.add_error("until", _("Choose at most %d days.") % MOST_DAYS)
        return cleaned


def asked_of(query: QueryDict, at: datetime) -> tuple[Asked, DaysForm]:
    """What the query asks for, and the form of the days as it was filled in; wrong days ask for the period."""
    today = at.astimezone(UTC).date()
    view = TOTAL if query.get("view") == TOTAL else LABELS
    asked = Asked(view=view, label=query.get("label"))
    if query.get("range") != CUSTOM:
        code = query.get("range", PERIOD)
        return replace(asked, range=code if code in NAMES else PERIOD), DaysForm(today=today)
    form = DaysForm(query, today=today)
    if not form.is_valid():
        return asked, form
    days = form.cleaned_data
    return replace(asked, range=CUSTOM, first=days["from"], last=days["until"]), form


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date", "class": "in"}, format="%Y-%m-%d")
    return forms.DateField(label=label, input_formats=["%Y-%m-%d"], error_messages=WRONG, widget=widget)
