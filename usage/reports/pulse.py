"""The last hour of the vital signs, a value a minute: taken every ten seconds, the worst of each minute kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from usage import heartbeats
from usage.models import Heartbeat
from usage.reports.vitals import Vitals, quantile, vitals

MINUTES = 60
P99 = 0.99

Values = dict[str, float]


def take_pulse(at: datetime) -> int:
    """Add the vital signs to the last hour; returns how many minutes that has."""
    read = vitals(at)
    before: Mapping[str, Any] = read.beats[heartbeats.PULSE].detail if heartbeats.PULSE in read.beats else {}
    values = values_of(read, before.get("buckets", []))
    name = _minute(at)
    minutes: dict[str, Values] = before.get("minutes", {})
    kept = {
        minute: found
        for minute, found in minutes.items()
        if minute > _minute(at - timedelta(minutes=MINUTES))
    }
    earlier = kept.get(name, {})
    kept[name] = {**earlier, **{key: max(value, earlier.get(key, 0.0)) for key, value in values.items()}}
    detail = {"minutes": kept, "buckets": read.buckets if read.signs else before.get("buckets", [])}
    Heartbeat.objects.note(heartbeats.PULSE, at, detail)
    return len(kept)


def values_of(read: Vitals, buckets_before: list[int]) -> Values:
    """The gauges as numbers; what nobody knows is left out. Checks count from when `buckets_before` was read."""
    values: dict[str, float | None] = {
        "lag": read.lag,
        "dirty": read.dirty_hours,
        "change": read.change_age,
        "queue": read.queue_age,
        "p99": _p99(read, buckets_before),
        "held": read.held,
    }
    return {key: float(value) for key, value in values.items() if value is not None}


def last_hour(read: Vitals) -> dict[str, list[float]]:
    """For each gauge its value in each of the last 60 minutes, oldest first; 0 where nothing was taken."""
    pulse = read.beats.get(heartbeats.PULSE)
    minutes: Mapping[str, Values] = pulse.detail["minutes"] if pulse else {}
    names = [_minute(read.at - timedelta(minutes=back)) for back in range(MINUTES - 1, -1, -1)]
    keys = {key for values in minutes.values() for key in values}
    return {key: [minutes.get(name, {}).get(key, 0.0) for name in names] for key in keys}


def buckets_before(read: Vitals) -> list[int]:
    """What the checks' buckets held when the pulse was last taken."""
    pulse = read.beats.get(heartbeats.PULSE)
    return list(pulse.detail.get("buckets", [])) if pulse else []


def checks_since(read: Vitals, before: list[int]) -> int:
    """How many checks were made since `before`; all where Redis began anew meanwhile."""
    return sum(_since(read, before))


def _p99(read: Vitals, before: list[int]) -> float | None:
    """Of the checks since `before`; of all where Redis began anew meanwhile, 0 of none."""
    if read.signs is None:
        return None
    return quantile(_since(read, before), P99) or 0.0


def _since(read: Vitals, before: list[int]) -> list[int]:
    now = read.buckets
    since = [new - old for new, old in zip(now, before, strict=True)] if len(before) == len(now) else now
    return now if min(since) < 0 else since


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"
