"""Where a metric will stand, day by day, until its period ends, and when a limit is reached. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import Metric
from billing.periods import Period
from usage.forecasts.paces import DAY, Ahead, Days, Method, Pace, pace_of_level, pace_of_members, pace_of_use

EARLIEST = timedelta(hours=24)  # no forecast in a period's first day
LEAST = 0.05  # nor before this share of it is over
LIKELY = 1.28  # standard deviations on each side: four times of five
HOUR = timedelta(hours=1)
STEP = timedelta(minutes=5)  # so often forecasts move by time alone: a poll in between finds nothing new


class Point(NamedTuple):
    """What is expected at the end of a day, and between what it likely lies; base units."""

    on: date
    used: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """A metric from `at`, with `now` units, to its period's end; `points` has today and every day after it.

    `sums`: what is added by the end of each of them, not rounded.
    """

    at: datetime
    now: int
    points: tuple[Point, ...]
    sums: tuple[float, ...]
    method: Method
    known: int  # days it was learnt from

    @property
    def end(self) -> Point:
        return self.points[-1]

    @property
    def used(self) -> int:
        return self.end.used

    def reached(self, limit: int | None) -> datetime | None:
        """When so much will be used; none where it won't be in this period, or was before. Days add evenly."""
        if limit is None or self.now >= limit:
            return None
        before, begins = 0.0, self.at
        for n, added in enumerate(self.sums):
            ends = _midnight(self.at) + DAY * (n + 1)
            if int(added) >= limit - self.now:
                return begins + (ends - begins) * ((limit - self.now - before) / (added - before))
            before, begins = added, ends
        return None

    @property
    def explained(self) -> str:
        """The method in one line."""
        weeks = self.known // 7
        return {
            Method.WEEKDAYS: ngettext(
                "Forecast: weekdays as in the last week.",
                "Forecast: weekdays as in the last %(weeks)d weeks.",
                max(1, weeks),
            )
            % {"weeks": weeks},
            Method.FIRST_DAYS: _("Forecast: the pace of the first days."),
            Method.LAST_PERIOD: _("Forecast: new ones as in the last period."),
            Method.FADING: _("Forecast: new ones, half as many each week."),
            Method.SLOPE: _("Forecast: on as in the last two weeks."),
            Method.KEPT: _("Forecast: as it was learnt at the beginning of the day."),
        }[self.method]


def forecast(
    kind: str, days: Days, now: int, *, period: Period, before: Period, at: datetime
) -> Forecast | None:
    """`now` units at `at`, and `days` as they were: units of a sum, newcomers of a distinct, of a level its amount
    at each day's end; days without any may be missing, but not of a level. `before`: the period before.

    None early in a period, and on the first day of use.
    """
    if is_early(period, at) or at >= period.ends:
        return None
    pace = pace_of(kind, days, _ahead(period, at), period, before)
    if pace is None:
        return None
    points = tuple(_points(pace, now, kind, _ahead(period, at)))
    return Forecast(at, now, points, tuple(accumulate(pace.adds)), pace.method, pace.known)


def is_early(period: Period, at: datetime) -> bool:
    """Whether too little of the period is over to say how it ends."""
    return at - period.starts < EARLIEST or period.elapsed(at) < LEAST


def pace_of(kind: str, days: Days, ahead: Ahead, period: Period, before: Period) -> Pace | None:
    """What each day ahead may bring, by the way of the metric's kind; None on the first day of use."""
    if kind == Metric.Kind.LEVEL:
        return pace_of_level(days, ahead)
    if kind == Metric.Kind.DISTINCT:
        return pace_of_members(days, ahead, period, before)
    return pace_of_use(days, ahead)


def settled(period: Period, at: datetime) -> datetime:
    """The time of a forecast that is asked for at `at`."""
    return at - (at - period.starts) % STEP


def hourly(amount: int, ends: Sequence[int], at: datetime) -> list[int]:
    """What a level stands at in each full hour that begins after `at`: it goes evenly from `amount` at `at` to each
    of `ends`, the amounts at the end of today and of the days after it.
    """
    times = [at, *(_midnight(at) + DAY * (n + 1) for n in range(len(ends)))]
    amounts, hour = [amount, *ends], at.replace(minute=0, second=0, microsecond=0) + HOUR
    found = []
    while hour < times[-1]:
        place = bisect_left(times, hour + HOUR)
        share = (hour + HOUR - times[place - 1]) / (times[place] - times[place - 1])
        found.append(amounts[place - 1] + round(share * (amounts[place] - amounts[place - 1])))
        hour += HOUR
    return found


def _ahead(period: Period, at: datetime) -> Ahead:
    return Ahead(at.astimezone(UTC).date(), 1 - (at - _midnight(at)) / DAY, period.until)


def _midnight(at: datetime) -> datetime:
    """The beginning of the UTC day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _points(pace: Pace, now: int, kind: str, ahead: Ahead) -> list[Point]:
    """Whole units, cut: what does not reach a limit never looks as if it did."""
    least = 0 if kind == Metric.Kind.LEVEL else now
    points, length = [], 0.0
    for n, (added, share) in enumerate(zip(accumulate(pace.adds), ahead.shares, strict=True)):
        length += share
        off = LIKELY * pace.deviation(length, added)
        low, high = max(least, now + int(added - off)), now + int(added + off)
        points.append(Point(ahead.today + n * DAY, now + int(added), low, high))
    return points
