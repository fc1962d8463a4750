"""The faults of Redis: killed, emptied, replaced by an old copy, its answers cut, what is asked of it doubled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from config.embedded.valkey import Valkey
from tests.chaos.balance import Leave, Span
from tests.chaos.rounds import Fault, Round
from tests.chaos.servers import eventually, kill

DELAYED = "Counts are delayed."


def killed(on: Round) -> Leave:
    """Redis is killed and started again with all it has written."""
    return _restart(on, cut=0)


def truncated(on: Round) -> Leave:
    """Redis is killed and started again; the end of its file is missing."""
    return _restart(on, cut=on.random.randrange(200, 20_000))


def _restart(on: Round, cut: int) -> Leave:
    world, servers = on.world, on.world.servers
    counted = world.counted_to()
    kill(servers.redis)
    died = time.time()
    eventually(lambda: DELAYED in world.page_of(on.parties[1]), "the page says that counts are delayed")
    if cut:
        _shorten(servers.redis, cut)
    servers.revive()
    world.recovered()
    return Leave(lost=[Span(counted, died)], over=[Span(died, time.time())])


def _shorten(server: Valkey, cut: int) -> None:
    """Take bytes off the end of what it has written."""
    files: list[Path] = sorted((server.folder / "appendonlydir").glob("*.incr.aof"))
    size = files[-1].stat().st_size
    with files[-1].open("r+b") as file:
        file.truncate(max(0, size - cut))


def emptied(on: Round) -> Leave:
    """FLUSHALL, once a tenant has reached its limit: the next request finds it there again."""
    world, full = on.world, on.parties[0]
    eventually(lambda: any(call.status == 429 for call in on.load.of(full)), "a limit is reached")
    world.flushed()
    counted = world.counted_to()
    with world.servers.ask_redis() as server:
        server.flushall()
    emptied_at = time.time()
    world.flushed()
    return Leave(lost=[Span(counted, emptied_at)])


def promoted(on: Round) -> Leave:
    """A replica that has missed the last seconds takes Redis' place."""
    world, servers = on.world, on.world.servers
    servers.copy()
    servers.link.be("refuse")
    world.flushed()
    counted = world.counted_to()
    kill(servers.redis)
    died = time.time()
    servers.promote()
    servers.link.be("on")
    world.recovered()
    return Leave(lost=[Span(counted, died)], over=[Span(died, time.time())])


def cut(on: Round) -> Leave:
    """Redis executes what it is asked, and the line is cut instead of an answer; some answers never come."""
    counts = on.world.servers.counts
    for turn in range(12):
        counts.losses.append("nothing" if turn % 4 == 3 else "cut")
        time.sleep(0.25)
    eventually(lambda: not counts.losses, "answers are lost")
    return Leave()


def doubled(on: Round) -> Leave:
    """All that is asked of Redis arrives there twice."""
    counts = on.world.servers.counts
    counts.doubles = True
    counts.drop()
    on.world.flushed()
    time.sleep(2)
    counts.doubles = False
    counts.drop()
    return Leave()


FAULTS: Sequence[Fault] = [
    Fault("Redis killed and restarted", killed),
    Fault("Redis restarted, the end of its file missing", truncated),
    Fault("FLUSHALL", emptied),
    Fault("an old replica promoted", promoted),
    Fault("replies cut after execution", cut),
    Fault("requests to Redis doubled", doubled),
]
