"""What the days to come may bring, learnt from days that are over; one way for each kind of metric. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, median, pstdev

from billing.periods import Period

Days = Mapping[date, int]  # units on a day, newcomers on a day, or what a level stood at when the day ended

DAY, WEEK = timedelta(days=1), timedelta(days=7)
WEEKS = 5  # full weeks that are looked back on, the newest counting five times as much as the oldest
SILENT = 0.1  # a week with less than this share of the busiest one says that things have changed
STEEPEST = 0.25  # growth a week, natural logarithm
HALVES = 0.5  # what is left after a week of the rate at which new members come
SLOPE_DAYS = 14
UNKNOWN = 0.5  # how far all may be off after a few days, as a share
HARDLY_KNOWN = 0.35  # after a week
REPEATED = 0.2  # as far as two periods bring different numbers of members


class Method(Enum):
    """How the days to come were found."""

    WEEKDAYS = "weekdays"
    FIRST_DAYS = "first days"
    LAST_PERIOD = "last period"
    FADING = "fading"
    SLOPE = "slope"
    KEPT = "kept"  # learnt at the beginning of the day, in one of these ways


@dataclass(frozen=True, slots=True)
class Ahead:
    """The days of a period that are to come: the share of `today` that is left, and the days until `until`."""

    today: date
    left: float
    until: date

    @property
    def shares(self) -> list[float]:
        return [self.left, *([1.0] * ((self.until - self.today).days - 1))]


@dataclass(frozen=True, slots=True)
class Pace:
    """Units of the rest of today and of each day after it.

    `noise`: standard deviation of one day, learnt from `known` days. `drift`: the share by which all may be off.
    """

    adds: tuple[float, ...]
    noise: float
    known: int
    drift: float
    method: Method

    def deviation(self, days: float, added: float) -> float:
        """The standard deviation of what so many days add."""
        return sqrt(self.noise**2 * (days + days * days / max(1, self.known)) + (added * self.drift) ** 2)


def pace_of_use(days: Days, ahead: Ahead) -> Pace | None:
    """Of a sum: each weekday as in the last full weeks; in the first week, its days so far.

    Weeks that grew, or shrank, one after the other go on doing so. None on the first day of use.
    """
    begun = min((day for day, units in days.items() if units), default=None)
    if begun is None:
        return Pace(tuple(0.0 for _ in ahead.shares), 0.0, 0, 0.0, Method.WEEKDAYS)
    full = (ahead.today - begun).days
    if full < 1:
        return None
    weeks = [
        [days.get(ahead.today - WEEK * (back + 1) + DAY * n, 0) for n in range(7)]
        for back in range(min(WEEKS, full // 7))
    ]
    if not weeks:
        return _first_days([days.get(begun + DAY * n, 0) for n in range(full)], ahead)
    if sum(weeks[0]) < SILENT * max(map(sum, weeks)):
        weeks = weeks[:1]
    return _weekdays(weeks, ahead)


def pace_of_members(days: Days, ahead: Ahead, period: Period, before: Period) -> Pace | None:
    """Of members: as many new ones as in the rest of the period before, but no faster than they came lately.

    Where that period is not known in full, half as many every week. None on the first day of use.
    """
    begun = min((day for day, units in days.items() if units), default=ahead.today)
    if begun == ahead.today and days.get(begun):
        return None
    lately, length = _lately(days, ahead, period)
    if begun > before.first + WEEK:
        rests = (HALVES ** ((n + (1 + length) / 2) / 7) for n in range(len(ahead.shares)))
        adds = tuple(lately * share * rest for share, rest in zip(ahead.shares, rests, strict=True))
        return Pace(adds, sqrt(2 * fmean(adds)), 7, UNKNOWN, Method.FADING)
    same = (before.first + (ahead.today - period.first) + DAY * n for n in range(len(ahead.shares)))
    came = [days.get(day, 0) if day < before.until else 0 for day in same]
    adds = tuple(share * units for share, units in zip(ahead.shares, came, strict=True))
    part = min(1.0, lately * sum(ahead.shares) / (sum(adds) or 1.0))
    adds = tuple(part * units for units in adds)
    return Pace(adds, sqrt(2 * fmean(adds)), before.days, REPEATED, Method.LAST_PERIOD)


def pace_of_level(days: Days, ahead: Ahead) -> Pace:
    """Of a level: the middle one of all slopes between two of its last days; what shrinks is taken to stay."""
    closes = [days[day] for n in range(SLOPE_DAYS, -1, -1) if (day := ahead.today - DAY * (n + 1)) in days]
    slopes = [
        (later - earlier) / (right - left)
        for left, earlier in enumerate(closes)
        for right, later in enumerate(closes)
        if left < right
    ]
    slope = max(0.0, median(slopes)) if slopes else 0.0
    moves = [later - earlier for earlier, later in pairwise(closes)]
    noise = sqrt(fmean((move - slope) ** 2 for move in moves)) if moves else 0.0
    return Pace(tuple(slope * share for share in ahead.shares), noise, len(moves), HARDLY_KNOWN, Method.SLOPE)


def _first_days(units: Sequence[int], ahead: Ahead) -> Pace:
    """The mean of the days so far; one day says nothing of how much days differ."""
    mean = fmean(units)
    noise = pstdev(units) if len(units) > 1 else mean
    return Pace(tuple(mean * share for share in ahead.shares), noise, len(units), UNKNOWN, Method.FIRST_DAYS)


def _weekdays(weeks: Sequence[Sequence[int]], ahead: Ahead) -> Pace:
    """`weeks`: the last full ones up to yesterday, the newest first; each begins on today's weekday."""
    growth, drift = _growth([sum(week) for week in weeks])
    weights = range(WEEKS, WEEKS - len(weeks), -1)
    grown = [[units * exp(growth * (back + 1)) for units in week] for back, week in enumerate(weeks)]
    means = [
        sum(weight * units for weight, units in zip(weights, same, strict=True)) / sum(weights)
        for same in zip(*grown, strict=True)
    ]
    adds = [means[n % 7] * share * exp(growth * (n // 7)) for n, share in enumerate(ahead.shares)]
    off = [(units - mean) ** 2 for week in grown for units, mean in zip(week, means, strict=True)]
    noise = sqrt(fmean(off) * len(weeks) / (len(weeks) - 1)) if len(weeks) > 1 else 0.0
    return Pace(tuple(adds), noise, 7 * len(weeks), drift, Method.WEEKDAYS)


def _growth(sums: Sequence[int]) -> tuple[float, float]:
    """Growth a week, where at least three weeks grew or shrank in a row, and how unsure that is."""
    if len(sums) < 2 or not all(sums):
        return 0.0, HARDLY_KNOWN if len(sums) < 2 else 0.0
    steps = [log(later / earlier) for later, earlier in pairwise(sums)]
    is_steady = len(steps) > 1 and (min(steps) > 0 or max(steps) < 0)
    growth = max(-STEEPEST, min(STEEPEST, fmean(steps))) if is_steady else 0.0
    return growth, sqrt(fmean((step - growth) ** 2 for step in steps) + growth**2)


def _lately(days: Days, ahead: Ahead, period: Period) -> tuple[float, float]:
    """New members a day over the last week of this period, today included, and how long that was in days."""
    first = max(period.first, ahead.today - WEEK)
    length = (ahead.today - first).days + 1 - ahead.left
    came = sum(units for day, units in days.items() if first <= day <= ahead.today)
    return came / max(1.0, length), length
