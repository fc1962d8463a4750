"""The faults of clocks: workers five minutes off, while a month ends by Redis' clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.chaos.balance import Leave
from tests.chaos.clocks import AHEAD
from tests.chaos.load import ask
from tests.chaos.rounds import Fault, Round
from tests.chaos.servers import eventually
from tests.chaos.world import World
from tests.usage.mailserver import free_port

OFF = 300  # seconds
LEFT = 10  # seconds of the month when its end is brought near
CLOCKED = {"CHAOS_REDIS_CLOCK": "1"}


@contextmanager
def near_the_end_of_a_month(world: World) -> Iterator[list[int]]:
    """Web servers five minutes behind and ahead of Redis' clock, which is seconds before a month's end; their ports.

    The flusher goes by that clock too. Afterwards it is today again.
    """
    fleet, ports = world.fleet, [free_port(), free_port()]
    ahead = _until_next_month()
    for port, name, off in zip(ports, ("late", "early"), (-OFF, OFF), strict=True):
        fleet.start_web(port, name, CHAOS_CLOCK=str(ahead + off), GRANIAN_WORKERS="1", **CLOCKED)
    fleet.kill("flusher")
    fleet.start("flusher", CHAOS_CLOCK=str(ahead + OFF), **CLOCKED)
    for port in ports:
        eventually(lambda port=port: ask(port, "GET", "/healthz", b"", {})[0] == 200, "its server answers")  # type: ignore[misc]
    with world.servers.ask_redis() as server:
        server.set(AHEAD, _until_next_month() - LEFT)
    try:
        yield ports
    finally:
        fleet.kill("late", "early", "flusher")
        with world.servers.ask_redis() as server, world.servers.sql() as books:
            server.delete(AHEAD)
            books.execute("DELETE FROM usage_heartbeat WHERE name = 'flush'")  # of a time to come
        world.start("flusher")


def month_ends(on: Round) -> Leave:
    """The month ends for Redis; what was counted before belongs to it, and what comes after to the next."""
    with on.world.servers.ask_redis() as server:
        ahead = int(server.get(AHEAD) or 0)
    ends = _next_month().timestamp() - ahead
    time.sleep(max(0.0, ends - time.time()))
    return Leave(month_ends=ends)


def _next_month() -> datetime:
    now = datetime.now(UTC)
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def _until_next_month() -> int:
    return int((_next_month() - datetime.now(UTC)).total_seconds())


FAULTS: Sequence[Fault] = [
    Fault("clocks off while a month ends", month_ends, only_calls=True, around=near_the_end_of_a_month),
]
