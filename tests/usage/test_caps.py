"""Spend caps while counting: set, raised, lifted, shared, lost with Redis; never below what is included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.caps import lift_cap, set_cap
from billing.changes import limits_changed, tenants_on
from billing.models import Plan, PriceTier, SpendCap
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import Clock, flush, kept
from usage.metering import Cause, Charge, Decision, chores, consume, peek, record, standings
from usage.metering.accounts import write_reaches
from usage.metering.caps import Reach
from usage.models import Standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

Edit = Callable[..., None]
OWNER, OPERATIONS = SpendCap.Side.OWNER, SpendCap.Side.OPERATIONS
STOP, NOTIFY = SpendCap.Mode.STOP, SpendCap.Mode.NOTIFY
CALLS, MB = 500_000, 10**6  # what Pro includes
BANDWIDTH, STORAGE = 100_000 * MB, 50_000 * MB


@pytest.fixture
def pro(make_tenant: MakeTenant, clock: Clock) -> Tenant:
    """On Pro: 0.001 a call, 0.05 per MB stored, 0.02 per MB transferred."""
    tenant = make_tenant(plan="pro")
    chores.take_over_changes(clock.now)
    return tenant


@pytest.fixture
def cap(clock: Clock) -> Callable[..., None]:
    """Sets a cap, and lets counting take it over."""

    def set_(tenant: Tenant, amount: str | None, mode: str = STOP, side: str = OWNER) -> None:
        if amount is None:
            lift_cap(tenant, side=side, at=clock.now, actor=None)
        else:
            set_cap(tenant, side=side, mode=mode, amount=Decimal(amount), at=clock.now, actor=None)
        chores.take_over_changes(clock.now)

    return set_


Cap = Callable[..., None]


def use(tenant: Tenant, clock: Clock, amount: int = 1, metric: str = "api_calls") -> Decision:
    return consume(tenant, Charge(metric, amount), at=clock.now)


def is_capped(decision: Decision) -> bool:
    """Refused by the spend cap, and by nothing else."""
    assert decision.is_counted
    return decision.refused is not None and decision.refused.cause == Cause.CAP


def stops(tenant: Tenant, clock: Clock) -> dict[str, int | None]:
    """The cap stops that the open account holds."""
    gauges = peek(tenant, clock.now)
    assert gauges is not None
    return {gauge.metric.code: gauge.cap_stop for gauge in gauges}


class TestFelt:
    def test_use_stops_where_the_money_ends(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        use(pro, clock, CALLS)
        cap(pro, "390.00")
        assert use(pro, clock, 390_000).allowed
        assert is_capped(use(pro, clock))
        flush(clock.now)
        assert is_capped(use(pro, clock))
        assert Standing.objects.get().overage == Decimal(390)

    def test_what_is_included_keeps_working(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "0.00")
        assert use(pro, clock, CALLS).allowed
        assert is_capped(use(pro, clock))
        assert use(pro, clock, BANDWIDTH, "bandwidth").allowed
        assert is_capped(use(pro, clock, 1, "bandwidth"))
        flush(clock.now)
        assert use(pro, clock, STORAGE, "storage").allowed
        assert is_capped(use(pro, clock, 1, "storage"))
        assert use(pro, clock, -1, "storage").allowed

    def test_what_is_not_priced_is_not_stopped(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "0.00")
        for number in range(51):
            assert consume(pro, Charge("users", member=f"user {number}"), at=clock.now).allowed

    def test_an_account_that_is_opened_later_knows_it(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        assert use(pro, clock, CALLS + 1_000).allowed
        assert is_capped(use(pro, clock))

    def test_the_lower_of_two_counts(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "2.00")
        cap(pro, "1.00", side=OPERATIONS)
        use(pro, clock, CALLS + 1_000)
        assert is_capped(use(pro, clock))
        cap(pro, None, side=OPERATIONS)
        assert use(pro, clock, 1_000).allowed
        assert is_capped(use(pro, clock))

    def test_one_that_only_tells_stops_nothing(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00", NOTIFY)
        use(pro, clock, CALLS + 5_000)
        flush(clock.now)
        assert use(pro, clock).allowed
        assert set(stops(pro, clock).values()) == {None}

    def test_raised_and_lifted_lets_through_again(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        assert is_capped(use(pro, clock))
        cap(pro, "1.50")
        assert use(pro, clock, 500).allowed
        assert is_capped(use(pro, clock))
        cap(pro, None)
        assert use(pro, clock, 10**6).allowed

    def test_below_what_is_spent_refuses_at_once(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        use(pro, clock, CALLS + 5_000)
        cap(pro, "1.00")
        assert is_capped(use(pro, clock))
        assert use(pro, clock, BANDWIDTH, "bandwidth").allowed

    def test_is_shared_by_all_that_is_billed(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "390.00")
        use(pro, clock, CALLS + 200_000)
        use(pro, clock, BANDWIDTH + 5_000 * MB, "bandwidth")
        flush(clock.now)
        # 200.00 of calls leave 190.00 for bandwidth, 100.00 of bandwidth leave 290.00 for calls.
        found = stops(pro, clock)
        assert (found["api_calls"], found["bandwidth"]) == (790_000, 109_500 * MB)
        assert use(pro, clock, 90_000).allowed
        assert is_capped(use(pro, clock))
        flush(clock.now)
        assert is_capped(use(pro, clock, 1, "bandwidth"))

    def test_what_is_counted_afterwards_may_pass_it(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        record(pro, Charge("api_calls", CALLS + 9_000), at=clock.now)
        flush(clock.now)
        assert is_capped(use(pro, clock))
        assert Standing.objects.get().overage == Decimal(9)


class TestEdits:
    def test_of_what_is_included_moves_the_stop(
        self, pro: Tenant, clock: Clock, cap: Cap, edit: Edit
    ) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        edit("pro", included=CALLS + 100)
        chores.take_over_changes(clock.now)
        assert use(pro, clock, 100).allowed
        assert is_capped(use(pro, clock))

    def test_of_a_price_moves_the_stop(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS)
        plan = Plan.objects.get(slug="pro")
        with transaction.atomic():
            tiers = PriceTier.objects.filter(allowance__plan=plan, allowance__metric__code="api_calls")
            tiers.update(price=Decimal("0.01"))
            limits_changed(tenants_on(plan, clock.now), reason="price", at=clock.now)
        chores.take_over_changes(clock.now)
        assert use(pro, clock, 100).allowed
        assert is_capped(use(pro, clock))

    def test_of_the_plan_goes_by_what_the_new_one_includes(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        subscribe(pro, Plan.objects.get(slug="enterprise"), at=clock.now, actor=None, reason="more")
        chores.take_over_changes(clock.now)
        assert use(pro, clock, 9 * CALLS).allowed
        assert is_capped(use(pro, clock))

    def test_leave_the_next_period_capped(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        clock.move_to(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
        use(pro, clock)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        cap(pro, "1.00")
        clock.tick(minutes=30)
        with CaptureQueriesContext(connection) as queries:
            assert is_capped(use(pro, clock, CALLS + 1_001))
        assert len(queries) == 0


class TestPeriods:
    def test_money_begins_anew_with_the_next(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        use(pro, clock, CALLS + 1_000)
        flush(clock.now)
        assert is_capped(use(pro, clock))
        clock.move_to(datetime(2026, 12, 1, tzinfo=UTC))
        assert use(pro, clock, CALLS + 1_000).allowed
        assert is_capped(use(pro, clock))

    def test_an_account_opened_ahead_has_the_whole_cap(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        cap(pro, "1.00")
        clock.move_to(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
        use(pro, clock, CALLS + 1_000)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        use(pro, clock, 1)
        flush(clock.now)
        clock.tick(minutes=30)
        assert use(pro, clock, CALLS + 1_000).allowed
        assert is_capped(use(pro, clock))

    def test_begun_without_a_request_bring_it_too(self, pro: Tenant, clock: Clock, cap: Cap) -> None:
        use(pro, clock, STORAGE + 1_000 * MB, "storage")
        cap(pro, "50.00")
        flush(clock.now)
        clock.move_to(datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC))
        assert chores.begin_periods(clock.now) == 1
        assert Standing.objects.get().overage == Decimal("0.07")  # the first hour of 744


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
