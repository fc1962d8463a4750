"""What pages say of the days ahead: the plan that is scheduled, and grants that end within a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.models import Metric, Override, Plan
from billing.subscriptions import cancel, change_plan
from tenants.models import Tenant, User
from tests.conftest import MakeTenant
from tests.usage.counted import NOW
from usage.reports.coming import Coming, coming
from usage.reports.readings import contracts_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
END = datetime(2026, 11, 30, tzinfo=UTC)
MB = 10**6


def read(tenant: Tenant, at: datetime = NOW, *, for_staff: bool = False) -> Coming:
    return coming(contracts_of(tenant, at), tenant, at, for_staff=for_staff)


def give(tenant: Tenant, units: int | None, *, code: str = "api_calls", **fields: object) -> Override:
    metric = Metric.objects.get(code=code)
    given = {"mode": "add", "reason": "launch", "starts": NOW - DAY, "ends": END}
    return Override.objects.create(tenant=tenant, metric=metric, units=units, **{**given, **fields})


def titles(tenant: Tenant, at: datetime = NOW) -> list[str]:
    return [one.title for one in read(tenant, at).endings]


class TestEndings:
    def test_say_what_ends_when_and_what_is_left(self, tenant: Tenant) -> None:
        give(tenant, 10_000)
        [one] = read(tenant).endings
        assert one.title == "Your extra 10,000 API calls end on 30 November, 00:00 UTC."
        assert one.text == "From then on you have 1,000 API calls."

    @pytest.mark.parametrize(
        ("units", "fields", "title"),
        [
            (1, {}, "Your extra 1 API call ends on"),
            (5_000 * MB, {"code": "storage"}, "Your extra 5 GB of storage ends on"),
            (60_000, {"mode": "set"}, "Your own amount of 60,000 API calls ends on"),
            (None, {"mode": "set"}, "Your unlimited API calls end on"),
            (None, {"mode": "set", "code": "storage"}, "Your unlimited storage ends on"),
        ],
    )
    def test_name_every_kind(
        self, tenant: Tenant, units: int | None, fields: dict[str, str], title: str
    ) -> None:
        give(tenant, units, **fields)
        assert titles(tenant) == [f"{title} 30 November, 00:00 UTC."]

    def test_begin_a_week_before_and_end_with_it(self, tenant: Tenant) -> None:
        give(tenant, 10_000)
        week = timedelta(days=7)
        assert titles(tenant, END - week - timedelta(seconds=1)) == []
        assert len(titles(tenant, END - week)) == 1
        assert len(titles(tenant, END - timedelta(seconds=1))) == 1
        assert titles(tenant, END) == []

    def test_leave_out_what_has_not_begun_or_never_ends(self, tenant: Tenant) -> None:
        give(tenant, 5, ends=None)
        give(tenant, 5, starts=NOW + DAY)
        assert titles(tenant) == []

    def test_come_in_the_order_in_which_they_end(self, tenant: Tenant) -> None:
        give(tenant, 5)
        give(tenant, 7, ends=END - DAY)
        assert titles(tenant) == [
            "Your extra 7 API calls end on 29 November, 00:00 UTC.",
            "Your extra 5 API calls end on 30 November, 00:00 UTC.",
        ]

    def test_go_by_the_plan_and_the_grants_of_that_day(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "starter")
        give(tenant, 10_000, ends=END + DAY)
        give(tenant, 7)
        change_plan(tenant, Plan.objects.get(slug="free"), at=NOW, actor=None, reason="")
        assert [one.text for one in read(tenant, NOW + DAY).endings] == [
            "From then on you have 60,000 API calls.",
            "From then on you have 1,000 API calls.",
        ]

    def test_are_silent_about_what_the_plan_does_not_know(self, tenant: Tenant) -> None:
        give(tenant, 10_000)
        Plan.objects.get(slug="free").allowances.filter(metric__code="api_calls").delete()
        assert titles(tenant) == []

    def test_say_the_year_where_it_is_another(self, tenant: Tenant) -> None:
        give(tenant, 5, ends=datetime(2027, 1, 2, 8, 30, tzinfo=UTC))
        at = datetime(2026, 12, 30, tzinfo=UTC)
        assert titles(tenant, at) == ["Your extra 5 API calls end on 2 January 2027, 08:30 UTC."]


class TestPlanned:
    def test_says_which_plan_when_by_whom_and_why(self, make_tenant: MakeTenant, owner: User) -> None:
        tenant = make_tenant("acme", "pro")
        change_plan(
            tenant, Plan.objects.get(slug="starter"), at=NOW, actor=owner, reason="100 % of it is idle"
        )
        planned = read(tenant).planned
        assert planned
        assert planned.title == "Starter begins on 1 December, 00:00 UTC."
        assert planned.text == (
            "Until then Pro and its limits go on. By olive@northwind.example: “100 % of it is idle”."
        )

    def test_says_what_remains_after_a_cancellation(self, make_tenant: MakeTenant, staff: User) -> None:
        tenant = make_tenant("acme", "pro")
        cancel(tenant, at=NOW, actor=staff, reason="")
        planned = read(tenant).planned
        assert planned
        assert planned.title == "Pro ends on 1 December, 00:00 UTC, then Free holds."
        assert planned.text == "Until then Pro and its limits go on. By Operations."
        told = read(tenant, for_staff=True).planned
        assert told
        assert told.text.endswith("By sam@ops.example.")

    def test_knows_what_nobody_did(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "pro")
        cancel(tenant, at=NOW, actor=None, reason="imported")
        planned = read(tenant).planned
        assert planned
        assert planned.text == "Until then Pro and its limits go on. “imported”."

    def test_costs_no_query_while_nothing_is_scheduled(
        self, make_tenant: MakeTenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tenant = make_tenant("acme", "pro")
        give(tenant, 10_000)
        contracts = contracts_of(tenant, NOW)
        with django_assert_num_queries(0):
            assert coming(contracts, tenant, NOW, for_staff=False).planned is None
