"""Names the state of a page, so that a poll that would change nothing is answered with 204."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from usage.reports.meters import Meter

DELAYED = "-delayed"


def version_of(meters: Sequence[Meter], *facts: Any) -> str:
    """A short name of everything the meters show and of `facts`, whose `repr` must not hold the time."""
    shown = [
        (
            meter.metric.code,
            meter.metric.name,
            meter.used,
            meter.size,
            meter.limit.included,
            meter.look,
            meter.cap_stop,
            meter.enforcement,
            meter.when,
            meter.when_note,
            meter.expected_percent,
            meter.trend,
        )
        for meter in meters
    ]
    return sha256(repr((shown, facts)).encode()).hexdigest()[:16]


def marked(version: str, *, is_delayed: bool) -> str:
    """The version with whether its page says that counts are delayed."""
    return f"{version}{DELAYED}" if is_delayed else version


def is_delay_news(seen: str, *, is_delayed: bool) -> bool:
    """Whether counts are delayed now and were not in the version last seen, or the other way round."""
    return seen.endswith(DELAYED) != is_delayed
