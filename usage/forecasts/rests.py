"""What each day leaves of a period's forecast: learnt once a day, added to what is used with every flush. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import accumulate

from billing.models import Metric
from billing.periods import Period, period_before
from tenants.models import Tenant
from usage.forecasts.forecast import Forecast, Point, pace_of, settled
from usage.forecasts.histories import History
from usage.forecasts.paces import DAY, Ahead, Method

SECONDS = 86_400
# Units that are still to come at the beginning of each day; days after which nothing comes are cut.
Rest = list[int]


def rest_of(history: History, metric: Metric, tenant: Tenant, period: Period, at: datetime) -> Rest | None:
    """What is to come of the metric in `period`, from the beginning of the day of `at`; None on the first of use."""
    today, left = at.astimezone(UTC).date(), seconds_left(period, at) / SECONDS
    pace = pace_of(
        metric.kind,
        history.days(metric, today),
        Ahead(today, left, period.until),
        period,
        period_before(tenant, period),
    )
    if pace is None:
        return None
    whole_days = (pace.adds[0] / left, *pace.adds[1:])
    rest = [round(units) for units in accumulate(reversed(whole_days))][::-1]
    return rest[: next((n for n, units in enumerate(rest) if not units), len(rest))]


def to_come(today: int, tomorrow: int, left: int) -> int:
    """Units still to come with so many seconds of the day left: what was at the beginning of `today`, and will be at
    that of `tomorrow`.
    """
    return tomorrow + (today - tomorrow) * left // SECONDS


def day_of_reach(rest: Sequence[int], missing: int, period: Period, at: datetime) -> date | None:
    """On which day so many more units will have come; none where they won't. `rest` begins with the day of `at`."""
    today = at.astimezone(UTC).date()
    whole = to_come(*_pair(rest, 0), seconds_left(period, at))
    if missing <= 0 or whole < missing:
        return None
    return next(today + DAY * n for n in range(len(rest)) if whole - _pair(rest, n)[1] >= missing)


def forecast_by(rest: Sequence[int], now: int, period: Period, at: datetime) -> Forecast:
    """The forecast that was kept, from `now` units at `at` on. Between what it lies was not."""
    begins, whole = settled(period, at), to_come(*_pair(rest, 0), seconds_left(period, at))
    days = (period.until - begins.astimezone(UTC).date()).days
    sums = [whole - _pair(rest, n)[1] for n in range(days)]
    today = begins.astimezone(UTC).date()
    points = tuple(Point(today + DAY * n, *[now + units] * 3) for n, units in enumerate(sums))
    return Forecast(begins, now, points, tuple(map(float, sums)), Method.KEPT, 0)


def _pair(rest: Sequence[int], n: int) -> tuple[int, int]:
    """What is to come at the beginning of a day and of the day after it."""
    return (rest[n] if n < len(rest) else 0), (rest[n + 1] if n + 1 < len(rest) else 0)


def seconds_left(period: Period, at: datetime) -> int:
    """Of the day, as a page that is opened then takes it."""
    over = settled(period, at).astimezone(UTC)
    return SECONDS - (over.hour * 3600 + over.minute * 60 + over.second)
