"""Spend caps while counting: set, raised, lifted, shared, begun anew; never below what is included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.changes import limits_changed, tenants_on
from billing.models import Plan, PriceTier
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.capping import (
    BANDWIDTH,
    CALLS,
    MB,
    NOTIFY,
    OPERATIONS,
    STORAGE,
    Cap,
    capper,
    is_capped,
    stops,
    use,
)
from tests.usage.counting import Clock, flush
from usage.metering import Charge, chores, consume, record
from usage.models import Standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

Edit = Callable[..., None]


@pytest.fixture
def pro(make_tenant: MakeTenant, clock: Clock) -> Tenant:
    """A tenant on Pro."""
    tenant = make_tenant(plan="pro")
    chores.take_over_changes(clock.now)
    return tenant


@pytest.fixture
def cap(clock: Clock) -> Cap:
    return capper(clock)


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
