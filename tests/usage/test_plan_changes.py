"""Changes of plan while requests come in: limits are felt, alerts arm again, levels above a limit shrink only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.courses import course
from billing.models import Plan
from billing.subscriptions import cancel, change_plan, withdraw
from tenants.models import Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.counting import Clock, flush
from tests.usage.pages import address
from usage.metering import Charge, chores, consume
from usage.models import Alert, Delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

MB = 10**6
TURN = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def starter(make_tenant: MakeTenant, make_user: MakeUser, clock: Clock) -> Tenant:
    """A tenant on Starter with an owner, whose changes so far are taken over."""
    tenant = make_tenant("acme", "starter")
    make_user("olive@acme.example", "owner", tenant)
    chores.take_over_changes(clock.now)
    return tenant


def calls(amount: int) -> Charge:
    return Charge("api_calls", amount)


def storage(amount: int) -> Charge:
    return Charge("storage", amount)


def change(tenant: Tenant, slug: str, clock: Clock) -> None:
    """Change the plan, and let counting take it over."""
    change_plan(tenant, Plan.objects.get(slug=slug), at=clock.now, actor=None, reason="")
    chores.take_over_changes(clock.now)


def told() -> list[tuple[int, int | None, bool]]:
    """Percent and limit of all alerts on calls, and whether they were sent."""
    found = Alert.objects.filter(metric__code="api_calls", kind="threshold").order_by("at", "percent")
    return list(found.values_list("percent", "limit", "is_sent"))


class TestUpgrade:
    def test_lets_calls_through_that_were_refused(self, starter: Tenant, clock: Clock) -> None:
        assert consume(starter, calls(50_000), at=clock.now).allowed
        assert consume(starter, calls(1), at=clock.now).refused
        change(starter, "pro", clock)
        decision = consume(starter, calls(1), at=clock.now)
        # The larger plan counts for the whole period: what was used before is used of it.
        assert (decision.allowed, decision.remaining) == (True, 449_999)

    def test_is_felt_from_the_page_on(
        self,
        starter: Tenant,
        clock: Clock,
        settings: Settings,
        client_for: Callable[[User], Client],
    ) -> None:
        settings.HEADROOM_SELF_SERVICE_PLANS = True
        clock.move_to(timezone.now())
        assert consume(starter, calls(50_000), at=clock.now).allowed
        browser = client_for(User.objects.get(email="olive@acme.example"))
        seen = course(starter, timezone.now()).mark
        browser.post(
            address(starter, "switch_plan"), {"plan": "pro", "seen": seen, "confirmed": "yes", "reason": ""}
        )
        assert chores.take_over_changes(timezone.now()) == 1
        assert consume(starter, calls(1), at=clock.now).allowed

    def test_arms_alerts_again(self, starter: Tenant, clock: Clock) -> None:
        consume(starter, calls(41_000), at=clock.now)
        flush(clock.now)
        assert told() == [(80, 50_000, True)]
        change(starter, "pro", clock)
        clock.tick(seconds=5)
        # Far below the lines of the larger plan: nothing is told, and nothing stands in the way later.
        assert told() == [(80, 50_000, True)]
        consume(starter, calls(365_000), at=clock.now)
        flush(clock.now)
        assert told() == [(80, 50_000, True), (80, 500_000, True)]
        assert Delivery.objects.filter(alert__limit=500_000, target="olive@acme.example").count() == 1

    def test_records_what_is_passed_on_the_larger_plan_too(self, starter: Tenant, clock: Clock) -> None:
        Plan.objects.get(slug="pro").allowances.filter(metric__code="api_calls").update(included=50_500)
        consume(starter, calls(41_000), at=clock.now)
        flush(clock.now)
        clock.tick(seconds=5)
        change(starter, "pro", clock)
        assert told() == [(80, 50_000, True), (80, 50_500, False)]


class TestDowngrade:
    def test_is_felt_from_the_next_period_on(self, starter: Tenant, clock: Clock) -> None:
        change(starter, "free", clock)
        assert consume(starter, calls(2_000), at=clock.now).allowed
        clock.move_to(TURN)
        decision = consume(starter, calls(1_000), at=clock.now)
        assert (decision.allowed, decision.remaining) == (True, 0)
        assert consume(starter, calls(1), at=clock.now).refused

    def test_is_felt_also_by_accounts_opened_ahead(self, starter: Tenant, clock: Clock) -> None:
        clock.move_to(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
        consume(starter, calls(1), at=clock.now)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        change(starter, "free", clock)
        clock.move_to(TURN)
        assert consume(starter, calls(1_001), at=clock.now).refused

    def test_keeps_a_level_that_stands_above_but_lets_it_only_shrink(
        self, starter: Tenant, clock: Clock
    ) -> None:
        consume(starter, storage(3_000 * MB), at=clock.now)
        change(starter, "free", clock)
        assert consume(starter, storage(1 * MB), at=clock.now).allowed
        clock.move_to(TURN)
        assert consume(starter, storage(1), at=clock.now).refused
        assert consume(starter, storage(-1 * MB), at=clock.now).allowed
        assert consume(starter, storage(1), at=clock.now).refused
        assert consume(starter, storage(-2_901 * MB), at=clock.now).allowed
        assert consume(starter, storage(1 * MB), at=clock.now).allowed

    def test_that_is_withdrawn_is_not_felt(self, starter: Tenant, clock: Clock) -> None:
        change(starter, "free", clock)
        consume(starter, calls(1), at=clock.now)
        withdraw(starter, at=clock.now, actor=None, reason="")
        chores.take_over_changes(clock.now)
        clock.move_to(TURN)
        assert consume(starter, calls(2_000), at=clock.now).allowed


class TestCancel:
    def test_leaves_the_default_plan(self, starter: Tenant, clock: Clock) -> None:
        cancel(starter, at=clock.now, actor=None, reason="")
        chores.take_over_changes(clock.now)
        assert consume(starter, calls(2_000), at=clock.now).allowed
        clock.move_to(TURN)
        assert consume(starter, calls(1_001), at=clock.now).refused
        decision = consume(starter, calls(1), at=clock.now)
        assert decision.plan
        assert (decision.allowed, decision.plan.slug) == (True, "free")
