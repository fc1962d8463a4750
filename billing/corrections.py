"""Prices a period that was issued once more, by its statement's own prices, and says what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.documents import Document, LineEntry, StepEntry, TierEntry, exact, lines_of, money
from billing.models import Allowance, Metric, Plan, Statement
from billing.periods import Period
from billing.pricing import Bill, Price, Tier
from billing.rates import Rate, Rates, Step
from tenants.models import Tenant


def rates_in(statement: Statement, tenant: Tenant, metrics: Mapping[str, Metric]) -> Rates:
    """What a statement's period was billed by. Prices that were edited since don't count, nor do its fees again."""
    document: Document = statement.document
    lines = [line for line in document["lines"] if line["metric"] in metrics]
    return Rates(
        tenant,
        Period(statement.period, statement.until),
        Plan(slug=document["plan"]["slug"], name=document["plan"]["name"]),
        lambda moment: None,
        {line["metric"]: _rate(line, metrics[line["metric"]]) for line in lines},
    )


def difference(rates: Rates, now: Bill, issued: Sequence[Document]) -> list[LineEntry]:
    """What the lines of a bill are more, or less, than in the statement and its adjustments so far; only those."""
    found = []
    for line in lines_of(rates.rates, now):
        before = [one for document in issued for one in document["lines"] if one["metric"] == line["metric"]]
        changed = _less(line, before)
        if Decimal(changed["amount"]):
            found.append(changed)
    return found


def _rate(line: LineEntry, metric: Metric) -> Rate:
    price = Price(line["included"], tuple(_tier(tier) for tier in line["tiers"]))
    return Rate(metric, Allowance(metric=metric), price, tuple(_step(step) for step in line["steps"]))


def _tier(entry: TierEntry) -> Tier:
    return Tier(entry["up_to"], Decimal(entry["price"]), entry["per"], entry["rounds_up"])


def _step(entry: StepEntry) -> Step:
    since, until = (datetime.fromisoformat(entry[key]) for key in ("since", "until"))
    return Step(since, until, entry["included"])


def _less(line: LineEntry, before: Sequence[LineEntry]) -> LineEntry:
    """A line less those of the same metric; they have the same tiers."""
    billable = Fraction(line["billable"]) - sum(Fraction(one["billable"]) for one in before)
    amount = Decimal(line["amount"]) - sum(Decimal(one["amount"]) for one in before)
    return {
        **line,
        "used": line["used"] - sum(one["used"] for one in before),
        "billable": exact(billable),
        "tiers": [
            _less_tier(tier, [one["tiers"][place] for one in before])
            for place, tier in enumerate(line["tiers"])
        ],
        "amount": money(amount),
    }


def _less_tier(tier: TierEntry, before: Sequence[TierEntry]) -> TierEntry:
    units = Fraction(tier["units"]) - sum(Fraction(one["units"]) for one in before)
    amount = Decimal(tier["amount"]) - sum(Decimal(one["amount"]) for one in before)
    return {**tier, "units": exact(units), "amount": money(amount)}
