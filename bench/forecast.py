"""Forecasts beside “pace so far” on generated tenants, in the middle of a period: `make bench BENCH=forecast`.

Every tenant lives two periods by chance that falls the same way each time; what is said on a day in the middle of the
second is held against what its end brings. Errors are a share of what was used, at least of the busiest day.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from billing.models import Metric  # noqa: E402
from billing.periods import Period  # noqa: E402
from usage.forecasts.forecast import forecast  # noqa: E402

CLEARLY = 0.75  # of the other's mean error
TENANTS = int(os.environ.get("TENANTS", "100"))  # of each kind
DAY = timedelta(days=1)
OFFICE = (1.0, 1.06, 1.09, 1.04, 0.92, 0.24, 0.19)
CLOCK = (1.0, 1.02, 1.03, 1.03, 1.04, 0.84, 0.8)
PERIODS = [
    (
        Period(date(2026, month - 1, 1), date(2026, month, 1)),
        Period(date(2026, month, 1), date(2026, month + 1, 1)),
    )
    for month in range(3, 12)
]
SUMS = ("weekly", "growth", "bursts", "new", "idle")


@dataclass(frozen=True, slots=True)
class Life:
    """What each day since `first` brought; of a level, what it stood at."""

    kind: str
    before: Period
    period: Period
    first: date
    units: Sequence[int]

    def day(self, n: int) -> date:
        return self.first + n * DAY


def use(name: str, chance: random.Random) -> Life:
    """A sum; `name` is one of SUMS."""
    before, period = chance.choice(PERIODS)
    first = before.first - 30 * DAY
    base, week = 10 ** chance.uniform(1.5, 5), chance.choice((OFFICE, OFFICE, OFFICE, CLOCK))
    growth = chance.uniform(0.004, 0.025) if name == "growth" else chance.uniform(-0.002, 0.003)
    noise, middle = chance.uniform(0.05, 0.25), (period.first - first).days + period.days // 2
    begins = middle - chance.randint(2, 20) if name == "new" else 0
    ends = middle - chance.randint(7, 50) if name == "idle" else 10**6
    units = []
    for n in range((period.until - first).days):
        mean = (
            base * week[(first + n * DAY).weekday()] * math.exp(growth * n) * chance.lognormvariate(0, noise)
        )
        if name == "new":
            mean *= 1 - math.exp(-(n - begins + 1) / 4) if n >= begins else 0
        if name == "bursts" and chance.random() < 0.07:
            mean *= chance.uniform(3, 10)
        if n >= ends:
            mean = base * 0.002 if chance.random() < 0.1 else 0
        units.append(max(0, round(chance.gauss(mean, math.sqrt(mean)))))
    return Life(Metric.Kind.SUM, before, period, first, units)


def members(_name: str, chance: random.Random) -> Life:
    """A distinct: people of whom some come daily and some once, and a few new ones every day."""
    before, period = chance.choice(PERIODS)
    crowd, mean, shape = 10 ** chance.uniform(1, 2.7), chance.uniform(0.05, 0.6), chance.uniform(0.5, 2)
    fresh = crowd * chance.choice((0, 0.005, 0.01, 0.02))
    rates = [chance.gammavariate(shape, mean / shape) for _ in range(int(crowd))]
    seen: set[int] = set()
    units = []
    for n in range((period.until - before.first).days):
        day = before.first + n * DAY
        seen = set() if day == period.first else seen
        arrived = int(fresh) + (chance.random() < fresh % 1)
        rates += [chance.gammavariate(shape, mean / shape) for _ in range(arrived)]
        came = {
            one
            for one, rate in enumerate(rates)
            if one not in seen and chance.random() < 1 - math.exp(-rate * OFFICE[day.weekday()])
        }
        seen |= came
        units.append(len(came))
    return Life(Metric.Kind.DISTINCT, before, period, before.first, units)


def level(name: str, chance: random.Random) -> Life:
    """Storage that grows on working days, or is cleared now and then."""
    before, period = chance.choice(PERIODS)
    amount, step, units = chance.uniform(0, 5e9), 10 ** chance.uniform(6, 8.5), []
    for n in range((period.until - before.first).days):
        amount += step * OFFICE[(before.first + n * DAY).weekday()] * chance.lognormvariate(0, 0.6)
        if name == "cleared" and chance.random() < 0.05:
            amount *= chance.uniform(0.4, 0.9)
        units.append(round(amount))
    return Life(Metric.Kind.LEVEL, before, period, before.first, units)


@dataclass(frozen=True, slots=True)
class Said:
    """What was forecast and what “pace so far” says, against the truth; errors are shares."""

    error: float
    pace: float
    is_inside: bool


def ask(life: Life, chance: random.Random) -> Said | None:
    """Half-way through the period, at a chance hour of the day."""
    middle = (
        life.period.starts + life.period.seconds * timedelta(seconds=0.5) + chance.uniform(-0.5, 0.5) * DAY
    )
    today = middle.date()
    passed = (middle - datetime(today.year, today.month, today.day, tzinfo=UTC)) / DAY
    days = {life.day(n): units for n, units in enumerate(life.units) if life.day(n) < today}
    mine = {day: units for day, units in days.items() if day >= life.period.first}
    last = life.units[(today - life.first).days]
    if life.kind == Metric.Kind.LEVEL:
        start = days[life.period.first - DAY]
        now = round(days[today - DAY] + (last - days[today - DAY]) * passed)
        truth, pace = life.units[-1], start + (now - start) / life.period.elapsed(middle)
    else:
        now = sum(mine.values()) + round(last * passed)
        truth = sum(units for n, units in enumerate(life.units) if life.day(n) >= life.period.first)
        pace = now / life.period.elapsed(middle)
    said = forecast(life.kind, days, now, period=life.period, before=life.before, at=middle)
    if said is None:
        return None
    floor = max(truth, *life.units, 1)
    return Said(
        abs(said.used - truth) / floor,
        abs(pace - truth) / floor,
        said.end.low - 1 <= truth <= said.end.high + 1,
    )


Make = Callable[[str, random.Random], Life]
KINDS: dict[str, Make] = {**dict.fromkeys(SUMS, use), "members": members, "growing": level, "cleared": level}


def show(name: str, found: Sequence[Said]) -> None:
    errors, paces = [one.error for one in found], [one.pace for one in found]
    figures = (
        statistics.median(errors),
        statistics.fmean(errors),
        statistics.median(paces),
        statistics.fmean(paces),
    )
    inside = sum(one.is_inside for one in found) / len(found)
    print(f"{name:12}{len(found):>8}", "".join(f"{100 * one:>9.1f} %" for one in figures), f"{inside:>9.0%}")


def main() -> int:
    print(
        f"{'':12}{'tenants':>8} {'forecast: median':>11}{'mean':>8}{'pace: median':>15}{'mean':>8}{'in band':>10}"
    )
    sums: list[Said] = []
    for name, make in KINDS.items():
        chances = [random.Random(f"{name} {n}") for n in range(TENANTS)]
        found = [said for chance in chances if (said := ask(make(name, chance), chance))]
        show(name, found)
        if name in SUMS:
            sums += found
        if name == SUMS[-1]:
            show("all sums", sums)
    error, pace = statistics.fmean(one.error for one in sums), statistics.fmean(one.pace for one in sums)
    is_better = error < CLEARLY * pace
    print(f"\nForecasts of sums are {'clearly' if is_better else 'NOT clearly'} better than the pace so far.")
    return 0 if is_better else 1


if __name__ == "__main__":
    sys.exit(main())
