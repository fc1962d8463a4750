"""Holds in the process what was let pass while Redis was away, and counts it, once, when Redis is back."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from usage.metering.charges import Packed
from usage.metering.links import Link
from usage.metering.types import CountsUnavailable

logger = logging.getLogger(__name__)

MOST = 50_000  # different things held: tenant, metric, label and member
MOST_DOUBTFUL = 5_000
PAUSE = 0.5  # seconds between looks whether Redis is back
LAST = 2.0  # seconds a process that ends tries to hand over what it holds

Thing = tuple[int, str, str, str, str | None]  # tenant id, op, metric, label, member


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A call that Redis may or may not have executed: only its own link, under its number, may repeat it."""

    tenant_id: int
    link: Link
    packed: Sequence[Packed]


class Held:
    """What this process let pass uncounted. `replay` takes one thing at a time and must count it once."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Hold nothing: a new process, or a forked one, whose parent counts what was held before."""
        self._lock = threading.Lock()
        self._things: dict[Thing, tuple[Packed, int]] = {}
        self._doubtful: list[Doubtful] = []
        self._replay: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def __len__(self) -> int:
        return len(self._things) + len(self._doubtful)

    def keep(self, tenant_id: int, packed: Sequence[Packed], replay: Callable[[], None]) -> None:
        """Hold charges that were not executed. Raises CountsUnavailable when there is no room for more."""
        with self._lock:
            if len(self._things) + len(packed) > MOST:
                raise CountsUnavailable(
                    f"{MOST} things wait to be counted already; nothing more can be held."
                )
            for one in packed:
                thing = (tenant_id, one.op, one.charge.metric, one.charge.label, one.charge.member)
                before = self._things.get(thing, (one, 0))[1]
                # A measured level replaces the one before; a member is held once; everything else adds up.
                amount = one.charge.amount if one.op in "md" else before + one.charge.amount
                self._things[thing] = (one, amount)
        self._start(replay)

    def keep_doubtful(self, doubt: Doubtful, replay: Callable[[], None]) -> None:
        """Hold a call of unknown fate. Raises CountsUnavailable when there is no room for more."""
        with self._lock:
            if len(self._doubtful) >= MOST_DOUBTFUL:
                raise CountsUnavailable(
                    f"{MOST_DOUBTFUL} calls of unknown fate wait; nothing more can be held."
                )
            self._doubtful.append(doubt)
        self._start(replay)

    def take_doubtful(self) -> Doubtful | None:
        """One call of unknown fate, no longer held."""
        with self._lock:
            return self._doubtful.pop() if self._doubtful else None

    def take_tenant(self, most: int) -> tuple[int, list[Packed]] | None:
        """Up to `most` charges of one tenant, no longer held."""
        with self._lock:
            if not self._things:
                return None
            tenant_id = next(iter(self._things))[0]
            theirs = [thing for thing in self._things if thing[0] == tenant_id][:most]
            return tenant_id, [one.of(amount) for one, amount in map(self._things.pop, theirs)]

    def _start(self, replay: Callable[[], None]) -> None:
        with self._lock:
            if self._thread is None:
                self._replay = replay
                self._thread = threading.Thread(target=self._run, name="held counts", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Hand over until nothing is left; the next thing held starts a thread anew."""
        while True:
            self._ends.wait(PAUSE)
            assert self._replay is not None  # set before the thread is started
            try:
                self._replay()
            except Exception:  # the thread must outlive any surprise, or what is held is lost
                logger.exception("What is held could not be counted; trying again")
            with self._lock:
                if not self or self._ends.is_set():
                    self._thread = None
                    return

    def hand_over(self) -> None:
        """At the end of the process: one more try, then what is left is lost and said."""
        thread = self._thread
        self._ends.set()
        if thread:
            thread.join(LAST)
        if self:
            logger.error("%d things that were let pass while Redis was away were never counted", len(self))


held = Held()
os.register_at_fork(after_in_child=held.begin)
atexit.register(held.hand_over)
