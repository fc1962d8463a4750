"""What a period is billed by: days of each plan, what was included when, and grants that ended within it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from pytest_django import Settings

from billing.contracts import Contracts
from billing.models import Metric, Override, Plan, Subscription
from billing.periods import Period, period_at
from billing.rates import Rates
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import MakeTenant

pytestmark = pytest.mark.django_db

ENDS = datetime(2026, 12, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
GB = 10**9


def day(number: int, hour: int = 0, minute: int = 0) -> datetime:
    """A time in November 2026."""
    return datetime(2026, 11, number, hour, minute, tzinfo=UTC)


def period_of(tenant: Tenant) -> Period:
    return period_at(tenant, day(15))


def rates(tenant: Tenant, at: datetime = ENDS, **fields: Any) -> Rates:
    period = period_of(tenant)
    return Contracts([tenant], period.starts).rates(tenant, period, at, **fields)


def move_to(tenant: Tenant, slug: str, at: datetime) -> Subscription:
    return subscribe(tenant, Plan.objects.get(slug=slug), at=at, actor=None, reason="test")


def grant(tenant: Tenant, code: str, units: int | None, since: datetime, until: datetime | None) -> None:
    mode = Override.Mode.SET if units is None else Override.Mode.ADD
    metric = Metric.objects.get(code=code)
    Override.objects.create(
        tenant=tenant, metric=metric, mode=mode, units=units, reason="test", starts=since, ends=until
    )


def fees(tenant: Tenant, at: datetime = ENDS, **fields: Any) -> list[tuple[str, int]]:
    return [(fee.plan, fee.days) for fee in rates(tenant, at, **fields).fees]


class TestFees:
    def test_are_one_for_a_plan_that_held_all_along(self, make_tenant: MakeTenant) -> None:
        assert fees(make_tenant(plan="pro")) == [("Pro", 30)]

    def test_give_the_day_of_an_upgrade_to_the_new_plan(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move_to(tenant, "pro", day(23, 14, 2))
        assert fees(tenant) == [("Starter", 22), ("Pro", 8)]
        assert sum(fee.amount for fee in rates(tenant).fees) == Decimal("74.34")

    def test_of_several_changes_in_a_day_count_the_last(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move_to(tenant, "pro", day(10, 9))
        move_to(tenant, "enterprise", day(10, 17))
        assert fees(tenant) == [("Starter", 9), ("Enterprise", 21)]

    def test_add_up_the_days_of_a_plan_that_came_back(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        move_to(tenant, "starter", day(11))
        move_to(tenant, "pro", day(21))
        assert fees(tenant) == [("Pro", 20), ("Starter", 10)]

    def test_while_the_period_lasts_take_the_present_plan_to_stay(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move_to(tenant, "pro", day(23, 14))
        assert fees(tenant, day(23, 13)) == [("Starter", 30)]
        assert fees(tenant, day(23, 14)) == [("Starter", 22), ("Pro", 8)]

    def test_begin_with_the_tenant(self, make_tenant: MakeTenant, settings: Settings) -> None:
        settings.HEADROOM_DEFAULT_PLAN = "starter"
        assert fees(make_tenant(created_at=day(21, 18))) == [("Starter", 10)]

    def test_of_a_subscription_older_than_the_tenants_row_count(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=day(21))
        move_to(tenant, "pro", day(11))
        assert fees(tenant) == [("Pro", 20)]

    def test_of_another_plan_are_those_of_the_whole_period(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move_to(tenant, "pro", day(23))
        assert fees(tenant, plan=Plan.objects.get(slug="enterprise")) == [("Enterprise", 30)]


class TestRates:
    def test_are_those_of_the_plan_the_period_ends_on(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move_to(tenant, "pro", day(23))
        move_to(tenant, "free", ENDS)
        assert rates(tenant).plan.slug == "pro"
        assert rates(tenant, day(20)).plan.slug == "starter"

    def test_do_not_charge_what_a_grant_gave_after_it_ended(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        grant(tenant, "api_calls", 40_000, day(3), day(10))
        grant(tenant, "api_calls", 10_000, day(8), day(20))
        assert rates(tenant).rates["api_calls"].price.included == 550_000
        assert rates(tenant, day(7)).rates["api_calls"].price.included == 540_000
        assert rates(tenant, day(2)).rates["api_calls"].price.included == 500_000

    def test_leave_grants_of_other_periods_out(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        grant(tenant, "api_calls", 40_000, day(1) - DAY, day(1))
        grant(tenant, "api_calls", 70_000, ENDS, None)
        assert rates(tenant).rates["api_calls"].price.included == 500_000

    def test_know_a_time_without_a_limit(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        grant(tenant, "api_calls", None, day(5), day(6))
        assert rates(tenant).rates["api_calls"].price.included is None

    def test_measure_a_level_against_what_was_included_then(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        grant(tenant, "storage", 25 * GB, day(10, 8), day(20, 17))
        steps = rates(tenant).rates["storage"].steps
        assert [(step.since, step.until, step.included) for step in steps] == [
            (day(1), day(10, 8), 50 * GB),
            (day(10, 8), day(10, 9), 75 * GB),
            (day(10, 9), day(20, 17), 75 * GB),
            (day(20, 17), day(20, 18), 50 * GB),
            (day(20, 18), ENDS, 50 * GB),
        ]

    def test_give_an_hour_in_which_it_changed_the_most_of_it(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        grant(tenant, "storage", 25 * GB, day(10, 8, 30), day(20, 17, 30))
        steps = rates(tenant).rates["storage"].steps
        more = [(step.since, step.until) for step in steps if step.included == 75 * GB]
        assert (more[0][0], more[-1][1]) == (day(10, 8), day(20, 18))
        assert (steps[0].since, steps[-1].until) == (day(1), ENDS)
        assert all(one.until == other.since for one, other in pairwise(steps))

    def test_of_tenants_without_grants_are_shared(self, make_tenant: MakeTenant) -> None:
        one, other = make_tenant("one", plan="pro"), make_tenant("other", plan="pro")
        contracts, period = Contracts([one, other], day(1)), period_of(one)
        assert contracts.rates(one, period, ENDS).rates is contracts.rates(other, period, ENDS).rates
