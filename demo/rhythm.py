"""How use is spread over hours: days and nights, weekends, growth and chance; whole numbers that sum exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate, pairwise

SEED = "headroom demo 1"
# Weight of each hour of the day, UTC.
OFFICE = (3, 2, 2, 2, 4, 9, 22, 45, 78, 95, 100, 96, 82, 90, 99, 97, 85, 64, 42, 27, 18, 12, 8, 5)
CLOCK = (52, 47, 44, 43, 46, 54, 63, 74, 86, 94, 99, 100, 96, 97, 99, 98, 94, 90, 87, 84, 79, 73, 66, 58)
WEEK = (100, 106, 109, 104, 92, 24, 19)
WEEK_CLOCK = (100, 102, 103, 103, 104, 84, 80)
GROWTH_PER_MILLE = 6  # a day, of the first day's use


def dice(*about: object) -> random.Random:
    """Chance that falls the same way each time for the same things."""
    return random.Random(":".join(map(str, (SEED, *about))))  # noqa: S311 nothing secret hangs on it


def weights(hours: Sequence[datetime], chance: random.Random, *, never_sleeps: bool) -> list[int]:
    """How busy each hour is against the others; never all zero."""
    day, week = (CLOCK, WEEK_CLOCK) if never_sleeps else (OFFICE, WEEK)
    found = []
    for number, hour in enumerate(hours):
        growth = 1000 + number // 24 * GROWTH_PER_MILLE
        found.append(day[hour.hour] * week[hour.weekday()] * growth * chance.randint(70, 130) // 1000)
    return found


def fading(hours: Sequence[datetime], chance: random.Random, *, half_life: int) -> list[int]:
    """Weights by day that halve every `half_life` hours: how soon regular visitors show up in a period."""
    return [
        max(1, OFFICE[hour.hour] * WEEK[hour.weekday()] * chance.randint(50, 150) >> (number // half_life))
        for number, hour in enumerate(hours)
    ]


def spread(total: int, weighted: Sequence[int]) -> list[int]:
    """`total` in parts as the weights are; the parts sum to it exactly."""
    whole = sum(weighted)
    ends = [total * reached // whole for reached in accumulate(weighted)]
    return [end - start for start, end in pairwise([0, *ends])]
