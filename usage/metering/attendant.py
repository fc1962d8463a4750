"""A thread beside the requests that does what must be done until nothing is left; there is none in quiet times."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds before each try
LAST_PAUSE = 0.05  # the same while the process ends


class Attendant:
    """Runs `work` until it returns True: nothing is left to do. `call` starts it again."""

    def __init__(self, name: str, work: Callable[[], bool], pause: float = PAUSE) -> None:
        self._name = name
        self._work = work
        self._pause = pause
        self.begin()

    def begin(self) -> None:
        """No thread yet: a new process, or a forked one, which has none of its parent's."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_called = False
        self._ends = threading.Event()

    def call(self) -> None:
        """See that the work is done at least once from now on."""
        if self._is_called and self._thread:
            return  # it has not begun yet, and will
        with self._lock:
            self._is_called = True
            if self._thread is None and not self._ends.is_set():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def finish(self, seconds: float) -> None:
        """The process ends: do what can still be done in so many seconds, without pauses that cost it a chance."""
        until = time.monotonic() + seconds
        with self._lock:
            self._ends.set()
            thread = self._thread
        if thread:
            thread.join(seconds)
        while not (thread and thread.is_alive()) and not self._try() and time.monotonic() < until:
            time.sleep(LAST_PAUSE)

    def _run(self) -> None:
        while not self._ends.wait(self._pause):
            self._is_called = False
            is_done = self._try()
            with self._lock:
                if is_done and not self._is_called:  # who called meanwhile may have left something to do
                    self._thread = None
                    return

    def _try(self) -> bool:
        try:
            return self._work()
        except Exception:  # the thread must outlive any surprise, or what is held is lost
            logger.exception("What was left of an outage could not be done; trying again")
            return False
