"""What the page of API keys is asked: a new key, and how long a replaced one goes on."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django import forms
from django.utils.timezone import get_current_timezone, localdate, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.keyring import OVERLAPS

LONGEST = timedelta(days=5 * 366)
WORDS = {
    timedelta(0): (
        gettext_lazy("No time"),
        gettext_lazy("For a key that leaked: programs with it are refused."),
    ),
    timedelta(hours=1): (gettext_lazy("1 hour"), gettext_lazy("For one program that you change now.")),
    timedelta(hours=24): (
        gettext_lazy("24 hours"),
        gettext_lazy("For a few programs that you deploy today."),
    ),
    timedelta(days=7): (gettext_lazy("7 days"), gettext_lazy("For programs that others have to change.")),
}


class NewKeyForm(forms.Form):
    """A name, and the last day on which the key works, in the reader's time zone."""

    name = forms.CharField(
        max_length=80,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What uses it: “billing job”."),
        widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}),
    )
    last_day = forms.DateField(
        required=False,
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy("Empty: it works until it is revoked."),
        widget=forms.DateInput(attrs={"class": "in", "type": "date"}, format="%Y-%m-%d"),
    )

    def clean_last_day(self) -> date | None:
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and not localdate() <= day <= localdate() + LONGEST:
            raise forms.ValidationError(_("Choose a day from today to five years from now, or none."))
        return day

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        day: date | None = self.cleaned_data["last_day"]
        return (
            make_aware(datetime.combine(day + timedelta(days=1), time()), get_current_timezone())
            if day
            else None
        )


class RotateForm(forms.Form):
    """For how long the old key goes on: the seconds of one of the choices."""

    overlap = forms.TypedChoiceField(
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        choices=[(str(int(one.total_seconds())), one) for one in OVERLAPS],
        error_messages={
            "required": gettext_lazy("Choose how long the old key goes on."),
            "invalid_choice": gettext_lazy("Choose one of these times."),
        },
    )

    @property
    def shown(self) -> list[tuple[str, str, str, bool]]:
        """Value, word, when it is right, and whether it is chosen; 24 hours before anybody chose."""
        chosen = str(self["overlap"].value() or int(timedelta(hours=24).total_seconds()))
        values = [(str(int(one.total_seconds())), *WORDS[one]) for one in OVERLAPS]
        return [(value, str(word), str(note), value == chosen) for value, word, note in values]
