"""Stops asking a Redis that does not answer: opens on the rate of failures, closes when a probe was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WINDOW = 1.0  # seconds over which failures are weighed
LEAST = 3  # failures before their rate says anything
RATE = 0.5


class Breaker:
    """Closed while most calls are answered. Open, no request asks: what probes runs beside them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Know nothing: a new process, or a forked one, whose copy of the lock may be held for ever."""
        self._lock = threading.Lock()
        self.is_open = False
        self.is_failing = False  # whether the last call was not answered
        self._weigh_from(self._clock())

    def answered(self) -> None:
        """A call was answered."""
        self.is_failing = False
        if self.is_open:
            with self._lock:
                self.is_open = False
                self._weigh_from(self._clock())
        else:
            self._good += 1  # a lost increment between threads does not matter

    def failed(self) -> None:
        """A call was not answered in time."""
        self.is_failing = True
        with self._lock:
            now = self._clock()
            if now - self._since > WINDOW:
                self._weigh_from(now)
            self._bad += 1
            if self._bad >= LEAST and self._bad >= RATE * (self._good + self._bad):
                self.is_open = True

    def _weigh_from(self, now: float) -> None:
        self._since, self._good, self._bad = now, 0, 0
