"""Gives each test process Redis databases of its own; loaded before Django reads its settings."""

import os
import re

import pytest


def own_database(url: str, worker: str) -> str:
    """`url` with the database of a worker: 2 + 2N for gwN; the broker takes the one after it.

    0 and 1 are left to whoever else uses this Redis.
    """
    number = 2 + 2 * int(re.sub(r"\D", "", worker) or 0)
    return f"{re.sub(r'/[0-9]*$', '', url)}/{number}"


def take_own_servers() -> None:
    """Say where this process's PostgreSQL and Redis are; the tests empty them, so none is guessed."""
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"{' and '.join(missing)} not set: run `make test`, which starts servers.")
    if not os.environ["REDIS_URL"].startswith(("redis://", "rediss://")):
        raise pytest.UsageError(f"REDIS_URL={os.environ['REDIS_URL']!r}: use redis://host:port/0.")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    os.environ["REDIS_URL"] = own_database(os.environ["REDIS_URL"], worker)
    # The demo's small product is what the tests meter.
    os.environ["HEADROOM_DEMO"] = "1"
    # A busy machine is no outage; tests of outages set a deadline of their own.
    os.environ["HEADROOM_REDIS_DEADLINE_MS"] = "2000"
    # Nothing is added to the metrics in the background while tests compare what Redis holds.
    os.environ["HEADROOM_REPORT_SECONDS"] = "3600"


take_own_servers()
