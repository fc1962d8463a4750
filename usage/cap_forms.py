"""What is asked when somebody sets a spend cap."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import SpendCap

NONE = "none"
THOUSANDS = re.compile(r"^[^\d−-]{0,3}(\d{1,3}(?:,\d{3})+|\d+)((?:\.\d+)?)$")


class AmountField(forms.DecimalField):
    """Money, also as people write it: “$1,390.00”."""

    default_error_messages = {"invalid": _("Enter an amount such as 390.00.")}

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # the stubs say int
        if isinstance(value, str) and (found := THOUSANDS.match(value.strip())):
            value = found[1].replace(",", "") + found[2]
        return super().to_python(value)


class CapForm(forms.Form):
    """No cap, or one that tells or stops at an amount; `confirmed` is the amount that a question was about."""

    cap = forms.ChoiceField(
        choices=[(NONE, _("No cap")), *SpendCap.Mode.choices],
        error_messages={"required": _("Choose one."), "invalid_choice": _("Choose one of these.")},
    )
    amount = AmountField(
        required=False,
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=2,
        error_messages={"min_value": _("Enter 0 or more: 0 stops all that would be billed.")},
    )
    confirmed = forms.CharField(required=False, max_length=20)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("cap") == NONE:
            self.errors.pop("amount", None)
        elif data.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", _("Enter an amount such as 390.00."))
        return data

    @property
    def is_lifting(self) -> bool:
        return bool(self.cleaned_data["cap"] == NONE)

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody agreed to this very amount."""
        return bool(self.cleaned_data["confirmed"] == str(self.cleaned_data["amount"]))
