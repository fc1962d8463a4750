"""What raises a tenant's version: once each, in the transaction of the change, also when many change at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from billing.changes import limits_changed, tenants_on
from billing.models import Entitlement, EntitlementChange, Plan
from billing.subscriptions import subscribe
from tenants.models import Tenant, User
from tests.conftest import MakeTenant

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def versions() -> dict[str, int]:
    return dict(Entitlement.objects.values_list("tenant__slug", "version"))


class TestLimitsChanged:
    def test_raises_each_version_and_writes_one_change(self, make_tenant: MakeTenant, staff: User) -> None:
        a, _b, _c = (make_tenant(slug) for slug in "abc")
        limits_changed(Tenant.objects.filter(pk=a.pk), reason="first", at=AT)
        count = limits_changed(Tenant.objects.filter(slug__in="ab"), reason="second", at=AT, actor=staff)
        assert count == 2
        assert versions() == {"a": 2, "b": 1}
        rows = EntitlementChange.objects.order_by("pk").values_list(
            "tenant__slug", "version", "reason", "actor", "felt_at"
        )
        assert list(rows) == [
            ("a", 1, "first", None, None),
            ("a", 2, "second", staff.pk, None),
            ("b", 1, "second", staff.pk, None),
        ]

    def test_names_a_tenant_once_however_often_the_query_does(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "starter")
        subscribe(tenant, plan("pro"), at=AT, actor=None, reason="up")
        EntitlementChange.objects.all().delete()
        on_it = Tenant.objects.filter(subscriptions__isnull=False).distinct()
        assert limits_changed(on_it, reason="x", at=AT) == 1
        assert EntitlementChange.objects.count() == 1

    def test_keeps_a_long_reason_short(self, tenant: Tenant) -> None:
        limits_changed(Tenant.objects.all(), reason="x" * 400, at=AT)
        assert len(EntitlementChange.objects.get().reason) == 250

    def test_goes_with_its_transaction(self, tenant: Tenant) -> None:
        with transaction.atomic():
            limits_changed(Tenant.objects.all(), reason="x", at=AT)
            transaction.set_rollback(True)
        assert versions() == {}
        assert not EntitlementChange.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_versions_of_many_at_once_follow_each_other(self, transactional_db: None) -> None:
        Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"T{n}") for n in range(5))

        def change(_: int) -> int:
            try:
                return limits_changed(Tenant.objects.all(), reason="x", at=AT)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(change, range(24))) == [5] * 24
        assert set(versions().values()) == {24}
        found = EntitlementChange.objects.values_list("tenant_id", "version")
        assert len(set(found)) == len(found) == 5 * 24


class TestWaiting:
    def test_is_found_without_reading_all_that_ever_changed(self, db: None) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            assert "changes_waiting" in EntitlementChange.objects.waiting().explain()


class TestTenantsOn:
    def test_counts_the_default_plan_for_those_without_a_subscription(self, make_tenant: MakeTenant) -> None:
        bare, subscribed, other = make_tenant("a"), make_tenant("b", "free"), make_tenant("c", "pro")
        ended = make_tenant("d", "pro")
        ended.subscriptions.update(ends=AT - timedelta(days=1))
        assert set(tenants_on(plan("free"), AT)) == {bare, subscribed, ended}
        assert set(tenants_on(plan("pro"), AT)) == {other}

    def test_counts_a_subscription_that_has_yet_to_begin(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "starter")
        subscribe(tenant, plan("pro"), at=AT + timedelta(days=3), actor=None, reason="later")
        assert list(tenants_on(plan("pro"), AT)) == [tenant]
        assert list(tenants_on(plan("starter"), AT)) == [tenant]
        assert list(tenants_on(plan("starter"), AT + timedelta(days=3))) == []

    def test_has_who_will_fall_back_to_the_default_plan(self, make_tenant: MakeTenant) -> None:
        leaving, moving = make_tenant("a", "pro"), make_tenant("b", "pro")
        for tenant in (leaving, moving):
            tenant.subscriptions.update(ends=AT + timedelta(days=3))
        moving.subscriptions.create(plan=plan("starter"), starts=AT + timedelta(days=3))
        assert list(tenants_on(plan("free"), AT)) == [leaving]

    def test_has_who_falls_back_to_the_default_plan_once(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a")
        subscribe(tenant, plan("free"), at=AT + timedelta(days=3), actor=None, reason="later")
        assert list(tenants_on(plan("free"), AT)) == [tenant]
