"""A desk at which tests run the Lua scripts themselves, on any server, by a clock that they set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha1
from typing import Any, NamedTuple

import redis

from usage.metering import keys, scripts
from usage.metering.scripts import Script

NOON = int(datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp())
NEVER = 2**53
CLOCK = "test:clock"


def clocked(script: Script, *, is_ticking: bool = False) -> Script:
    """The same script, but its time is what `set_clock` wrote: a server's own clock can't be set.

    Where it ticks, each call moves it by a microsecond: no two calls of a server happen at the same time.
    """
    read = f"redis.call('HMGET', '{CLOCK}', 'second', 'micro')"
    tick = f"redis.call('HINCRBY', '{CLOCK}', 'micro', 1) and {read}"
    text = script.text.replace("redis.call('TIME')", tick if is_ticking else read)
    return Script(script.name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())


def set_clock(server: redis.Redis, second: int, micro: int = 0) -> None:
    """What clocked scripts take for the time of their server."""
    server.hset(CLOCK, mapping={"second": second, "micro": micro})


class Line(NamedTuple):
    """One charge as consume.lua takes it."""

    op: str
    metric: str
    amount: int = 1
    label: str = ""
    member: str = ""


class Books(NamedTuple):
    """One metric as open.lua takes it: what PostgreSQL knows, and its limits."""

    metric: str
    kind: str = "s"
    others: int = 0
    own: int = 0
    removed: int = 0
    refused: int = 0
    limit: int = -1
    stop: int = -1
    cap: int = -1
    burst: int = -1


class Seven(NamedTuple):
    """One charge's part of a reply."""

    used: int
    limit: int
    stop: int
    cap: int
    burst: int
    left: int
    due: int


class Answer(NamedTuple):
    """A reply of consume.lua taken apart; `rest` are the integers before the gauges."""

    status: int
    rest: tuple[int, ...]
    gauges: tuple[Seven, ...]

    @property
    def used(self) -> list[int]:
        return [gauge.used for gauge in self.gauges]


COUNTED, REFUSED, COLD, MOVED, STALE, TOO_LARGE, BEYOND = range(7)
HEADS = {COUNTED: 2, REFUSED: 5}  # integers before the gauges


def answer(reply: bytes) -> Answer:
    numbers = [int(part) for part in reply.split(b",")]
    head = HEADS.get(numbers[0], len(numbers))
    gauges = [Seven(*numbers[start : start + 7]) for start in range(head, len(numbers), 7)]
    return Answer(numbers[0], tuple(numbers[1:head]), tuple(gauges))


class Desk:
    """One tenant's counts, handled by the scripts alone."""

    def __init__(self, server: redis.Redis, tenant: int = 7) -> None:
        self.server, self.tenant = server, tenant
        self.micro, self.period = NOON * 1_000_000, date(2026, 11, 1)
        self.tick(0)

    def tick(self, seconds: float) -> None:
        """Let time pass on the server."""
        self.micro += round(seconds * 1_000_000)
        set_clock(self.server, *divmod(self.micro, 1_000_000))

    @property
    def second(self) -> int:
        return self.micro // 1_000_000

    @property
    def hour(self) -> str:
        return keys.hour_name(datetime.fromtimestamp(self.second, UTC))

    @property
    def account(self) -> str:
        return keys.account(self.tenant, self.period)

    @property
    def dirty_name(self) -> str:
        return keys.dirty_name(self.tenant, self.hour, self.period)

    def members(self, metric: str) -> str:
        return keys.members(self.tenant, metric, self.period)

    def run(self, script: Script, names: Sequence[str], *values: Any) -> Any:
        return self.server.eval(clocked(script).text, len(names), *names, *values)

    def consume(
        self,
        *lines: Line,
        number: int = 0,
        actor: str = "actor",
        life: str = "life",
        hours: int | None = None,
        age: int = 0,
        is_forced: bool = False,
    ) -> Answer:
        """One call; `hours` is the hour the caller believes in, `age` how long ago a resend was first sent."""
        names = [
            keys.tenant(self.tenant),
            self.account,
            keys.hour(self.tenant, self.hour),
            keys.dirty(self.tenant),
            keys.refusals(self.tenant),
            keys.newcomers(self.tenant),
            *(self.members(line.metric) for line in lines if line.op == "d"),
            keys.caller(self.tenant, actor),
        ]
        hours = self.second // 3600 if hours is None else hours
        digits = f"{number:016}" if number else 0
        head = [life, digits, "request", age, int(is_forced), hours, str(self.period), self.dirty_name]
        parts = [part for line in lines for part in line]
        return answer(self.run(scripts.CONSUME, names, *head, *parts))

    def open(
        self,
        *books: Books,
        life: str = "life",
        before: str = "",
        epoch: int = 1,
        until: int = NEVER,
        version: int = 1,
        plan: int = 5,
        kept: int = 100_000,
        stamp: int = 0,
    ) -> int:
        names = [
            keys.tenant(self.tenant),
            self.account,
            keys.hour(self.tenant, self.hour),
            keys.dirty(self.tenant),
            *(self.members(one.metric) for one in books if one.kind == "d"),
        ]
        head = [life, before, epoch, self.dirty_name, until, version, plan, kept, stamp]
        return int(self.run(scripts.OPEN, names, *head, *(part for one in books for part in one)))

    def rewrite(
        self, *limits: Sequence[Any], version: int, until: int = NEVER, plan: int = 5, stamp: int = 0
    ) -> int:
        """`limits`: metric, limit, stop, cap stop, burst."""
        parts = [part for one in limits for part in one]
        return int(self.run(scripts.REWRITE, [self.account], version, until, plan, stamp, *parts))

    def cap(self, stamp: int, version: int = 1, until: int = NEVER, **stops: int) -> int:
        """`stops`: cap stops by metric."""
        parts = [part for one in stops.items() for part in one]
        return int(self.run(scripts.CAP, [self.account], stamp, version, until, *parts))

    def raise_(self, *books: Books, epoch: int = 1) -> int:
        names = [keys.tenant(self.tenant), self.account]
        names += [self.members(one.metric) for one in books if one.kind == "d"]
        return int(self.run(scripts.RAISE, names, epoch, *(part for one in books for part in one[:5])))

    def collect(self, most: int = 5_000) -> list[Any]:
        """What the flush reads of the current hour: tenant, newcomers, (score, hour, account)."""
        names = [keys.tenant(self.tenant), keys.dirty(self.tenant), keys.newcomers(self.tenant)]
        names += [keys.hour(self.tenant, self.hour), self.account]
        reply: list[Any] = self.run(scripts.COLLECT, names, most, self.dirty_name)
        return reply

    def settle(self, score: bytes, *newcomers: bytes, kept: int = 7_200) -> int:
        names = [keys.dirty(self.tenant), keys.newcomers(self.tenant), keys.hour(self.tenant, self.hour)]
        return int(self.run(scripts.SETTLE, names, kept, 1, self.dirty_name, score, *newcomers))

    def hash(self, name: str) -> dict[str, str]:
        """A hash, decoded."""
        found: Any = self.server.hgetall(name)
        return {field.decode(): value.decode() for field, value in found.items()}

    def counts(self) -> dict[str, str]:
        """The current hour's counts."""
        return self.hash(keys.hour(self.tenant, self.hour))

    def everything(self, *but: str) -> dict[str, Any]:
        """All that the server holds, except the clock and keys of the kinds named in `but`."""
        server: Any = self.server
        names = [raw.decode() for raw in server.scan_iter()]
        wanted = [name for name in names if not any(f":{kind}:" in name for kind in but)]
        return {name: _content(server, name) for name in wanted if name != CLOCK}


def _content(server: Any, name: str) -> Any:
    readers = {
        b"hash": lambda: server.hgetall(name),
        b"set": lambda: server.smembers(name),
        b"list": lambda: server.lrange(name, 0, -1),
        b"zset": lambda: server.zrange(name, 0, -1, withscores=True),
        b"string": lambda: server.get(name),
    }
    return readers[server.type(name)]()
