"""What operations are asked when they give a tenant more for a time: of what, how much, until when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.entitlements import Limit
from billing.overrides import units_more
from billing.quantities import NotAQuantity

LONGEST = timedelta(days=366)


class RaiseForm(forms.Form):
    """A temporary raise of one of `limits`, which are all finite; it ends with the last day, UTC."""

    metric = forms.ChoiceField(label=gettext_lazy("Of"), widget=forms.Select(attrs={"class": "in"}))
    more = forms.CharField(
        max_length=40,
        label=gettext_lazy("How much more"),
        help_text=gettext_lazy("“10 %” of what is included now, or units: “50,000”, “5 GB”."),
        widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day (UTC)"),
        help_text=gettext_lazy("The period’s last day, unless you choose another."),
        widget=forms.DateInput(attrs={"class": "in", "type": "date"}, format="%Y-%m-%d"),
    )
    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Kept with it and shown to the tenant: “launch week, ticket 4711”."),
        widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}),
    )

    def __init__(self, limits: Mapping[str, Limit], last_day: date, at: datetime, data: Any = None) -> None:
        super().__init__(data, initial={"last_day": last_day})
        self.limits, self.today = limits, at.astimezone(UTC).date()
        field = self.fields["metric"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(code, limit.metric.name) for code, limit in limits.items()]

    def clean_last_day(self) -> date:
        day: date = self.cleaned_data["last_day"]
        if not self.today <= day <= self.today + LONGEST:
            raise forms.ValidationError(_("Choose a day from today to a year from now."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "metric" in data and "more" in data:
            try:
                data["units"] = units_more(data["more"], self.limit)
            except NotAQuantity as error:
                self.add_error("more", str(error))
        return data

    @property
    def limit(self) -> Limit:
        """What is to be raised."""
        return self.limits[self.cleaned_data["metric"]]

    @property
    def ends(self) -> datetime:
        """The end of the last day."""
        return datetime.combine(self.cleaned_data["last_day"] + timedelta(days=1), time(), UTC)
