"""Amounts of money as people read them: “$319.79”. Rounded here and nowhere before."""

from __future__ import annotations

import re
from decimal import Decimal

from django.conf import settings

from billing.pricing import rounded

HIDDEN = "…"
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def money(amount: Decimal, currency: str = "") -> str:
    """“$1,499.00”, “−$0.05”; a currency without a sign of its own goes behind: “1,499.00 CHF”.

    The currency of what was issued is that of its issue, else ours.
    """
    return signed(amount, f"{abs(rounded(amount)):,.2f}", currency)


def signed(amount: Decimal, digits: str, currency: str = "") -> str:
    """`digits` with the sign of `amount` and that of the currency."""
    sign, currency = "−" if amount < 0 else "", currency or settings.HEADROOM_CURRENCY
    symbol = SIGNS.get(currency)
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits} {currency}"


def without_amounts(text: str) -> str:
    """`text` for who sees no money: “stop billed use at … a period”."""
    return re.sub(rf"\d[\d,]*\.\d+ {re.escape(settings.HEADROOM_CURRENCY)}\b", HIDDEN, text)


def more_or_less(amount: Decimal) -> str:
    """A difference: “+$32.14”, “−$355.32”, “$0.00”."""
    return with_sign(money(abs(amount)), amount)


def with_sign(text: str, amount: Decimal) -> str:
    """`text` with the sign of `amount`."""
    return f"{'−' if amount < 0 else '+' if amount > 0 else ''}{text}"
