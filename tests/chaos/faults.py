"""The faults of programs: each is done in the middle of a load, mended, and says what the design lets it do."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.chaos import faults_books, faults_clocks, faults_redis
from tests.chaos.balance import Leave, Span
from tests.chaos.rounds import Fault, Round
from tests.chaos.servers import kill

DOWN = 0.5  # seconds before an init would start a program again


def web_workers(on: Round) -> Leave:
    """Both workers of the web server are killed, one after the other; it starts others itself."""
    for worker in on.world.fleet.children("web"):
        worker.kill()
        time.sleep(DOWN)
    return Leave()


def programs(on: Round) -> Leave:
    """Two of those that work behind the web server are killed at any moment; flusher and courier take turns."""
    return _kill(
        on, [on.random.choice(("flusher", "courier")), on.random.choice(("worker", "beat", "limiter"))]
    )


def all_programs(on: Round) -> Leave:
    """All that work behind the web server are killed, one after the other."""
    return _kill(on, ["flusher", "courier", "worker", "beat", "limiter"])


def everything(on: Round) -> Leave:
    """All programs and servers are killed at one moment."""
    world, counted = on.world, on.world.counted_to()
    world.fleet.kill(*world.fleet.names)
    for server in (world.servers.redis, world.servers.postgres):
        kill(server)
    lost = Span(counted, time.time())
    world.servers.revive()
    world.start()
    return Leave(lost=[lost])


def _kill(on: Round, names: Sequence[str]) -> Leave:
    for name in names:
        time.sleep(on.random.random() / 2)
        on.world.fleet.kill(name)
        time.sleep(DOWN)
        on.world.start(name)
    on.world.flushed()
    return Leave()


FAULTS: Sequence[Fault] = [
    Fault("web workers killed", web_workers),
    Fault("Celery workers, beat, flusher killed", all_programs),
    *faults_redis.FAULTS,
    *faults_books.FAULTS,
    Fault("everything killed at once", everything),
    *faults_clocks.FAULTS,
]
