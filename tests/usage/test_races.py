"""Eight processes of eight threads race for what is left: a limit is never passed, and nothing is counted twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.db import connection
from django.utils import timezone

from billing.models import Allowance
from tenants.models import Tenant
from tests.usage.counting import Clock, flush, in_hours, kept, live, members, refused
from tests.usage.crew import Crew, crew
from usage.metering import Charge, consume

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

LIMIT = 1_000


@pytest.fixture(scope="module")
def racers(django_db_setup: None, django_db_blocker: Any) -> Iterator[Crew]:
    with django_db_blocker.unblock(), crew() as ready:
        yield ready


@pytest.fixture
def limited(tenant: Tenant, redis_db: redis.Redis, patient: None) -> Tenant:
    """A tenant that may use 1 000 of everything."""
    Allowance.objects.filter(plan__slug="free").update(included=LIMIT)
    return tenant


@contextmanager
def flushing(now: Callable[[], datetime]) -> Iterator[None]:
    """Inside, two flushers run without a pause."""
    ends = threading.Event()

    def work() -> None:
        while not ends.wait(0.2):
            flush(now())
        connection.close()

    flushers = [threading.Thread(target=work) for _ in range(2)]
    for flusher in flushers:
        flusher.start()
    try:
        yield
    finally:
        ends.set()
        for flusher in flushers:
            flusher.join()


def agree(tenant: Tenant, code: str) -> int:
    """What Redis and, after a flush, PostgreSQL and its hours say alike."""
    now = timezone.now()
    flush(now)
    amounts = {live(tenant, code, now), kept(tenant, code)}
    if code != "storage":
        amounts.add(in_hours(tenant, code))
    assert len(amounts) == 1, amounts
    return amounts.pop()


class TestRaces:
    def test_exactly_the_limit_is_allowed(self, racers: Crew, limited: Tenant) -> None:
        with flushing(timezone.now):
            tally = racers.start("one", limited, timezone.now()).join()
        assert (tally["allowed"], tally["refused"], tally["uncounted"]) == (LIMIT, 9_000, 0)
        assert tally["most"] == LIMIT
        assert agree(limited, "api_calls") == LIMIT
        assert refused(limited, "api_calls") == 9_000

    def test_two_charges_are_both_counted_or_neither(self, racers: Crew, limited: Tenant) -> None:
        with flushing(timezone.now):
            tally = racers.start("two", limited, timezone.now()).join()
        assert (tally["allowed"], tally["uncounted"]) == (LIMIT // 3, 0)
        assert agree(limited, "api_calls") == LIMIT // 3 * 2
        assert agree(limited, "storage") == LIMIT // 3 * 3
        assert refused(limited, "storage") == tally["refused"]

    def test_level_moves_up_and_down_below_its_limit(self, racers: Crew, limited: Tenant) -> None:
        with flushing(timezone.now):
            tally = racers.start("level", limited, timezone.now()).join()
        assert tally["most"] <= LIMIT
        assert tally["refused"] > 0
        assert tally["refused down"] == 0
        assert agree(limited, "storage") == tally["units"]

    def test_each_member_is_counted_once(self, racers: Crew, limited: Tenant) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="users").update(included=100)
        with flushing(timezone.now):
            tally = racers.start("members", limited, timezone.now()).join()
        assert tally["most"] == 100
        assert agree(limited, "users") == len(members(limited)) == 100
        # Who was counted once is let through every time, who was not never.
        names = members(limited)
        assert tally["allowed"] == sum(f"user {number * 7919 % 400}" in names for number in range(10_000))

    def test_months_end_amid_the_race(self, racers: Crew, limited: Tenant, clock: Clock) -> None:
        clock.move_to(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
        consume(limited, Charge("api_calls"), at=clock.now)
        with flushing(lambda: clock.now):
            race = racers.start("one", limited, clock.now, is_clocked=True)
            before = wait_for(lambda: live(limited, "api_calls", clock.now), 300)
            clock.tick(seconds=1)
            tally = race.join()
        flush(clock.now)
        old, new = (kept(limited, "api_calls", period=f"2026-{month}-01") for month in (11, 12))
        assert 300 <= before <= old < LIMIT
        assert new == live(limited, "api_calls", clock.now) == LIMIT
        assert tally["allowed"] + 1 == old + new
        assert tally["uncounted"] == 0
        assert in_hours(limited, "api_calls") == old + new
        assert in_hours(limited, "api_calls", hour__gte=clock.now) == LIMIT


def wait_for(read: Callable[[], int], least: int) -> int:
    """Until `read` gives at least `least`; returns what it gave."""
    ends = time.monotonic() + 30
    while (found := read()) < least:
        assert time.monotonic() < ends, f"{found} after 30 seconds"
        time.sleep(0.001)
    return found
