"""Forms for allowances and their prices: a flat price beside the allowance, graduated ones as rows."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.forms.models import BaseInlineFormSet

from billing.admin.fields import QuantityField, QuantityInput, refuse_sizes, remark_sizes
from billing.models import Allowance, Metric, PriceTier
from billing.quantities import spelled
from billing.terms import Terms, plain, price_words

MOST_BURST = 60_000_000
NO_UNITS = "A price for 0 units is no price: write 1, or 1 MB."


class AllowanceForm(forms.ModelForm[Allowance]):
    """An allowance; the metric of one that exists stays, with another it would be another allowance."""

    included = QuantityField(required=False, help_text="Base units, or as “5 GB”; empty = unlimited.")
    hard_limit = QuantityField(required=False, help_text="Where even billed use stops; empty = never.")
    burst = QuantityField(
        required=False,
        widget=QuantityInput({"size": 6}),
        help_text="At most so many in a minute; empty = no such limit.",
    )

    # The plan's terms before this form was saved.
    before: dict[str, Terms]

    class Meta:
        model = Allowance
        fields = ("metric", "included", "beyond", "hard_limit", "burst")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            if "metric" in self.fields:
                self.fields["metric"].disabled = True
            remark_sizes(self, self.instance.metric, "included", "hard_limit", "burst")

    def clean_burst(self) -> int | None:
        burst: int | None = self.cleaned_data["burst"]
        if burst == 0:
            raise ValidationError("A burst of 0 would refuse everything: leave it empty for no such limit.")
        if burst is not None and burst > MOST_BURST:
            raise ValidationError(f"{burst:,} is more than {MOST_BURST:,}: leave it empty for no such limit.")
        return burst

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        metric: Metric | None = data.get("metric") or (self.instance.metric if self.instance.pk else None)
        refuse_sizes(self, metric, "included", "hard_limit", "burst")
        if metric and {"included", "beyond", "hard_limit"} <= data.keys():
            problem = _hard_limit_problem(metric, data["included"], data["beyond"], data["hard_limit"])
            if problem:
                self.add_error("hard_limit", problem)
        return data


def _hard_limit_problem(
    metric: Metric, included: int | None, beyond: str, hard_limit: int | None
) -> str | None:
    if hard_limit is None:
        return None
    hard, least = spelled(hard_limit, metric), spelled(included, metric)
    if included is None:
        return f"{hard} is never reached where all is included: include {hard}, or leave this empty."
    if beyond == Allowance.Beyond.STOP:
        return f"Use stops at the included {least} already: leave this empty, or bill what goes beyond."
    if hard_limit < included:
        return f"{hard} lies below the included {least}: enter {least} or more, or leave this empty."
    return None


class FlatAllowanceForm(AllowanceForm):
    """An allowance with its flat price, its only price tier; graduated ones are edited on their page."""

    price = forms.DecimalField(
        required=False,
        max_digits=18,
        decimal_places=9,
        validators=[MinValueValidator(Decimal(0), "A price can't be negative: leave it empty for none.")],
        widget=QuantityInput({"size": 5, "inputmode": "decimal"}),
        help_text="Of what goes beyond; empty = none.",
    )
    per = QuantityField(
        required=False,
        widget=QuantityInput({"size": 7}),
        help_text="Base units the price is for: 1, or 1 MB. Empty = 1.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # One word each, or the row is wider than a page.
        beyond = cast(forms.ChoiceField, self.fields["beyond"])
        beyond.choices = [(value, str(label).partition(":")[0]) for value, label in Allowance.Beyond.choices]
        self.tiers = list(self.instance.tiers.all()) if self.instance.pk else []
        self.is_graduated = len(self.tiers) > 1 or any(tier.up_to is not None for tier in self.tiers)
        if self.is_graduated:
            self._refer_to_page()
        elif self.tiers:
            self.initial["price"] = Decimal(plain(self.tiers[0].price))
            self.initial["per"] = self.tiers[0].per
            remark_sizes(self, self.instance.metric, "per")

    def _refer_to_page(self) -> None:
        for name in ("price", "per"):
            self.fields[name].disabled = True
        words = ", ".join(price_words(tier, self.instance.metric) for tier in self.tiers)
        self.fields["price"].widget.remark = f"{words}: graduated, see its own page"

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        refuse_sizes(self, data.get("metric"), "per")
        if data.get("per") == 0:
            self.add_error("per", NO_UNITS)
        return data

    def save(self, commit: bool = True) -> Allowance:
        allowance = super().save(commit)
        if commit and not self.is_graduated:
            self._save_price(allowance)
        return allowance

    def _save_price(self, allowance: Allowance) -> None:
        tier = self.tiers[0] if self.tiers else PriceTier(allowance=allowance)
        price, per = self.cleaned_data["price"], self.cleaned_data["per"] or 1
        if price is None:
            if tier.pk:
                tier.delete()
        elif tier.pk is None or (tier.price, tier.per) != (price, per):
            tier.price, tier.per = price, per
            tier.save()


class TierForm(forms.ModelForm[PriceTier]):
    up_to = QuantityField(required=False, help_text="Units beyond the included ones; empty = all the rest.")
    per = QuantityField(initial=1, help_text="Base units the price is for: 1, or 1 MB.")

    class Meta:
        model = PriceTier
        fields = ("up_to", "price", "per", "rounds_up")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["price"] = Decimal(plain(self.instance.price))
            remark_sizes(self, self.instance.allowance.metric, "up_to", "per")

    def clean_per(self) -> int:
        per: int = self.cleaned_data["per"]
        if per == 0:
            raise ValidationError(NO_UNITS)
        return per

    def clean_up_to(self) -> int | None:
        up_to: int | None = self.cleaned_data["up_to"]
        if up_to == 0:
            raise ValidationError("A tier that ends at 0 holds nothing: enter where it ends, or delete it.")
        return up_to

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        refuse_sizes(self, self.instance.allowance.metric, "up_to", "per")
        return data


class TierFormSet(BaseInlineFormSet[PriceTier, Allowance, TierForm]):
    """Tiers in any order: each ends at another amount, and exactly one, the last, has no end."""

    def clean(self) -> None:
        if any(self.errors):
            return
        ends = [form.cleaned_data["up_to"] for form in self.forms if _stays(form)]
        closed = sorted(end for end in ends if end is not None)
        metric = self.instance.metric
        for one, other in pairwise(closed):
            if one == other:
                raise ValidationError(f"Two tiers end at {spelled(one, metric)}: give each another end.")
        if closed and len(ends) == len(closed):
            top = spelled(closed[-1], metric)
            raise ValidationError(f"Units beyond {top} have no price: leave the end of the last tier empty.")
        if len(ends) > len(closed) + 1:
            raise ValidationError("Several tiers have no end: only the last one leaves it empty.")
        self._refuse_cut_packages()
        super().clean()

    def _refuse_cut_packages(self) -> None:
        """A tier sold in whole packages holds a whole number of them, or its last one would be paid and not had."""
        rows = [form.cleaned_data for form in self.forms if _stays(form) and form.cleaned_data["up_to"]]
        below = 0
        for row in sorted(rows, key=lambda row: row["up_to"]):
            size, per = row["up_to"] - below, row["per"]
            if row["rounds_up"] and size % per:
                metric = self.instance.metric
                raise ValidationError(
                    f"The tier up to {spelled(row['up_to'], metric)} holds {spelled(size, metric)}, "
                    f"no whole number of packages of {spelled(per, metric)}: move its end."
                )
            below = row["up_to"]


def _stays(form: TierForm) -> bool:
    """Whether the row will be there after saving."""
    data = form.cleaned_data
    return bool(data) and not data.get("DELETE") and (form.has_changed() or form.instance.pk is not None)
