"""How many units a demo customer still has to use to stand where it should: whole numbers, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.entitlements import Limit
from billing.models import Metric
from billing.periods import Period
from demo.cast import Customer

MILLE = 1000
CEILING = 970  # thousandths of a limit that stops; only who is meant to run out does
TYPICAL_HOURS = 20 * 24  # of a period are over where a customer stands as `use` says
KNOWN_AFTER = 10 * 24  # hours of a period, by when nearly all regular users have shown up
SMALLER = {Metric.Kind.SUM: 87, Metric.Kind.LEVEL: 91, Metric.Kind.DISTINCT: 94}  # percent, a period earlier


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of one period that have yet to be written; `back` counts periods from today's, which is 0."""

    period: Period
    hours: list[datetime]
    back: int
    is_first: bool  # nothing of the customer was ever written

    @property
    def ends(self) -> datetime:
        return self.hours[-1] + timedelta(hours=1)


def missing(customer: Customer, limit: Limit, span: Span, have: int) -> int:
    """Units of a metric to add in `span` where `have` are known; 0 where it stands high enough."""
    mille = customer.use.get(limit.metric.code, 0)
    if not mille or not limit.size:
        return 0
    wanted = _wanted(customer, limit, span, have, mille)
    ceiling = MILLE * 2 if limit.stop is None else max(mille, CEILING)
    return max(0, min(wanted, limit.size * ceiling // MILLE) - have)


def _wanted(customer: Customer, limit: Limit, span: Span, have: int, mille: int) -> int:
    assert limit.size is not None  # asked before
    kind = Metric.Kind(limit.metric.kind)
    goal: int = limit.size * mille * SMALLER[kind] ** span.back // (MILLE * 100**span.back)
    if kind == Metric.Kind.LEVEL:
        return goal
    if kind == Metric.Kind.DISTINCT:
        return goal * min(KNOWN_AFTER, _hours(span.ends - span.period.starts)) // KNOWN_AFTER
    if span.back == 0 and (customer.is_fixed or span.is_first):
        return goal
    if customer.is_fixed and not span.is_first:
        return have  # a past period of which all was written when it was today's
    return have + goal * len(span.hours) // TYPICAL_HOURS


def _hours(length: timedelta) -> int:
    return length // timedelta(hours=1)
