"""Judging readings in PostgreSQL: what is recorded, who is told, and that two judges tell once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from billing.models import Metric
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.alerting import AT, BILL, at_once, limit, own, reading, rights
from usage.alerts.thresholds import Reading, judge
from usage.models import Alert, Delivery, JudgedLimit, Threshold

OPS = "ops@headroom.example"


@pytest.fixture(autouse=True)
def _operations(settings: Settings) -> None:
    settings.HEADROOM_OPS_EMAIL = [OPS]


@pytest.fixture
def northwind(make_tenant: MakeTenant) -> Tenant:
    """A tenant with two owners."""
    tenant = make_tenant("northwind")
    own(tenant, "olive@northwind.example", "omar@northwind.example")
    return tenant


def routes() -> list[tuple[str, str]]:
    return sorted(Delivery.objects.values_list("channel", "target"))


OWNERS = [("email", "olive@northwind.example"), ("email", "omar@northwind.example")]
OPERATIONS = [("email", OPS), ("inbox", "staff")]


@pytest.mark.django_db
class TestJudge:
    def test_records_the_crossing_with_what_was_true(self, northwind: Tenant) -> None:
        judge([reading(northwind, 850, 1_000)], AT)
        alert = Alert.objects.get()
        assert (alert.tenant, str(alert.metric), str(alert.period)) == (northwind, "API calls", "2026-11-01")
        assert (alert.kind, alert.percent, alert.limit, alert.used) == ("threshold", 80, 1_000, 850)
        assert (alert.plan.slug if alert.plan else "", alert.beyond, alert.is_sent, alert.at) == (
            "pro",
            "stop",
            True,
            AT,
        )

    def test_returns_how_many_deliveries_it_wrote(self, northwind: Tenant) -> None:
        assert judge([reading(northwind, 500, 1_000)], AT) == 0
        assert judge([reading(northwind, 850, 1_000)], AT) == 2
        assert judge([reading(northwind, 860, 1_000)], AT) == 0

    def test_queues_for_now(self, northwind: Tenant) -> None:
        judge([reading(northwind, 850, 1_000)], AT)
        assert set(Delivery.objects.values_list("status", "attempts", "due_at", "created_at")) == {
            ("waiting", 0, AT, AT)
        }

    def test_new_period_tells_again(self, northwind: Tenant) -> None:
        judge([reading(northwind, 850, 1_000)], AT)
        assert judge([reading(northwind, 850, 1_000, at=AT + timedelta(days=10))], AT) == 2

    def test_raised_limit_is_recorded_only(self, northwind: Tenant) -> None:
        judge([reading(northwind, 900, 1_000)], AT)
        assert judge([reading(northwind, 900, 1_050)], AT) == 0
        assert Alert.objects.filter(limit=1_050, is_sent=False).count() == 1

    def test_lowered_limit_is_told(self, northwind: Tenant) -> None:
        judge([reading(northwind, 500, 1_000)], AT)
        assert judge([reading(northwind, 500, 600)], AT) == 2

    def test_metrics_and_tenants_are_judged_apart(self, northwind: Tenant, make_tenant: MakeTenant) -> None:
        other = make_tenant("contoso")
        own(other, "ada@contoso.example")
        both = {code: limit(100, metric=Metric.objects.get(code=code)) for code in ("api_calls", "users")}
        readings = [
            Reading(northwind, rights(northwind, both), {"api_calls": 90, "users": 10}, {}),
            Reading(other, rights(other, both), {"api_calls": 10, "users": 80}, {}),
        ]
        assert judge(readings, AT) == 3
        told = Alert.objects.filter(is_sent=True).values_list("tenant__slug", "metric__code", "percent")
        assert set(told) == {("northwind", "api_calls", 90), ("contoso", "users", 80)}

    def test_asks_the_same_number_of_times_for_one_and_for_many(
        self, northwind: Tenant, make_tenant: MakeTenant
    ) -> None:
        alone = [reading(northwind, 850, 1_000)]
        with CaptureQueriesContext(connection) as one:
            judge(alone, AT)
        tenants = [make_tenant(f"tenant-{number}") for number in range(30)]
        for tenant in tenants:
            own(tenant, f"owner@{tenant.slug}.example")
        readings = [reading(tenant, 850, 1_000) for tenant in tenants]
        with CaptureQueriesContext(connection) as many:
            assert judge(readings, AT) == 30
        assert len(many) == len(one)

    def test_far_from_every_line_costs_two_reads(self, northwind: Tenant) -> None:
        judge([reading(northwind, 100, 1_000)], AT)
        further = [reading(northwind, 200, 1_000)]
        with CaptureQueriesContext(connection) as queries:
            judge(further, AT)
        assert len(queries) == 2

    def test_no_readings_are_no_news(self) -> None:
        assert judge([], AT) == 0


@pytest.mark.django_db
class TestOwnThresholds:
    def test_of_the_metric_come_before_those_of_all(self, northwind: Tenant) -> None:
        calls = Metric.objects.get(code="api_calls")
        Threshold.objects.create(tenant=northwind, metric=None, percents=[10])
        Threshold.objects.create(tenant=northwind, metric=calls, percents=[50, 20])
        judge([reading(northwind, 55, 100), reading(northwind, 15, 100, metric="users")], AT)
        told = Alert.objects.filter(is_sent=True).values_list("metric__code", "percent")
        assert set(told) == {("api_calls", 50), ("users", 10)}

    def test_of_none_silences_thresholds_but_no_refusal(self, northwind: Tenant) -> None:
        Threshold.objects.create(tenant=northwind, metric=None, percents=[])
        assert judge([reading(northwind, 100, 100)], AT) == 0
        assert judge([reading(northwind, 100, 100, refused=1)], AT) == 4

    def test_of_another_tenant_do_not_matter(self, northwind: Tenant, make_tenant: MakeTenant) -> None:
        Threshold.objects.create(tenant=make_tenant("contoso"), metric=None, percents=[10])
        assert judge([reading(northwind, 15, 100)], AT) == 0


@pytest.mark.django_db
class TestRoutes:
    @pytest.mark.parametrize("used", [80, 90, 95])
    def test_before_the_limit_owners_are_told(self, northwind: Tenant, used: int) -> None:
        judge([reading(northwind, used, 100)], AT)
        assert routes() == OWNERS

    def test_at_the_limit_operations_are_told_too(self, northwind: Tenant) -> None:
        judge([reading(northwind, 100, 100)], AT)
        assert routes() == sorted(OWNERS + OPERATIONS)

    def test_first_refusal_is_told_to_operations_too(self, northwind: Tenant) -> None:
        judge([reading(northwind, 50, 100, refused=1)], AT)
        assert routes() == sorted(OWNERS + OPERATIONS)

    def test_limit_and_refusal_in_one_step_are_one_mail(self, northwind: Tenant) -> None:
        assert judge([reading(northwind, 100, 100, refused=7)], AT) == 4

    def test_beginning_of_billing_is_for_owners(self, northwind: Tenant) -> None:
        judge([reading(northwind, 101, limit(100, BILL, hard_limit=900))], AT)
        assert routes() == OWNERS

    def test_only_active_owners_are_told(self, northwind: Tenant, make_user: MakeUser) -> None:
        make_user("admin@northwind.example", Membership.Role.ADMIN, northwind)
        make_user("viewer@northwind.example", Membership.Role.VIEWER, northwind)
        User.objects.filter(email="omar@northwind.example").update(is_active=False)
        judge([reading(northwind, 80, 100)], AT)
        assert routes() == OWNERS[:1]

    def test_without_an_active_owner_operations_are_told(self, northwind: Tenant) -> None:
        User.objects.update(is_active=False)
        judge([reading(northwind, 80, 100)], AT)
        assert routes() == OPERATIONS

    def test_without_an_address_for_operations_all_active_staff_are(
        self, northwind: Tenant, make_user: MakeUser, settings: Settings
    ) -> None:
        settings.HEADROOM_OPS_EMAIL = []
        make_user("sam@ops.example", is_staff=True)
        make_user("gone@ops.example", is_staff=True, is_active=False)
        judge([reading(northwind, 100, 100)], AT)
        assert routes() == sorted([*OWNERS, ("email", "sam@ops.example"), ("inbox", "staff")])

    def test_an_owner_who_is_operations_gets_one_mail(self, northwind: Tenant, settings: Settings) -> None:
        settings.HEADROOM_OPS_EMAIL = ["Olive@Northwind.example"]
        judge([reading(northwind, 100, 100)], AT)
        assert routes() == [*OWNERS, ("inbox", "staff")]


@pytest.mark.django_db
class TestAnySequence:
    @hypothesis_settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        st.lists(
            st.tuples(st.integers(0, 130), st.sampled_from([None, 0, 50, 100, 120]), st.integers(0, 1)),
            max_size=8,
        )
    )
    def test_records_what_was_passed_and_sends_each_line_once(
        self, northwind: Tenant, steps: list[tuple[int, int | None, int]]
    ) -> None:
        with transaction.atomic():
            refused = 0
            for used, of, more in steps:
                refused += more
                judge([reading(northwind, used, of, refused=refused)], AT)
                passed = {percent for percent in (80, 90, 95, 100) if of and used * 100 >= percent * of}
                known = Alert.objects.filter(kind=Alert.Kind.THRESHOLD, limit=of)
                assert passed <= set(known.values_list("percent", flat=True))
            sent = set(Alert.objects.filter(is_sent=True))
            assert {alert for alert in sent if alert.deliveries.count() < len(OWNERS)} == set()
            assert Delivery.objects.exclude(alert__in=sent).count() == 0
            assert JudgedLimit.objects.count() == bool(steps)
            transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_judges_tell_once(self, northwind: Tenant) -> None:
        one = reading(northwind, 1_000, 1_000, refused=3)
        gate = threading.Barrier(8)
        wrote: list[int] = []

        def run() -> None:
            gate.wait()
            with transaction.atomic():
                wrote.append(judge([one], AT))

        at_once(8, run)
        assert sorted(wrote) == [0] * 7 + [4]
        assert Alert.objects.count() == 5
        assert routes() == sorted(OWNERS + OPERATIONS)

    @pytest.mark.parametrize(("used", "refused"), [(1_000, 0), (500, 1)])
    def test_judges_of_many_tenants_in_any_order_do_not_wait_for_each_other(
        self, make_tenant: MakeTenant, used: int, refused: int
    ) -> None:
        tenants = [make_tenant(f"tenant-{number}") for number in range(40)]
        judge([reading(tenant, 500, 1_000) for tenant in tenants], AT)
        readings = [reading(tenant, used, 1_000, refused=refused) for tenant in tenants]
        orders = iter([readings, readings[::-1], readings[7:] + readings[:7], readings[::2] + readings[1::2]])
        gate = threading.Barrier(4)

        def run() -> None:
            mine = next(orders)
            gate.wait()
            with transaction.atomic():
                judge(mine, AT)

        at_once(4, run)
        assert Delivery.objects.count() == 40 * len(OPERATIONS)

    def test_judge_that_rolls_back_leaves_the_news_to_the_next(self, northwind: Tenant) -> None:
        with transaction.atomic():
            judge([reading(northwind, 850, 1_000)], AT)
            transaction.set_rollback(True)
        assert judge([reading(northwind, 850, 1_000)], AT) == 2
