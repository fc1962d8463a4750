"""What the page of alerts is asked: thresholds, people, channels, deliveries to try again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from billing.models import Metric
from usage.alerts.safe_http import LONGEST_URL, Forbidden, checked
from usage.models import Delivery, Endpoint

PERCENTS = (80, 90, 95, 100)
LOWEST, HIGHEST, MOST_OWN = 1, 1_000, 6
ALL = ""  # the row that counts for every metric without one of its own
MOST_RESENT = 500


class ThresholdsForm(forms.Form):
    """A row of ticks and own values for all metrics, and one for each that does not go like all."""

    tells_refusals = forms.BooleanField(required=False)
    tells_billing = forms.BooleanField(required=False)

    def __init__(self, data: Mapping[str, object], metrics: Sequence[Metric]) -> None:
        super().__init__(data)
        self.metrics = metrics
        codes = [(metric.code, metric.code) for metric in metrics]
        self.fields["shown"] = forms.MultipleChoiceField(choices=codes, required=False)
        ticks = [(str(percent), str(percent)) for percent in PERCENTS]
        for code in (ALL, *(metric.code for metric in metrics)):
            self.fields[f"at:{code}"] = forms.MultipleChoiceField(choices=ticks, required=False)
            self.fields[f"own:{code}"] = forms.CharField(required=False, max_length=40)
            self.fields[f"like:{code}"] = forms.BooleanField(required=False)

    def clean(self) -> dict[str, object]:
        data = super().clean() or self.cleaned_data
        for name in [name for name in data if name.startswith("own:")]:
            try:
                data[name] = _own(str(data[name]))
            except ValueError as error:
                self.add_error(name, str(error))
        return data

    def wanted(self) -> dict[Metric | None, list[int] | None]:
        """The percents of each row the page showed; none for a metric that goes like all."""
        rows: dict[Metric | None, list[int] | None] = {None: self._percents(ALL)}
        for metric in (one for one in self.metrics if one.code in self.cleaned_data["shown"]):
            is_like = self.cleaned_data[f"like:{metric.code}"]
            rows[metric] = None if is_like else self._percents(metric.code)
        return rows

    def _percents(self, code: str) -> list[int]:
        return sorted({*map(int, self.cleaned_data[f"at:{code}"]), *self.cleaned_data[f"own:{code}"]})


def _own(text: str) -> list[int]:
    """Percents as people type them, separated by commas or spaces; raises ValueError with what is wrong."""
    words = re.split(r"[\s,;%]+", text.strip(" ,;%\t")) if text.strip(" ,;%\t") else []
    if len(words) > MOST_OWN or not all(word.isascii() and word.isdecimal() for word in words):
        raise ValueError(_("Use whole percents with commas between them, at most six: 50, 120."))
    values = [int(word) for word in words]
    if any(not LOWEST <= value <= HIGHEST for value in values):
        raise ValueError(_("Use percents from 1 to 1000."))
    return values


class PeopleForm(forms.Form):
    """Which members get mail: ids of memberships."""

    members = forms.TypedMultipleChoiceField(coerce=int, required=False)

    def __init__(self, data: Mapping[str, object], members: Sequence[int]) -> None:
        super().__init__(data)
        field = self.fields["members"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(one, one) for one in members]


class ChannelForm(forms.Form):
    """A new Slack channel or webhook."""

    kind = forms.ChoiceField(choices=Endpoint.Kind.choices)
    url = forms.CharField(max_length=LONGEST_URL, label=_("Address"))
    name = forms.CharField(max_length=80, required=False, label=_("Name"))

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            checked(url)
        except Forbidden as error:
            raise forms.ValidationError(str(error)) from error
        return url


class ChangeForm(forms.Form):
    """What to do with a channel."""

    do = forms.ChoiceField(choices=[(one, one) for one in ("test", "rotate", "remove")])


class ResendForm(forms.Form):
    """Which deliveries to try again: one, those that were ticked, or all that were given up."""

    only = forms.UUIDField(required=False)
    delivery = forms.MultipleChoiceField(required=False)
    all = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields["delivery"] = forms.TypedMultipleChoiceField(
            coerce=UUID,
            required=False,
            choices=[(one, one) for one in data.getlist("delivery")[:MOST_RESENT]],
        )

    def clean(self) -> dict[str, object]:
        data = super().clean() or self.cleaned_data
        if not (data.get("only") or data.get("delivery") or data.get("all")):
            raise forms.ValidationError(_("Choose what to send again."))
        return data

    def among(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Those of `rows` that were chosen; of all that were given up the newest."""
        data = self.cleaned_data
        if data["all"]:
            dead = rows.filter(status=Delivery.Status.DEAD).order_by("-created_at", "-pk")
            return dead[:MOST_RESENT]
        return rows.filter(pk__in=[data["only"]] if data["only"] else data["delivery"])
