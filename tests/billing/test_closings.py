"""Which period comes next for whom: new tenants, closed ones, those that came back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing.closings import closing, move_on, plan_closings, statuses_changed
from billing.models import Closing, Statement
from billing.periods import period_at
from tenants.models import Tenant, User
from tests.conftest import MakeTenant

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
MADE = datetime(2026, 11, 20, tzinfo=UTC)
OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))
ACTIVE, CLOSED = Tenant.Status.ACTIVE, Tenant.Status.CLOSED


def periods() -> dict[str, date]:
    return dict(Closing.objects.values_list("tenant__slug", "period"))


def set_status(tenant: Tenant, status: Tenant.Status) -> None:
    tenant.status = status
    tenant.save()


def test_are_taken_in_order_without_sorting_all_that_are_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")  # for the few rows of a test it would do
        plan = Closing.objects.due(AT)[:500].explain()
    assert "closings_in_order" in plan
    assert "Sort" not in plan


def bill(tenant: Tenant, period: date) -> None:
    """Something was issued for a period."""
    Statement.objects.create(
        number=f"HR-{tenant.slug}-{period}",
        tenant=tenant,
        period=period,
        until=DECEMBER,
        issued_at=AT,
        currency="USD",
        base_fee=0,
        overage=0,
        total=0,
        document={},
    )


class TestPlan:
    def test_begins_with_the_period_a_tenant_was_made_in(self, make_tenant: MakeTenant) -> None:
        make_tenant("one", created_at=MADE)
        make_tenant("other", created_at=datetime(2026, 9, 3, tzinfo=UTC), anchor_day=15)
        plan_closings(AT)
        assert periods() == {"one": NOVEMBER, "other": date(2026, 8, 15)}
        due = Closing.objects.get(tenant__slug="one").due_at
        assert due == datetime(2026, 12, 1, 1, tzinfo=UTC)

    def test_leaves_what_is_planned(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=MADE)
        closing(tenant, period_at(tenant, MADE - timedelta(days=40))).save()
        plan_closings(AT)
        assert periods() == {"northwind": OCTOBER}

    def test_goes_through_many(self, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.closings.CHUNK", 2)
        for number in range(5):
            make_tenant(f"t{number}", created_at=MADE)
        plan_closings(AT)
        plan_closings(AT)
        assert Closing.objects.count() == 5

    def test_has_nothing_for_who_is_closed_and_was_all_issued(self, make_tenant: MakeTenant) -> None:
        make_tenant(created_at=MADE, status=CLOSED)
        plan_closings(AT)
        assert periods() == {}

    def test_begins_anew_with_the_present_period_for_who_came_back(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=datetime(2026, 3, 3, tzinfo=UTC))
        bill(tenant, date(2026, 4, 1))
        plan_closings(AT)
        assert periods() == {"northwind": NOVEMBER}


class TestClosed:
    def test_ends_with_the_period_in_which_it_was_seen(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=MADE)
        plan_closings(AT)
        set_status(tenant, CLOSED)
        plan_closings(AT + timedelta(days=8))  # in December
        one = Closing.objects.get()
        assert (one.period, one.last) == (NOVEMBER, DECEMBER)
        move_on([one])
        assert Closing.objects.get().period == DECEMBER
        move_on([Closing.objects.get()])
        assert not Closing.objects.exists()

    def test_goes_on_for_who_came_back_before_that(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=MADE)
        plan_closings(AT)
        set_status(tenant, CLOSED)
        plan_closings(AT)
        set_status(tenant, ACTIVE)
        plan_closings(AT)
        move_on([Closing.objects.get()])
        one = Closing.objects.get()
        assert (one.period, one.last) == (DECEMBER, None)

    def test_is_known_at_once_where_operations_close(
        self, make_tenant: MakeTenant, staff: User, client_for: Callable[[User], Client]
    ) -> None:
        tenant, client = make_tenant(created_at=MADE), client_for(staff)
        for action, is_last in (("close", True), ("reactivate", False), ("suspend", False)):
            data = {"action": action, "_selected_action": tenant.pk, "confirmed": "yes"}
            client.post(reverse("admin:tenants_tenant_changelist"), data)
            tenant.refresh_from_db()
            one = Closing.objects.get()
            assert (tenant.is_closed, one.last is not None) == (is_last, is_last)
            assert one.period == NOVEMBER

    def test_goes_by_when_it_was_closed_not_by_when_that_was_seen(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=MADE, status=CLOSED)
        statuses_changed([tenant], AT)
        plan_closings(AT + timedelta(days=8))
        assert [(one.period, one.last) for one in Closing.objects.all()] == [(NOVEMBER, NOVEMBER)]
