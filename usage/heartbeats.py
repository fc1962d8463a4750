"""Signs of life: each chore leaves when it ran and what came of it; /readyz, banner and health page read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from usage.models import Heartbeat

FLUSH = "flush"
RECONCILE = "reconcile"
PULSE = "pulse"
STARTED = "started"  # when beat began, and with it all that it rings for
OUTAGE = "outage "  # and the process: see usage.metering.outage
PAUSE = 0.9  # seconds in which a process writes the same sign of life once

Chore = Callable[[datetime], int]

_written: dict[str, float] = {}


def beats(chore: Chore) -> Chore:
    """Let a chore leave a sign of life under its own name whenever it has done its work."""

    @wraps(chore)
    def run(at: datetime) -> int:
        begun = time.perf_counter()
        count = chore(at)
        beat(chore.__name__, at, {"count": count, "ms": round((time.perf_counter() - begun) * 1000)})
        return count

    return run


def beat(name: str, at: datetime, detail: dict[str, Any] | None = None) -> None:
    """Write a sign of life; one of a moment ago will do, so that none costs more than a write a second."""
    now = time.monotonic()
    if now - _written.get(name, -PAUSE) >= PAUSE:
        Heartbeat.objects.note(name, at, detail or {})
        _written[name] = now


def end(name: str) -> None:
    """There is nothing more to be said of what this process has told."""
    if _written.pop(name, None) is not None:
        Heartbeat.objects.filter(pk=name).delete()


def forget() -> None:
    """Write every sign of life at once the next time."""
    _written.clear()


def counted_to() -> datetime | None:
    """All that was counted before this time is in PostgreSQL; None where nothing ever was flushed."""
    return Heartbeat.objects.filter(pk=FLUSH).values_list("at", flat=True).first()


def lag(at: datetime) -> timedelta | None:
    """How far PostgreSQL is behind; None where nothing ever was flushed."""
    last = counted_to()
    return None if last is None else max(at - last, timedelta())
