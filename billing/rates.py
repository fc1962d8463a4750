"""What a period is billed by: how many days of which plan, and of each metric its price and what was included when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from billing.limits import limit_of
from billing.models import Allowance, Metric, Override, Plan
from billing.periods import Period
from billing.pricing import Fee, Price, price_of
from tenants.models import Tenant

HOUR, DAY, MOMENT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """What is included from one full hour to another; none = unlimited."""

    since: datetime
    until: datetime
    included: int | None


@dataclass(frozen=True, slots=True)
class Rate:
    """How one metric is billed in a period.

    A grant that ends must not make what was free under it cost something: of a sum and of a distinct the price's
    `included` is the most that was included at any time so far. A level is measured hour by hour against `steps`.
    """

    metric: Metric
    allowance: Allowance
    price: Price
    steps: tuple[Step, ...]

    @property
    def metric_id(self) -> int:
        return self.allowance.metric_id

    @property
    def is_level(self) -> bool:
        return self.metric.kind == Metric.Kind.LEVEL


@dataclass(frozen=True)
class Rates:
    """What a tenant's period is billed by; `plan` is the one it ends on, `plan_at` tells which it was on before, none
    while the tenant was not there.
    """

    tenant: Tenant
    period: Period
    plan: Plan
    plan_at: Callable[[datetime], Plan | None]
    rates: Mapping[str, Rate]  # by metric code

    @cached_property
    def fees(self) -> tuple[Fee, ...]:
        """The base fees by days; the flush, which asks for usage alone, need not count them."""
        return fees_of(self.period, self.plan_at)

    @property
    def key(self) -> Key:
        return self.tenant.pk, self.period

    @property
    def prices(self) -> dict[str, Price]:
        return {code: rate.price for code, rate in self.rates.items()}


Key = tuple[int, Period]


def rate_of(allowance: Allowance, overrides: Sequence[Override], period: Period, at: datetime) -> Rate:
    """How the metric of `allowance` is billed in `period`, with those of a tenant's overrides that began by `at`."""
    mine = [one for one in overrides if one.metric_id == allowance.metric_id]
    changes = list(_changes(allowance, mine, period, at))
    included = _most(amount for _, amount in changes)
    steps = tuple(_steps(changes, period))
    return Rate(allowance.metric, allowance, price_of(allowance, included), steps)


def fees_of(period: Period, plan_at: Callable[[datetime], Plan | None]) -> tuple[Fee, ...]:
    """The base fees of `period` by days, in the order the plans began.

    A day counts to the plan in force at its end; days before the tenant was there, to none.
    """
    days: dict[int, int] = {}
    plans: dict[int, Plan] = {}
    for number in range(period.days):
        plan = plan_at(period.starts + (number + 1) * DAY - MOMENT)
        if plan:
            plans[plan.pk] = plan
            days[plan.pk] = days.get(plan.pk, 0) + 1
    return tuple(Fee(plan.name, plan.base_fee, days[pk], period.days) for pk, plan in plans.items())


def _changes(
    allowance: Allowance, overrides: Sequence[Override], period: Period, at: datetime
) -> Iterator[tuple[datetime, int | None]]:
    """What is included from the period's first moment on, and from each moment at which that changed by `at`."""
    ends = min(at + MOMENT, period.ends)
    times = {time for one in overrides for time in (one.starts, one.ends) if time}
    for time in sorted({period.starts, *(time for time in times if period.starts < time < ends)}):
        given = [one for one in overrides if one.starts <= time and (one.ends is None or time < one.ends)]
        yield time, limit_of(allowance, given).included


def _steps(changes: Sequence[tuple[datetime, int | None]], period: Period) -> Iterator[Step]:
    """The same by full hours; an hour in which it changed has the most that was included in it."""
    cuts = {period.starts, period.ends}
    for time, _ in changes[1:]:
        hour = time.replace(minute=0, second=0, microsecond=0)
        cuts |= {hour, min(hour + HOUR, period.ends)}
    spans = [*pairwise([time for time, _ in changes]), (changes[-1][0], period.ends)]
    for since, until in pairwise(sorted(cuts)):
        in_force = (
            amount
            for (first, last), (_, amount) in zip(spans, changes, strict=True)
            if first < until and since < last
        )
        yield Step(since, until, _most(in_force))


def _most(amounts: Iterator[int | None]) -> int | None:
    """The largest of `amounts`; none, which is unlimited, is larger than any."""
    known = list(amounts)
    return None if None in known else max(one for one in known if one is not None)
