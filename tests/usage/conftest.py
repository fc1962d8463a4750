"""What tests of counting begin with: a fresh catalogue, and a desk for scripts on a real and a written server."""

from __future__ import annotations

from collections.abc import Iterator

import fakeredis
import pytest
import redis

from tests.usage.scripting import Desk
from usage.metering import catalogue


@pytest.fixture(autouse=True)
def _fresh_catalogue() -> Iterator[None]:
    """Metrics and plans that a process remembers must not outlive the test whose rows they were."""
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture(params=[pytest.param("server", marks=pytest.mark.counting), "fakeredis"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """A desk on the real server, and one on fakeredis: the same assertions hold on both."""
    if request.param == "server":
        server: redis.Redis = request.getfixturevalue("redis_db")
        return Desk(server)
    return Desk(fakeredis.FakeRedis())
