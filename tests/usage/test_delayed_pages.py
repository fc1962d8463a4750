"""What pages say while Redis does not answer: the last written counts, until when, and that more will come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.periods import period_at
from tenants.models import Tenant, User
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, seen, swapped, text
from usage.metering import Charge, consume, counters, is_delayed, links
from usage.metering.breaker import Breaker
from usage.models import Heartbeat, Standing
from usage.reports import dashboard, delays

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def breaker(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    """What it learns ends with the test."""
    fresh = Breaker()
    monkeypatch.setattr(counters, "breaker", fresh)
    return fresh


@pytest.fixture
def away(settings: Settings, breaker: Breaker) -> Iterator[Away]:
    """Inside the context nothing listens where Redis was."""

    @contextmanager
    def gone() -> Iterator[None]:
        answering = settings.HEADROOM_REDIS_URL
        settings.HEADROOM_REDIS_URL = "redis://127.0.0.1:9/0"
        links.forget()
        yield
        settings.HEADROOM_REDIS_URL = answering
        links.forget()

    yield gone
    links.forget()


def test_counts_are_those_of_the_last_flush(tenant: Tenant, away: Away) -> None:
    now = timezone.now()
    period, flushed = period_at(tenant, now), now - timedelta(minutes=2)
    plan = dashboard(tenant, now).plan
    Standing.objects.create(
        tenant=tenant, plan=plan, period=period.first, period_ends=period.ends, counted_at=flushed
    )
    use(tenant, "api_calls", 5, at=now)
    with away():
        board = dashboard(tenant, now)
    assert (board.is_delayed, board.is_live, board.counted_to) == (True, False, flushed)
    assert next(one.used for one in board.meters if one.metric.code == "api_calls") == 5


def test_a_cold_account_is_no_delay(tenant: Tenant) -> None:
    now = timezone.now()
    board = dashboard(tenant, now)
    assert (board.is_live, board.is_delayed, board.counted_to) == (False, False, now)


def test_the_page_says_so_once_and_takes_it_back(
    client_for: Callable[[User], Client], owner: User, tenant: Tenant, away: Away, breaker: Breaker
) -> None:
    browser, here = client_for(owner), address(tenant)
    consume(tenant, Charge("api_calls"), at=timezone.now())
    before = browser.get(here)
    assert "Counts are delayed" not in text(before)
    with away():
        told = browser.get(here, {"seen": seen(before)}, headers=HTMX)
        assert "delayed" in swapped(told)
        assert "Counts are delayed" in text(told)
        use(tenant, "bandwidth", 7, at=timezone.now())
        later = browser.get(here, {"seen": seen(told)}, headers=HTMX)
        assert later.status_code == 200
        assert "delayed" not in swapped(later)
    breaker.answered()  # whatever it has come to, it tries again
    back = browser.get(here, {"seen": seen(later)}, headers=HTMX)
    assert "delayed" in swapped(back)
    assert "Counts are delayed" not in text(back)


@pytest.mark.parametrize("page", ["overview", "plan", "alerts"])
def test_every_page_says_when_the_flush_is_late(
    client_for: Callable[[User], Client], owner: User, tenant: Tenant, page: str
) -> None:
    browser, here, now = client_for(owner), address(tenant, page), timezone.now()
    Heartbeat.objects.create(name="flush", at=now)
    assert "Counts are delayed" not in text(browser.get(here))
    Heartbeat.objects.update(at=now - timedelta(seconds=11))
    delays.forget()
    shown = text(browser.get(here))
    assert "Counts are delayed" in shown
    assert f"Last sure at {now - timedelta(seconds=11):%H:%M} UTC." in shown


def test_staff_pages_take_it_back_at_a_poll(
    client_for: Callable[[User], Client], staff: User, redis_db: object
) -> None:
    browser, here = client_for(staff), "/staff/tenants/"
    Heartbeat.objects.create(name="flush", at=timezone.now() - timedelta(minutes=1))
    late = browser.get(here)
    assert "Counts are delayed" in text(late)
    assert browser.get(here, {"seen": seen(late)}, headers=HTMX).status_code == 204
    Heartbeat.objects.update(at=timezone.now())
    delays.forget()
    told = browser.get(here, {"seen": seen(late)}, headers=HTMX)
    assert "delayed" in swapped(told)
    assert "Counts are delayed" not in text(told)


def test_what_is_held_is_delayed(tenant: Tenant, away: Away, breaker: Breaker) -> None:
    with away():
        assert not consume(tenant, Charge("api_calls"), at=timezone.now()).is_counted
    breaker.answered()
    assert is_delayed()
