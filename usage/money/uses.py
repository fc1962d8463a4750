"""What was used in periods, as pricing takes it: durable totals, and of levels how long they stood above."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.pricing import Use
from billing.rates import Rates
from usage.metering import ledger
from usage.metering.ledger import NOTHING
from usage.money.levels import HOUR, Mark, amounts_at, excess_of, hour_of, spans_of

Uses = dict[str, Use]  # by metric code


def uses_of(wanted: Sequence[Rates], at: datetime) -> list[Uses]:
    """What was used by `at` in the periods that `wanted` bills, in their order.

    The hour of `at` counts with its peak so far. Three queries, however many there are.
    """
    totals = ledger.totals((one.tenant.pk, one.period.first) for one in wanted)
    found = [
        {
            code: Use(totals.get((one.tenant.pk, rate.metric.pk), NOTHING).used)
            for code, rate in one.rates.items()
        }
        for one in wanted
    ]
    excess = excess_over(wanted, at)
    levels = list(excess)
    marks = [_mark(wanted[index], code, at) for index, code in levels]
    for (index, code), amount in zip(levels, amounts_at(marks), strict=True):
        found[index][code] = Use(amount, excess[index, code], wanted[index].period.days * 24)
    return found


def excess_over(wanted: Sequence[Rates], at: datetime) -> dict[tuple[int, str], int]:
    """Of each level its unit-hours above what was included by `at`, by place in `wanted` and metric code."""
    excess = {
        (index, code): 0
        for index, one in enumerate(wanted)
        for code, rate in one.rates.items()
        if rate.is_level
    }
    spans = [
        (key, span)
        for key in excess
        for span in spans_of(wanted[key[0]], wanted[key[0]].rates[key[1]], hour_of(at) + HOUR)
    ]
    for (key, _), unit_hours in zip(spans, excess_of(span for _, span in spans), strict=True):
        excess[key] += unit_hours
    return excess


def _mark(one: Rates, code: str, at: datetime) -> Mark:
    return Mark(one.tenant.pk, one.rates[code].metric.pk, min(at, one.period.ends))
