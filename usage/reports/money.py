"""Amounts and prices as pages write them: “$319.79”, “$0.05 per MB”. Rounded here and nowhere before."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import Metric
from billing.pricing import Price, Tier
from usage import units
from usage.amounts import money, signed

PER_BYTES = {10**3: "kB", 10**6: "MB", 10**9: "GB", 10**12: "TB"}


def whole_money(amount: Decimal) -> str:
    """The same without cents where there are none: “$29”."""
    return signed(amount, f"{abs(amount):,.0f}") if amount == amount.to_integral_value() else money(amount)


def price(metric: Metric, tier: Tier, currency: str = "") -> str:
    """What a unit costs: “$0.05 per MB”, “$0.001 each”, “$0.40 per 1,000”, “$0.40 per begun 1,000”."""
    amount = signed(tier.price, _exact(tier.price), currency)
    if metric.unit == Metric.Unit.BYTES:
        per = PER_BYTES.get(tier.per) or units.number(metric, tier.per)
    elif tier.per == 1:
        return _("%(price)s each") % {"price": amount}
    else:
        per = f"{tier.per:,}"
    words = _("%(price)s per begun %(unit)s") if tier.rounds_up else _("%(price)s per %(unit)s")
    return words % {"price": amount, "unit": per}


def prices(metric: Metric, of: Price) -> str:
    """The price beyond the included amount; where it changes with the quantity, from which on."""
    if not of.tiers:
        return _("not charged")
    first = price(metric, of.tiers[0])
    return first if len(of.tiers) == 1 else _("from %(price)s") % {"price": price(metric, of.tiers[-1])}


def _exact(amount: Decimal) -> str:
    """All decimals a price has, at least two where it has any that count."""
    text = f"{abs(amount).normalize():f}"
    whole, _point, decimals = text.partition(".")
    return f"{int(whole):,}.{decimals.ljust(2, '0')}" if decimals else f"{int(whole):,}"


__all__ = ["money", "price", "prices", "whole_money"]
