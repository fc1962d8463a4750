"""What tests of counting and telling begin with: a fresh catalogue, a desk for scripts, a mail server."""

from __future__ import annotations

from collections.abc import Iterator

import fakeredis
import pytest
import redis
from pytest_django import Settings

from tests.usage.mailserver import MailServer
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


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A real SMTP receiver, to which mails are sent."""
    with MailServer() as server:
        server.use(settings)
        yield server
