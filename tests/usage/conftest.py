"""What tests of counting and telling begin with: a fresh catalogue, a desk for scripts, a mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import fakeredis
import pytest
import redis
from django.conf import settings
from django.db import transaction
from pytest_django import Settings

from billing.changes import limits_changed, tenants_on
from billing.models import Allowance, Plan
from tests.usage.counting import Clock, set_scripts_to_clock
from tests.usage.days import Book, forget_days
from tests.usage.mailserver import MailServer
from tests.usage.scripting import Desk
from usage import heartbeats
from usage.metering import catalogue, links, outage
from usage.reports import delays


@pytest.fixture(autouse=True)
def _fresh_catalogue() -> Iterator[None]:
    """Metrics and plans that a process remembers must not outlive the test whose rows they were."""
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture(autouse=True)
def _no_outage() -> Iterator[None]:
    """What one test's outage left behind must not delay the next one's counts."""
    yield
    outage.begin()
    heartbeats.forget()
    delays.forget()


@pytest.fixture(params=[pytest.param("server", marks=pytest.mark.counting), "fakeredis"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """A desk on the real server, and one on fakeredis: the same assertions hold on both."""
    if request.param == "server":
        server: redis.Redis = request.getfixturevalue("redis_db")
        return Desk(server)
    return Desk(fakeredis.FakeRedis())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A busy machine is no fault: calls may take their time."""
    monkeypatch.setattr(settings, "HEADROOM_REDIS_DEADLINE", 15.0)
    links.forget()
    yield
    links.forget()


@pytest.fixture
def clock(redis_db: redis.Redis, patient: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Redis' time, set by the test; all scripts go by it."""
    set_scripts_to_clock(monkeypatch)
    return Clock(redis_db)


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A real SMTP receiver, to which mails are sent."""
    with MailServer() as server:
        server.use(settings)
        yield server


@pytest.fixture
def edit(clock: Clock) -> Callable[..., None]:
    """Edits what a plan allows of a metric, as the admin does: the change and its note in one transaction."""

    def change(slug: str, code: str = "api_calls", *, delete: bool = False, **fields: int | None) -> None:
        plan = Plan.objects.get(slug=slug)
        with transaction.atomic():
            allowance = Allowance.objects.filter(plan=plan, metric__code=code)
            allowance.delete() if delete else allowance.update(**fields)
            limits_changed(tenants_on(plan, clock.now), reason="edit", at=clock.now)

    return change


@pytest.fixture
def book(redis_db: redis.Redis) -> Book:
    """Hours of long ago that a test writes; what pages remember of them is in Redis."""
    return Book()


@pytest.fixture
def lasting(transactional_db: None) -> Iterator[None]:
    """Commits are real; days and the months that a test makes are cleared."""
    forget_days()
    yield
    forget_days()
