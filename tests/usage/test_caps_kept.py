"""Spend caps over lost Redis, late flushes and hours that pass; and what they cost whoever has none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.caps import set_cap
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.capping import (
    BANDWIDTH,
    CALLS,
    MB,
    OWNER,
    STOP,
    STORAGE,
    Cap,
    capper,
    is_capped,
    stops,
    use,
)
from tests.usage.counting import Clock, flush, kept
from usage.metering import chores, standings
from usage.metering.accounts import write_reaches
from usage.metering.caps import Reach
from usage.models import Standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]


@pytest.fixture
def pro(make_tenant: MakeTenant, clock: Clock) -> Tenant:
    """A tenant on Pro."""
    tenant = make_tenant(plan="pro")
    chores.take_over_changes(clock.now)
    return tenant


@pytest.fixture
def cap(clock: Clock) -> Cap:
    return capper(clock)


class TestLoss:
    def test_of_redis_brings_the_cap_back(
        self, pro: Tenant, clock: Clock, cap: Cap, redis_db: redis.Redis
    ) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        flush(clock.now)
        redis_db.flushdb()
        clock.move_to(clock.now)
        assert is_capped(use(pro, clock))
        assert use(pro, clock, BANDWIDTH, "bandwidth").allowed

    def test_of_redis_counts_what_all_metrics_had_spent(
        self, pro: Tenant, clock: Clock, cap: Cap, redis_db: redis.Redis
    ) -> None:
        cap(pro, "390.00")
        use(pro, clock, CALLS + 200_000)
        use(pro, clock, BANDWIDTH + 5_000 * MB, "bandwidth")
        flush(clock.now)
        before = stops(pro, clock)
        redis_db.flushdb()
        clock.move_to(clock.now)
        use(pro, clock)
        assert stops(pro, clock) == before

    def test_an_opener_draws_a_newer_stamp_than_what_was_lost(
        self, pro: Tenant, clock: Clock, cap: Cap, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flush that committed before the loss, and writes after it, knows less."""
        cap(pro, "390.00")
        use(pro, clock, CALLS + 1)
        late = held(monkeypatch)
        flush(clock.now)
        use(pro, clock, BANDWIDTH + 5_000 * MB, "bandwidth")
        monkeypatch.undo()
        flush(clock.now)
        redis_db.flushdb()
        clock.move_to(clock.now)
        use(pro, clock)
        before = stops(pro, clock)
        late()
        assert stops(pro, clock) == before
        assert before["api_calls"] == 790_000


def held(patch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on what a flush works out of caps waits, until the returned function is called."""
    waiting: list[tuple[Any, list[Reach]]] = []
    patch.setattr(standings, "write_reaches", lambda bulk, found: waiting.append((bulk, list(found))))

    def release() -> None:
        for bulk, found in waiting:
            write_reaches(bulk, found)

    return release


class TestOrder:
    def test_a_late_flush_with_an_older_stamp_loses(
        self, pro: Tenant, clock: Clock, cap: Cap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cap(pro, "390.00")
        use(pro, clock, CALLS + 200_000)
        late = held(monkeypatch)
        flush(clock.now)
        use(pro, clock, BANDWIDTH + 19_500 * MB, "bandwidth")
        monkeypatch.undo()
        flush(clock.now)
        assert is_capped(use(pro, clock))
        late()  # it says that 390.00 are left for calls
        assert is_capped(use(pro, clock))

    def test_a_late_flush_brings_no_lifted_cap_back(
        self, pro: Tenant, clock: Clock, cap: Cap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        late = held(monkeypatch)
        flush(clock.now)
        monkeypatch.undo()
        cap(pro, None)
        late()
        assert use(pro, clock).allowed

    def test_nothing_is_written_before_the_counts_are_committed(
        self, pro: Tenant, clock: Clock, cap: Cap
    ) -> None:
        cap(pro, "390.00")
        use(pro, clock, CALLS + 200_000)
        with transaction.atomic():
            flush(clock.now)
            assert stops(pro, clock)["bandwidth"] == BANDWIDTH + 19_500 * MB
            transaction.set_rollback(True)
        assert stops(pro, clock)["bandwidth"] == BANDWIDTH + 19_500 * MB
        assert kept(pro, "api_calls") == 0
        flush(clock.now)
        assert stops(pro, clock)["bandwidth"] == BANDWIDTH + 9_500 * MB


class TestLevels:
    def test_grow_as_far_as_the_rest_of_the_period_is_paid(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        """From noon of the 23rd 180 of 720 hours are left: 50.00 pay for 1 000 MB over all, 4 000 MB over these."""
        cap(pro, "50.00")
        assert use(pro, clock, STORAGE + 4_000 * MB, "storage").allowed
        assert is_capped(use(pro, clock, MB, "storage"))
        clock.move_to(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
        use(pro, clock)
        flush(clock.now)
        assert Standing.objects.get().overage == Decimal(50)

    def test_time_alone_brings_them_to_the_cap(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "50.00")
        use(pro, clock, STORAGE + 4_000 * MB, "storage")
        use(pro, clock, CALLS + 49_000)
        flush(clock.now)
        assert use(pro, clock).allowed
        clock.tick(hours=4)
        assert chores.hold_caps(clock.now) == 1  # 5 of 720 hours: 1.39, and 49.00
        assert is_capped(use(pro, clock))
        assert Standing.objects.get().overage == Decimal("50.39")

    def test_are_judged_once_an_hour(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "50.00")
        use(pro, clock)
        flush(clock.now)
        assert chores.hold_caps(clock.now) == 0
        clock.tick(minutes=61)
        assert chores.hold_caps(clock.now) == 1
        assert chores.hold_caps(clock.now) == 0

    def test_of_others_are_left_alone(self, pro: Tenant, clock: Clock, make_tenant: MakeTenant) -> None:
        free = make_tenant("free")
        set_cap(free, side=OWNER, mode=STOP, amount=Decimal(1), at=clock.now, actor=None)
        for tenant in (pro, free):
            use(tenant, clock)
        flush(clock.now)
        clock.tick(minutes=61)
        assert chores.hold_caps(clock.now) == 0

    def test_make_room_when_they_shrink(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "50.00")
        use(pro, clock, STORAGE + 4_000 * MB, "storage")
        clock.tick(hours=90)
        use(pro, clock, -4_000 * MB, "storage")
        flush(clock.now)
        clock.tick(hours=1)
        chores.hold_caps(clock.now)
        # 91 of 180 hours took 4 000 MB each; what is left pays for the same again, in 89 hours.
        assert stops(pro, clock)["storage"] == STORAGE + 4_000 * MB


class TestCost:
    def queries(self, clock: Clock) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            flush(clock.now)
        # A sign of life is written once in a while.
        return [query["sql"] for query in queries if "usage_heartbeat" not in query["sql"]]

    def test_of_a_flush_is_the_same_where_nobody_has_a_cap(
        self, make_tenant: MakeTenant, clock: Clock, cap: Cap
    ) -> None:
        one, other = make_tenant("one", "pro"), make_tenant("other", "pro")
        for tenant in (one, other):
            use(tenant, clock)
        flush(clock.now)
        use(one, clock)
        without = self.queries(clock)
        cap(other, "1.00")
        use(one, clock)
        assert len(self.queries(clock)) == len(without)
        assert not any("usage_capstamp" in sql or "amount" in sql for sql in without)
        use(other, clock)
        # The caps, the levels' hours that are over, the stamp, what was spent before.
        assert len(self.queries(clock)) == len(without) + 4

    def test_of_a_request_stays_one_round_trip(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        use(pro, clock)
        with CaptureQueriesContext(connection) as queries:
            use(pro, clock)
        assert len(queries) == 0


def test_a_cap_without_a_flush_in_between_is_exact(pro: Tenant, clock: Clock, cap: Cap) -> None:
    """One metric alone never passes it: its stop does not wait for a flush."""
    cap(pro, "0.10")
    use(pro, clock, CALLS)
    allowed = sum(use(pro, clock).allowed for _ in range(150))
    assert allowed == 100
    clock.tick(seconds=1)
    assert flush(clock.now - timedelta(seconds=1)) == 1
    assert Standing.objects.get().overage == Decimal("0.10")
