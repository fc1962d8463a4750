"""Plans, overrides and time resolved to limits: what holds, since when it holds, and until when at the latest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from billing.changes import limits_changed
from billing.entitlements import Limit, NoDefaultPlan, entitlements, entitlements_of
from billing.models import Allowance, Metric, Override, Plan, Subscription
from billing.subscriptions import subscribe
from tenants.anchors import change_anchor
from tenants.models import Tenant
from tests.conftest import MakeTenant

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
MONTH_ENDS = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def allow(slug: str, code: str = "api_calls", **fields: Any) -> None:
    Allowance.objects.filter(plan__slug=slug, metric__code=code).update(**fields)


def override(tenant: Tenant, units: int | None, *, mode: str = "add", **fields: Any) -> Override:
    metric = Metric.objects.get(code="api_calls")
    times = {"starts": AT - HOUR, **fields}
    return Override.objects.create(
        tenant=tenant, metric=metric, mode=mode, units=units, reason="test", **times
    )


def limit(tenant: Tenant, at: datetime = AT) -> Limit:
    return entitlements(tenant, at).limits["api_calls"]


def amounts(tenant: Tenant, at: datetime = AT) -> tuple[int | None, int | None, int | None]:
    """Included, stop and size."""
    found = limit(tenant, at)
    return found.included, found.stop, found.size


class TestPlans:
    def test_tenant_without_a_subscription_has_the_default_plan(self, tenant: Tenant) -> None:
        found = entitlements(tenant, AT)
        assert (found.plan.slug, found.version, found.until) == ("free", 0, MONTH_ENDS)
        assert amounts(tenant) == (1_000, 1_000, 1_000)

    def test_subscription_holds_from_its_beginning_to_before_its_end(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant()
        Subscription.objects.create(tenant=tenant, plan=plan("pro"), starts=AT, ends=AT + HOUR)
        tick = timedelta(microseconds=1)
        moments = (AT - tick, AT, AT + HOUR - tick, AT + HOUR)
        assert [entitlements(tenant, at).plan.slug for at in moments] == ["free", "pro", "pro", "free"]

    def test_until_names_the_next_change(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("northwind", "starter")
        subscribe(tenant, plan("pro"), at=AT + HOUR, actor=None, reason="more")
        assert entitlements(tenant, AT).until == AT + HOUR
        assert entitlements(tenant, AT + HOUR).until == MONTH_ENDS
        assert entitlements(tenant, MONTH_ENDS).until == datetime(2027, 1, 1, tzinfo=UTC)

    def test_metric_the_plan_lacks_is_not_there(self, tenant: Tenant) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="api_calls").delete()
        assert "api_calls" not in entitlements(tenant, AT).limits

    def test_missing_default_plan_has_a_name(self, tenant: Tenant, settings: Settings) -> None:
        settings.HEADROOM_DEFAULT_PLAN = "gone"
        with pytest.raises(NoDefaultPlan, match="'gone' names no plan"):
            entitlements(tenant, AT)

    def test_new_anchor_moves_the_end(self, tenant: Tenant) -> None:
        change_anchor(tenant, 15, AT)
        assert entitlements(tenant, AT).until == MONTH_ENDS
        found = entitlements(tenant, MONTH_ENDS)
        assert (found.period.first.isoformat(), found.until.day) == ("2026-12-01", 15)

    def test_version_is_that_of_the_last_change(self, make_tenant: MakeTenant) -> None:
        first, second = make_tenant("first"), make_tenant("second")
        for _ in range(2):
            limits_changed(Tenant.objects.filter(pk=first.pk), reason="test", at=AT)
        found = entitlements_of([first, second], AT)
        assert [found[tenant.pk].version for tenant in (first, second)] == [2, 0]

    def test_many_tenants_cost_as_many_queries_as_one(self, make_tenant: MakeTenant) -> None:
        tenants = [make_tenant(f"tenant-{number}", "pro") for number in range(5)]
        counts = []
        for some in (tenants[:1], tenants):
            with CaptureQueriesContext(connection) as queries:
                entitlements_of(some, AT)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 6


class TestBeyond:
    @pytest.mark.parametrize(
        ("beyond", "hard", "stop", "size"),
        [
            ("stop", None, 1_000, 1_000),
            ("stop", 5_000, 1_000, 1_000),
            ("bill", None, None, 1_000),
            ("bill", 5_000, 5_000, 5_000),
            ("notify", None, None, 1_000),
            ("notify", 5_000, 5_000, 5_000),
        ],
    )
    def test_says_where_requests_stop(
        self, tenant: Tenant, beyond: str, hard: int | None, stop: int | None, size: int
    ) -> None:
        allow("free", beyond=beyond, hard_limit=hard)
        assert amounts(tenant) == (1_000, stop, size)

    @pytest.mark.parametrize(("included", "expected"), [(None, (None, None, None)), (0, (0, 0, 0))])
    def test_unlimited_and_nothing(
        self, tenant: Tenant, included: int | None, expected: tuple[int | None, ...]
    ) -> None:
        allow("free", included=included)
        assert amounts(tenant) == expected

    def test_burst_is_the_plans(self, tenant: Tenant) -> None:
        allow("free", burst=60)
        override(tenant, 500)
        assert limit(tenant).burst == 60


class TestOverrides:
    def test_adds_to_included_and_hard_limit_alike(self, tenant: Tenant) -> None:
        allow("free", beyond="bill", hard_limit=5_000)
        override(tenant, 500)
        assert amounts(tenant) == (1_500, 5_500, 5_500)

    def test_sets_the_included_and_moves_the_hard_limit_by_as_much(self, tenant: Tenant) -> None:
        allow("free", beyond="bill", hard_limit=5_000)
        override(tenant, 300, mode="set")
        assert amounts(tenant) == (300, 4_300, 4_300)

    def test_sets_nothing_and_no_limit(self, make_tenant: MakeTenant) -> None:
        none, all_ = make_tenant("none"), make_tenant("all")
        override(none, 0, mode="set")
        override(all_, None, mode="set")
        assert [amounts(tenant) for tenant in (none, all_)] == [(0, 0, 0), (None, None, None)]

    def test_adding_to_no_limit_changes_nothing(self, tenant: Tenant) -> None:
        allow("free", included=None)
        override(tenant, 500)
        assert amounts(tenant) == (None, None, None)

    def test_hard_limit_of_an_unlimited_plan_stays_where_it_is(self, tenant: Tenant) -> None:
        """There are no units by which it could move."""
        allow("free", included=None, beyond="bill", hard_limit=5_000)
        override(tenant, 300, mode="set")
        assert amounts(tenant) == (300, 5_000, 5_000)

    def test_act_in_the_order_of_their_beginnings(self, tenant: Tenant) -> None:
        override(tenant, 7, mode="add", starts=AT - HOUR)
        override(tenant, 300, mode="set", starts=AT - 3 * HOUR)
        override(tenant, 5, mode="add", starts=AT - 4 * HOUR)
        assert amounts(tenant)[0] == 307

    def test_hold_from_their_beginning_to_before_their_end(self, tenant: Tenant) -> None:
        override(tenant, 500, starts=AT, ends=AT + HOUR)
        tick = timedelta(microseconds=1)
        moments = (AT - tick, AT, AT + HOUR - tick, AT + HOUR)
        assert [amounts(tenant, at)[0] for at in moments] == [1_000, 1_500, 1_500, 1_000]
        assert [entitlements(tenant, at).until for at in moments] == [AT, AT + HOUR, AT + HOUR, MONTH_ENDS]

    def test_of_others_do_not_matter(self, tenant: Tenant, make_tenant: MakeTenant) -> None:
        override(make_tenant("other"), 500)
        assert amounts(tenant)[0] == 1_000
        assert entitlements(tenant, AT).limits["users"].included == 3

    @given(
        starts=st.lists(st.integers(-5, 5), max_size=4),
        hours=st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=4, max_size=4),
        later=st.integers(0, 9),
    )
    @hypothesis_settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_nothing_changes_before_until(
        self, tenant: Tenant, starts: list[int], hours: list[int | None], later: int
    ) -> None:
        Override.objects.filter(tenant=tenant).delete()
        for number, (start, length) in enumerate(zip(starts, hours, strict=False)):
            begins = AT + start * HOUR
            override(tenant, 10**number, starts=begins, ends=begins + length * HOUR if length else None)
        now, moment = entitlements(tenant, AT), AT + later * HOUR
        if moment < now.until:
            assert entitlements(tenant, moment).limits == now.limits
        elif now.until < MONTH_ENDS:
            assert amounts(tenant, now.until) != amounts(tenant, AT)
