"""Connections to Redis: held ones with a number for each call, so that no call is ever counted twice."""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any, Self

import redis
from django.conf import settings
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.retry import Retry

from usage.metering.scripts import Script
from usage.metering.sockets import Line, NotConnected, bulks

# After these Redis has certainly not executed the command.
NOT_EXECUTED = (BusyLoadingError, ClusterError, MasterDownError, NoScriptError, ReadOnlyError, TryAgainError)
LIFE_SECONDS = 1.0
MOST = 1_000_000  # connections a process makes in its life


class Unanswered(RedisError):
    """No answer within the deadline. `is_executed` is false where Redis certainly did not execute the call."""

    def __init__(self, reason: str, *, is_executed: bool) -> None:
        super().__init__(reason)
        self.is_executed = is_executed


class Lost(Unanswered):
    """Redis answers, but no longer knows whether it executed the call: repeating it could count it twice."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_executed=True)


class Link(Line):
    """One held connection. It is an actor: its calls carry a rising number, a resend carries the same one.

    A context for the one thread that has it: it goes back to `links` at the end.
    """

    def __init__(self, connection: Any, links: Links | None = None) -> None:
        super().__init__(connection)
        self.actor = secrets.token_hex(8)
        self.number = 0
        self._home = (
            weakref.ref(links) if links else None
        )  # not a cycle: its socket closes with its last user
        self._life = b""
        self._life_read = 0.0
        self._stamps: dict[str, bytes] = {}
        self._stamped = b""
        self._first_sent: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A call of unknown fate keeps its actor until it is known.
        if isinstance(error, Unanswered) and error.is_executed and not isinstance(error, Lost):
            return
        if self._home and (home := self._home()):
            home.give_back(self)

    def life(self, *, fresh: bool = False) -> bytes:
        """Which life of which Redis this connection speaks to; read again once a second, and after a cut."""
        is_known = self._life and self.is_connected
        if fresh or not is_known or time.monotonic() - self._life_read > LIFE_SECONDS:
            server, replication = self.ask(b"INFO", b"server"), self.ask(b"INFO", b"replication")
            self._life = _field(server, b"run_id") + b"." + _field(replication, b"master_replid")
            self._life_read = time.monotonic()
        return self._life

    def stamp(self, caller: str) -> bytes:
        """Who asks and which life of Redis it means, packed: the key `caller` with the actor, the life."""
        life = self.life()
        if life != self._stamped:
            self._stamps.clear()
            self._stamped = life
        stamp = self._stamps.get(caller)
        if stamp is None:
            stamp = self._stamps[caller] = bulks(caller + self.actor, life)
        return stamp

    @property
    def age(self) -> int:
        """Microseconds that reach back before the running call was first sent; 0 where it can't have been executed."""
        if self._first_sent is None:
            return 0
        # What is sent now arrives within the deadline, or nobody waits for it any more.
        return round((time.monotonic() - self._first_sent + settings.HEADROOM_REDIS_DEADLINE) * 1_000_000)

    def call(self, script: Script, command: Callable[[], bytes]) -> tuple[bytes, bool]:
        """Run a script under the next number; `command` packs the call of it, anew for each attempt.

        Returns the reply and whether it took a resend of what may have been executed. Raises Unanswered after
        HEADROOM_REDIS_DEADLINE seconds.
        """
        self.number += 1
        self._first_sent = None
        return self.repeat(script, command)

    def repeat(self, script: Script, command: Callable[[], bytes]) -> tuple[bytes, bool]:
        """Run the last call once more under its number, as `call` does."""
        started, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            try:
                return self._attempt(script, command), self._first_sent is not None
            except RedisError as error:
                if isinstance(error, redis.ResponseError) and not isinstance(error, NOT_EXECUTED):
                    raise
                if attempts >= 3 or time.monotonic() > started + settings.HEADROOM_REDIS_DEADLINE:
                    raise Unanswered(str(error), is_executed=self._first_sent is not None) from error

    def _attempt(self, script: Script, command: Callable[[], bytes]) -> bytes:
        """Send the call once; notes when, unless it certainly was not executed."""
        packed = command()  # may ask for the life, which counts nothing
        sent = time.monotonic()
        try:
            reply: bytes = self.exchange(packed)
        except (*NOT_EXECUTED, NotConnected) as error:
            if isinstance(error, NoScriptError):
                self.ask(b"SCRIPT", b"LOAD", script.text)
            else:
                self.disconnect()  # the next attempt looks for the new primary
            raise
        except RedisError:
            self._first_sent = self._first_sent or sent
            raise
        return reply

    def ask(self, *command: Any) -> Any:
        """Send one command and wait for its reply. Raises RedisError."""
        return self.exchange(pack_command(command))


def _field(info: bytes, name: bytes) -> bytes:
    for line in info.splitlines():
        if line.startswith(name + b":"):
            return line.partition(b":")[2].strip()[:16]
    return b"-"


class Links:
    """The process' idle connections, last used first; a forked child starts with none."""

    def __init__(self, client: redis.Redis) -> None:
        self._pool = client.connection_pool
        self._idle: list[Link] = []
        os.register_at_fork(after_in_child=self._idle.clear)

    def one(self) -> Link:
        """A connection for one thread at a time."""
        try:
            link = self._idle.pop()
        except IndexError:
            return Link(self._pool.make_connection(), self)
        link.refresh()
        return link

    def give_back(self, link: Link) -> None:
        """Let others use a connection again."""
        self._idle.append(link)

    def close(self) -> None:
        """Close the idle ones; those in use close with their last user."""
        while self._idle:
            self._idle.pop().disconnect()


def client(**options: Any) -> redis.Redis:
    """An ordinary client for pipelines of commands that may be repeated; redis-py's own retries are off."""
    # redis-py's pool makes a hundred connections in all; how many threads ask at once is for the web server to say.
    return redis.Redis.from_url(
        settings.HEADROOM_REDIS_URL, retry=Retry(NoBackoff(), 0), max_connections=MOST, **options
    )


@cache
def bulk() -> redis.Redis:
    """The client of the flush and other work that can wait seconds for an answer."""
    return client(socket_timeout=10, socket_connect_timeout=2)


@cache
def opener() -> redis.Redis:
    """The client that opens a cold account while its first request waits."""
    return client(
        socket_timeout=settings.HEADROOM_REDIS_DEADLINE,
        socket_connect_timeout=settings.HEADROOM_REDIS_DEADLINE / 3,
        protocol=2,
    )


@cache
def links() -> Links:
    """The connections that decide requests: each of three attempts gets a little less than a third of the deadline."""
    share = settings.HEADROOM_REDIS_DEADLINE * 0.3
    return Links(client(socket_timeout=share, socket_connect_timeout=share, protocol=2))


_lock = threading.Lock()


def forget() -> None:
    """Drop all connections; the next call makes new ones (after a change of address)."""
    with _lock:
        if links.cache_info().currsize:
            links().close()
        links.cache_clear()
        bulk.cache_clear()
        opener.cache_clear()
