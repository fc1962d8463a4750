"""Holds in the process what was let pass while Redis was away, until it is taken to be counted, once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from usage.metering.charges import Packed
from usage.metering.links import Link
from usage.metering.types import CountsUnavailable

MOST = 50_000  # different things held: tenant, metric, label and member
MOST_DOUBTFUL = 5_000

Thing = tuple[int, str, str, str, str | None]  # tenant id, op, metric, label, member


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A call that Redis may or may not have executed: only its own link, under its number, may repeat it."""

    tenant_id: int
    link: Link
    packed: Sequence[Packed]


class Held:
    """What this process let pass uncounted. Who takes something counts it, or puts it back."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Hold nothing: a new process, or a forked one, whose parent counts what was held before."""
        self._lock = threading.Lock()
        self._things: dict[Thing, Packed] = {}
        self._doubtful: list[Doubtful] = []
        self._taken = 0

    def __len__(self) -> int:
        """How much waits, and what is being counted just now."""
        return len(self._things) + len(self._doubtful) + self._taken

    def keep(self, tenant_id: int, packed: Sequence[Packed]) -> None:
        """Hold charges that were not executed. Raises CountsUnavailable when there is no room for more."""
        with self._lock:
            if len(self._things) + len(packed) > MOST:
                raise CountsUnavailable(
                    f"{MOST} things wait to be counted already; nothing more can be held."
                )
            self._add(tenant_id, packed)

    def keep_doubtful(self, doubt: Doubtful) -> None:
        """Hold a call of unknown fate. Raises CountsUnavailable when there is no room for more."""
        with self._lock:
            if len(self._doubtful) >= MOST_DOUBTFUL:
                raise CountsUnavailable(
                    f"{MOST_DOUBTFUL} calls of unknown fate wait; nothing more can be held."
                )
            self._doubtful.append(doubt)

    def take_doubtful(self) -> Doubtful | None:
        """One call of unknown fate."""
        with self._lock:
            self._taken = min(1, len(self._doubtful))
            return self._doubtful.pop() if self._doubtful else None

    def take_tenant(self, most: int) -> tuple[int, list[Packed]] | None:
        """Up to `most` charges of one tenant."""
        with self._lock:
            self._taken = 0
            if not self._things:
                return None
            tenant_id = next(iter(self._things))[0]
            theirs = list(islice((thing for thing in self._things if thing[0] == tenant_id), most))
            self._taken = len(theirs)
            return tenant_id, [self._things.pop(thing) for thing in theirs]

    def put_back(self, tenant_id: int, packed: Sequence[Packed]) -> None:
        """Hold again what could not be counted; for this there is always room."""
        with self._lock:
            self._taken = 0
            if not any(one.op == "m" for one in packed):
                self._add(tenant_id, packed)
                return
            # What moved a level since must come after the measurement again.
            since, self._things = self._things, {}
            self._add(tenant_id, packed)
            for thing, one in since.items():
                self._add(thing[0], [one])

    def put_back_doubtful(self, doubt: Doubtful) -> None:
        """Hold a call again whose fate is unknown still, or has just become so."""
        with self._lock:
            self._taken = 0
            self._doubtful.append(doubt)

    def settle(self) -> None:
        """What was taken is counted."""
        self._taken = 0

    def _add(self, tenant_id: int, packed: Iterable[Packed]) -> None:
        for one in packed:
            charge = one.charge
            measured = self._things.get((tenant_id, "m", charge.metric, "", None))
            if one.op == "l" and measured:  # it moves what was measured before it
                one = measured.of(max(0, measured.charge.amount + charge.amount))
            thing = (tenant_id, one.op, charge.metric, one.charge.label, charge.member)
            before = self._things.get(thing)
            # A measured level replaces the one before; a member is held once; everything else adds up.
            is_sum = before and one.op in "sl"
            self._things[thing] = one.of(before.charge.amount + charge.amount) if before and is_sum else one
