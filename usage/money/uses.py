"""What was used in periods, as pricing takes it: durable totals, and of levels how long they stood above."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

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
        found[index][code] = Use(amount, excess[index, code].whole, wanted[index].period.days * 24)
    return found


class Excess(NamedTuple):
    """Unit-hours of a level above what was included: in all, and of them those of the hour that is not over."""

    whole: int = 0
    now: int = 0


def excess_over(wanted: Sequence[Rates], at: datetime) -> dict[tuple[int, str], Excess]:
    """The excess of each level by `at`, by place in `wanted` and metric code. One query."""
    hour = hour_of(at)
    rates = {(index, code): rate for index, one in enumerate(wanted) for code, rate in one.rates.items()}
    levels = {key: rate for key, rate in rates.items() if rate.is_level}
    over = [(key, span) for key, rate in levels.items() for span in spans_of(wanted[key[0]], rate, hour)]
    present = [
        (key, span)
        for key, rate in levels.items()
        for span in spans_of(wanted[key[0]], rate, hour + HOUR, since=hour)
    ]
    found, excess = excess_of(span for _, span in over + present), dict.fromkeys(levels, Excess())
    for number, ((key, _), unit_hours) in enumerate(zip(over + present, found, strict=True)):
        whole, now = excess[key]
        excess[key] = Excess(whole + unit_hours, now + (unit_hours if number >= len(over) else 0))
    return excess


def _mark(one: Rates, code: str, at: datetime) -> Mark:
    return Mark(one.tenant.pk, one.rates[code].metric.pk, min(at, one.period.ends))
