"""How counting and telling do right now, in numbers: what /metrics says, and the gauges of the health page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from billing.models import EntitlementChange
from usage import heartbeats
from usage.metering import Signs, vital_signs
from usage.metering.tally import BOUNDS
from usage.models import Delivery, Heartbeat

OUTAGE_SAID = timedelta(seconds=15)  # a process that has said nothing for so long has ended
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Vitals:
    """Ages in seconds; None where nobody knows: no flush yet, or Redis (`signs`) is away."""

    at: datetime
    signs: Signs | None
    beats: Mapping[str, Heartbeat]
    lag: float | None
    change_age: float
    queue_age: float
    due: int
    waiting: int
    held: int
    open_breakers: int

    @property
    def dirty_hours(self) -> int | None:
        return self.signs.dirty_hours if self.signs else None

    def is_new(self, seconds: float) -> bool:
        """Whether the processes began so short a time ago that one may still be silent."""
        started = self.beats.get(heartbeats.STARTED)
        return started is not None and _age(started.at, self.at) <= seconds

    def has_spoken(self, name: str) -> bool:
        """Whether there is a sign of life under this name since the processes began."""
        beat, started = self.beats.get(name), self.beats.get(heartbeats.STARTED)
        return beat is not None and (started is None or beat.at >= started.at)

    @property
    def buckets(self) -> list[int]:
        """Checks by how long they took: up to each of BOUNDS, and longer."""
        tallies = self.signs.tallies if self.signs else {}
        return [tallies.get(f"le:{number}", 0) for number in range(len(BOUNDS) + 1)]


def vitals(at: datetime) -> Vitals:
    """Reads both servers: two round trips and three queries."""
    beats = {beat.name: beat for beat in Heartbeat.objects.all()}
    flush = beats.get(heartbeats.FLUSH)
    oldest = EntitlementChange.objects.waiting().aggregate(at=Min("at"))["at"]
    queue = Delivery.objects.filter(status=Delivery.Status.WAITING).aggregate(
        oldest=Min("due_at", filter=Q(due_at__lte=at)),
        due=Count("pk", filter=Q(due_at__lte=at)),
        waiting=Count("pk", filter=Q(due_at__gt=at)),
    )
    outages = [
        beat.detail
        for name, beat in beats.items()
        if name.startswith(heartbeats.OUTAGE) and at - beat.at < OUTAGE_SAID
    ]
    return Vitals(
        at=at,
        signs=vital_signs(),
        beats=beats,
        lag=None if flush is None else _age(flush.at, at),
        change_age=_age(oldest, at),
        queue_age=_age(queue["oldest"], at),
        due=queue["due"],
        waiting=queue["waiting"],
        held=sum(detail["held"] for detail in outages),
        open_breakers=sum(detail["is_open"] for detail in outages),
    )


def deliveries_of_a_day(at: datetime) -> list[tuple[str, str, int]]:
    """Channel, status and how many of the deliveries of the last 24 hours."""
    rows = Delivery.objects.filter(created_at__gt=at - DAY).order_by("channel", "status")
    return list(rows.values_list("channel", "status").annotate(count=Count("pk")))


def quantile(buckets: list[int], share: float) -> float | None:
    """Seconds that so large a share of the checks took at most, as far as the buckets tell; None of no checks.

    Of what lies beyond the last bound nothing more is known than that bound.
    """
    wanted, seen = sum(buckets) * share, 0
    for bound, count in zip((*BOUNDS, BOUNDS[-1]), buckets, strict=True):
        seen += count
        if count and seen >= wanted:
            return bound
    return None


def _age(then: datetime | None, at: datetime) -> float:
    return 0.0 if then is None else max(0.0, (at - then).total_seconds())
