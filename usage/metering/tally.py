"""Counts this process's decisions for /metrics and adds them to Redis every few seconds, so that all sum up there."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from django.conf import settings
from redis.exceptions import RedisError

from usage.metering.attendant import Attendant
from usage.metering.charges import Packed
from usage.metering.links import opener
from usage.metering.types import Decision, Refusal

logger = logging.getLogger(__name__)

KEY = "hr:metrics"
MOST = 1_000  # noted before they are counted
BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25)  # seconds, upper ends of the buckets
ALLOWED, REFUSED, UNCOUNTED, UNAVAILABLE = "allowed", "refused", "uncounted", "unavailable"

Counts = dict[str, int]


class Tally:
    """What was decided since it was last reported. A decision is only noted: counting it is not for the request."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nothing yet: a new process, or a forked one, whose parent reports its own."""
        self._lock = threading.Lock()
        self._noted: deque[tuple[str, Sequence[Packed], Refusal | None, float]] = deque()
        self._clear()

    def _clear(self) -> None:
        self._decisions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def note(
        self, outcome: str, packed: Sequence[Packed], seconds: float, refused: Refusal | None = None
    ) -> None:
        """A decision of `outcome` about these charges took so long; a refusal counts under its metric alone."""
        self._noted.append((outcome, packed, refused, seconds))
        if len(self._noted) >= MOST:
            with self._lock:
                self._count()

    def _count(self) -> None:
        """Count what was noted, one by one: others go on noting."""
        while self._noted:
            outcome, packed, refused, seconds = self._noted.popleft()
            for charge in [refused.charge] if refused else [one.charge for one in packed]:
                self._decisions[outcome, charge.metric] += 1
            self._buckets[bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds

    def take(self) -> Counts:
        """Fields of the hash in Redis with what to add to each; no longer held."""
        with self._lock:
            self._count()
            decisions, buckets, seconds = self._decisions, self._buckets, self._seconds
            self._clear()
        counts = {f"{outcome}:{metric}": count for (outcome, metric), count in decisions.items()}
        counts |= {f"le:{number}": count for number, count in enumerate(buckets) if count}
        return counts | {"microseconds": int(seconds * 1_000_000)} if counts else {}

    def put_back(self, counts: Mapping[str, int]) -> None:
        """What could not be reported."""
        with self._lock:
            for name, count in counts.items():
                kind, _, rest = name.partition(":")
                if kind == "microseconds":
                    self._seconds += count / 1_000_000
                elif kind == "le":
                    self._buckets[int(rest)] += count
                else:
                    self._decisions[kind, rest] += count


def outcome_of(decision: Decision) -> str:
    """The word for a decision that was made."""
    if decision.refused:
        return REFUSED
    return ALLOWED if decision.is_counted else UNCOUNTED


def report() -> bool:
    """Add what was tallied to the sums in Redis; while that is away it waits. True when done.

    Where only the reply was lost it is added twice: metrics bill nobody.
    """
    counts = tally.take()
    if not counts:
        return True
    pipe = opener().pipeline(transaction=True)
    for name, count in counts.items():
        pipe.hincrby(KEY, name, count)
    try:
        pipe.execute()
    except RedisError as error:
        tally.put_back(counts)
        logger.debug("Decisions could not be reported: %s", error)
        return False
    return True


tally = Tally()
reporter = Attendant("reporter", report, pause=max(1, settings.HEADROOM_REPORT_SECONDS))
