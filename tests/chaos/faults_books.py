"""The faults of PostgreSQL: killed for a while, and commits that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.chaos.balance import Leave
from tests.chaos.rounds import Fault, Round
from tests.chaos.servers import eventually, kill
from tests.chaos.world import World

AWAY = 6.0  # seconds
KNOWN = 60  # answered calls, after which every worker knows every key
FAILURES = 6
# What PostgreSQL says where its disk is full, where two transactions can't both be, and of a deadlock: at the commit.
FAILING = f"""
CREATE SEQUENCE chaos_failures;
CREATE FUNCTION chaos_fail() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE turn bigint := nextval('chaos_failures');
BEGIN
    IF turn <= {FAILURES} THEN
        RAISE EXCEPTION 'commit % fails', turn
        USING ERRCODE = (ARRAY['53100', '40001', '40P01'])[1 + turn % 3];
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER chaos_commit AFTER INSERT OR UPDATE ON usage_usageperiod
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos_fail();
"""
FAILED = "SELECT is_called FROM chaos_failures"
MENDED = """
DROP TRIGGER IF EXISTS chaos_commit ON usage_usageperiod;
DROP FUNCTION IF EXISTS chaos_fail();
DROP SEQUENCE IF EXISTS chaos_failures;
"""


def away(on: Round, seconds: float = AWAY) -> Leave:
    """PostgreSQL is killed and stays away; who is known goes on, and what waits grows with tenants, not with calls."""
    world, load = on.world, on.load
    eventually(lambda: len(load.calls) >= KNOWN, "all keys are known")
    kill(world.servers.postgres)
    died = time.time()
    time.sleep(seconds)
    during = [call for call in list(load.calls) if call.sent > died and call.is_admitted]
    assert len(during) > seconds, "no call is answered while PostgreSQL is away"
    with world.servers.ask_redis() as counts:
        waiting = sum(counts.zcard(key) for key in counts.scan_iter("hr:*:dirty", count=1_000))
    assert waiting <= 2 * len(on.parties), "what waits grows with each call"
    world.servers.revive()
    world.flushed()
    return Leave()


@contextmanager
def as_before(world: World) -> Iterator[Sequence[int]]:
    """Commits succeed again when all is compared."""
    try:
        yield [world.port]
        with world.servers.sql() as books:
            assert books.execute(FAILED).fetchone() == (True,), "no commit failed"
    finally:
        with world.servers.sql() as books:
            books.execute(MENDED)


def failing(on: Round) -> Leave:
    """Commits of the flush fail, under load and when it has ended: the disk is full, another was first, a deadlock."""
    with on.world.servers.sql() as books:
        books.execute(FAILING)
    return Leave()


FAULTS: Sequence[Fault] = [
    Fault("PostgreSQL away", away, only_calls=True),
    Fault("commits fail", failing, only_calls=True, around=as_before),
]
