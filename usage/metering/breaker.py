"""Stops asking a Redis that does not answer: opens on the rate of failures, lets one call a second try."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WINDOW = 1.0  # seconds over which failures are weighed
LEAST = 3  # failures before their rate says anything
RATE = 0.5
PROBE = 0.5  # seconds between tries while open


class Breaker:
    """Closed while most calls are answered. Open, only one call each half second goes through, to see."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = clock()
        self._good = self._bad = 0
        self._probe_at = 0.0
        self.is_open = False
        self.is_failing = False  # whether the last call was not answered

    def lets_through(self) -> bool:
        """Whether this call may go to Redis; whoever gets True must report how it went."""
        if not self.is_open:
            return True
        with self._lock:
            now = self._clock()
            if not self.is_open or now < self._probe_at:
                return not self.is_open
            self._probe_at = now + PROBE
            return True

    def answered(self) -> None:
        """A call was answered."""
        self.is_failing = False
        if self.is_open:
            with self._lock:
                self.is_open = False
                self._begin(self._clock())
        else:
            self._good += 1  # a lost increment between threads does not matter

    def failed(self) -> None:
        """A call was not answered in time."""
        self.is_failing = True
        with self._lock:
            now = self._clock()
            if now - self._since > WINDOW:
                self._begin(now)
            self._bad += 1
            if self._bad >= LEAST and self._bad >= RATE * (self._good + self._bad):
                self.is_open = True
                self._probe_at = now + PROBE

    def _begin(self, now: float) -> None:
        self._since, self._good, self._bad = now, 0, 0
