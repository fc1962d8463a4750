"""Whether counts come late, and until when they are surely complete: what the banner of every page says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage import heartbeats, metering

LATE = timedelta(seconds=10)  # without a flush
REMEMBERED = 1.0  # seconds: polls of many readers ask once

_known: tuple[float, datetime | None] | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Counts are late: what was counted before `sure_at` is in PostgreSQL; None where nobody knows."""

    sure_at: datetime | None


def delay(at: datetime) -> Delay | None:
    """None while the flush keeps up and Redis answers this process; a query a second at most."""
    last = _counted_to()
    if metering.is_delayed() or (last is not None and at - last > LATE):
        return Delay(last)
    return None


def forget() -> None:
    """Ask PostgreSQL at once the next time."""
    global _known
    _known = None


def _counted_to() -> datetime | None:
    global _known
    now = time.monotonic()
    if _known is None or now - _known[0] > REMEMBERED:
        _known = now, heartbeats.counted_to()
    return _known[1]
