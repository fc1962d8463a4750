"""Remembers in the process what was read from PostgreSQL a moment ago, for longer while that is away."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError

logger = logging.getLogger(__name__)

FRESH = timedelta(seconds=5)
STALE = timedelta(minutes=10)
PAUSE = timedelta(seconds=1)
YOUNGEST = timedelta()
READERS = 2  # at once, where what is remembered will do: a server that hangs must not hold every thread

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A bounded map from keys to values read with the time they were read at; the longest unused goes first.

    Only what was found is kept, so that guesses can't drive out what is in use. Values are shared between
    threads: read them, don't change them.
    """

    def __init__(self, read: Callable[[K], V | None], size: int) -> None:
        self._read = read
        self._size = size
        self._lock = Lock()
        self._entries: OrderedDict[K, tuple[V, datetime]] = OrderedDict()
        self._away_until: datetime | None = None
        self._readers = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, at: datetime) -> V | None:
        """The value, at most 5 s old, or ten minutes while PostgreSQL does not answer or is slow; None where none is.

        Raises OperationalError or InterfaceError when PostgreSQL does not answer and nothing is remembered.
        """
        known = self._entries.get(key)
        if known and _age(known, at) < FRESH:
            self._touch(key)
            return known[0]
        return self._refresh(key, at, known)

    def forget(self, key: K | None = None) -> None:
        """Read `key`, or everything, anew next time."""
        with self._lock:
            if key is None:
                self._entries.clear()
                self._away_until = None
            else:
                self._entries.pop(key, None)

    def _refresh(self, key: K, at: datetime, known: tuple[V, datetime] | None) -> V | None:
        if known and _age(known, at) < STALE and self._readers >= READERS:
            return known[0]
        try:
            value = self._ask(key, at)
        except (OperationalError, InterfaceError) as error:
            if known is None or _age(known, at) >= STALE:
                raise
            logger.warning("PostgreSQL does not answer; going on with what is remembered: %s", error)
            return known[0]
        self._keep(key, value, at)
        return value

    def _ask(self, key: K, at: datetime) -> V | None:
        """Read from PostgreSQL; while it is away one reader a second tries, and nobody else waits for it."""
        if self._away_until is not None and at < self._away_until:
            raise OperationalError("PostgreSQL did not answer a moment ago.")
        if self._away_until is not None:
            self._away_until = at + PAUSE
        with self._lock:
            self._readers += 1
        try:
            value = self._read(key)
        except (OperationalError, InterfaceError):
            self._away_until = at + PAUSE
            raise
        finally:
            with self._lock:
                self._readers -= 1
        self._away_until = None
        return value

    def _keep(self, key: K, value: V | None, at: datetime) -> None:
        with self._lock:
            if value is None:
                self._entries.pop(key, None)
                return
            self._entries[key] = (value, at)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def _touch(self, key: K) -> None:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)


def _age(entry: tuple[object, datetime], at: datetime) -> timedelta:
    """How old an entry is; one from the future (a clock was set back) is as old as can be remembered."""
    age = at - entry[1]
    return age if age >= YOUNGEST else FRESH
