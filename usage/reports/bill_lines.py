"""The lines of a bill in words: what is estimated and what was issued reads the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _

from billing.documents import FeeEntry, LineEntry, TierEntry
from billing.models import Metric
from billing.pricing import Tier, rounded
from usage import units
from usage.reports.money import money, price


@dataclass(frozen=True, slots=True)
class TierRow:
    """What fell into one tier of a price."""

    name: str
    billable: str
    price: str
    amount: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a plan's fee, or a metric with its tiers where it has several."""

    name: str
    note: str
    used: str
    included: str
    billable: str
    price: str
    amount: str
    tiers: tuple[TierRow, ...] = ()


def fee_line(fee: FeeEntry, currency: str) -> Line:
    """A plan's base fee, for all days of the period or for some."""
    is_whole = fee["days"] == fee["of"]
    return Line(
        name=_("%(plan)s plan") % {"plan": fee["plan"]},
        note="" if is_whole else _("%(days)s of %(of)s days") % fee,
        used="",
        included="",
        billable="",
        price=money(Decimal(fee["fee"]), currency),
        amount=money(Decimal(fee["amount"]), currency),
    )


def usage_line(line: LineEntry, currency: str, *, is_signed: bool = False) -> Line:
    """A metric, with its tiers where it has several; the differences of an adjustment are signed."""
    metric = Metric(code=line["metric"], name=line["name"], kind=line["kind"], unit=line["unit"])
    reached = [tier for tier in line["tiers"] if Fraction(tier["units"])]
    plus = "+" if is_signed else ""
    return Line(
        name=metric.name,
        note=_mean(metric, line),
        used=_signed(units.number(metric, line["used"]), plus),
        included=amount_of(metric, line["included"], _("unlimited")),
        billable=_signed(_billable(metric, line["billable"]), plus) if line["tiers"] else "",
        price=_price(metric, line["tiers"], currency),
        amount=money(Decimal(line["amount"]), currency),
        tiers=tuple(_tiers(metric, reached, currency)) if len(line["tiers"]) > 1 else (),
    )


def _mean(metric: Metric, line: LineEntry) -> str:
    """How a level is billed: “mean of 720 hours above 50 GB”."""
    if not line["hours"] or not line["tiers"] or line["included"] is None:
        return ""
    facts = {"hours": line["hours"], "included": units.number(metric, line["included"])}
    return _("mean of %(hours)s hours above %(included)s") % facts


def _tiers(metric: Metric, reached: list[TierEntry], currency: str) -> Iterator[TierRow]:
    for entry in reached:
        if entry["above"]:
            name = _("above %(units)s") % {"units": units.number(metric, entry["above"])}
        else:
            name = _("first %(units)s") % {"units": units.number(metric, entry["up_to"] or 0)}
        amount = money(Decimal(entry["amount"]), currency)
        yield TierRow(name, _billable(metric, entry["units"]), price(metric, _tier(entry), currency), amount)


def _price(metric: Metric, tiers: list[TierEntry], currency: str) -> str:
    if not tiers:
        return _("not charged")
    if len(tiers) > 1:
        return _("%(count)s tiers") % {"count": len(tiers)}
    return price(metric, _tier(tiers[0]), currency)


def _tier(entry: TierEntry) -> Tier:
    return Tier(entry["up_to"], Decimal(entry["price"]), entry["per"], entry["rounds_up"])


def _billable(metric: Metric, written: str) -> str:
    """Bytes in four figures, other units with two decimals where they are no whole ones; exact in CSV and JSON."""
    found = Fraction(written)
    if not found:
        return "0"
    if metric.unit == Metric.Unit.BYTES or found.denominator == 1:
        return units.number(metric, int(found))
    return f"{rounded(found):,}".replace("-", "−")


def _signed(text: str, plus: str) -> str:
    return text if text.startswith("−") else f"{plus}{text}"


def amount_of(metric: Metric, known: int | None, none: str) -> str:
    """Units in words, `none` where there are none."""
    return none if known is None else units.number(metric, known)
