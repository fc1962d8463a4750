"""What a statement shows, as plain JSON: all quantities, prices and limits it was made of, amounts as decimal text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from typing import TypedDict

from billing.limits import Entitlements, Limit
from billing.models import Metric
from billing.pricing import Bill, Fee, Line, Tier, TierPart
from billing.rates import Rate, Rates, Step
from billing.terms import plain


class Named(TypedDict):
    """A tenant or a plan, as it was called then."""

    slug: str
    name: str


class FeeEntry(TypedDict):
    """A plan's base fee for `days` of the period's `of` days."""

    plan: str
    fee: str
    days: int
    of: int
    amount: str


class TierEntry(TypedDict):
    """A tier of a price, and what of the billable units fell into it. Units may be a fraction: “7229/24”."""

    above: int
    up_to: int | None
    price: str
    per: int
    rounds_up: bool
    units: str
    amount: str


class StepEntry(TypedDict):
    """What was included of a level from one full hour to another."""

    since: str
    until: str
    included: int | None


class LineEntry(TypedDict):
    """One metric; `hours` are the period's for a level, whose `steps` say what was included when, else 0."""

    metric: str
    name: str
    kind: str
    unit: str
    used: int
    included: int | None
    billable: str
    hours: int
    steps: list[StepEntry]
    tiers: list[TierEntry]
    amount: str


class LimitEntry(TypedDict):
    """What the tenant could use of a metric when the period ended; none = without a limit."""

    metric: str
    name: str
    unit: str
    included: int | None
    stop: int | None
    burst: int | None
    beyond: str


class Document(TypedDict):
    """Everything on a statement but its head. An adjustment has the same shape: its figures are differences."""

    tenant: Named
    plan: Named
    fees: list[FeeEntry]
    lines: list[LineEntry]
    limits: list[LimitEntry]


def document_of(rates: Rates, cost: Bill, rights: Entitlements) -> Document:
    """The statement of a period that costs `cost` by `rates`; `rights` are those of its last moment."""
    return Document(
        tenant=Named(slug=rates.tenant.slug, name=rates.tenant.name),
        plan=Named(slug=rates.plan.slug, name=rates.plan.name),
        fees=[_fee(fee) for fee in cost.fees],
        lines=lines_of(rates.rates, cost),
        limits=[_limit(limit) for limit in rights.limits.values()],
    )


def lines_of(rates: Mapping[str, Rate], cost: Bill) -> list[LineEntry]:
    """The lines of a bill with the prices they were made of."""
    return [_line(rates[line.metric], line) for line in cost.lines]


def exact(units: Fraction) -> str:
    """A whole number or a fraction, as `Fraction` reads it."""
    return str(units)


def _fee(fee: Fee) -> FeeEntry:
    return FeeEntry(plan=fee.plan, fee=str(fee.fee), days=fee.days, of=fee.of, amount=str(fee.amount))


def _line(rate: Rate, line: Line) -> LineEntry:
    metric = rate.metric
    return LineEntry(
        metric=metric.code,
        name=metric.name,
        kind=metric.kind,
        unit=metric.unit,
        used=line.use.used,
        included=line.price.included,
        billable=exact(line.billable),
        hours=line.use.hours,
        steps=[_step(step) for step in rate.steps] if metric.kind == Metric.Kind.LEVEL else [],
        tiers=_tiers(line.price.tiers, line.parts),
        amount=money(line.amount),
    )


def _tiers(tiers: Sequence[Tier], reached: Sequence[TierPart]) -> list[TierEntry]:
    """All of them, those that nothing fell into as well: late units may."""
    above, entries = 0, []
    for tier, part in zip_longest(tiers, reached):
        entries.append(
            TierEntry(
                above=above,
                up_to=tier.up_to,
                price=plain(tier.price),
                per=tier.per,
                rounds_up=tier.rounds_up,
                units=exact(part.units if part else Fraction(0)),
                amount=money(part.amount if part else Decimal(0)),
            )
        )
        above = tier.up_to or above
    return entries


def _step(step: Step) -> StepEntry:
    return StepEntry(since=step.since.isoformat(), until=step.until.isoformat(), included=step.included)


def _limit(limit: Limit) -> LimitEntry:
    return LimitEntry(
        metric=limit.metric.code,
        name=limit.metric.name,
        unit=limit.metric.unit,
        included=limit.included,
        stop=limit.stop,
        burst=limit.burst,
        beyond=limit.allowance.beyond,
    )


def money(amount: Decimal) -> str:
    """With its cents: “0.00”."""
    return f"{amount:.2f}"
