"""What was counted and told, in the admin: looked at, never edited; given-up deliveries sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.models import Metric
from tenants.models import Tenant, User
from tests.forms import form_data
from tests.usage.standing import standing
from usage.models import Alert, Delivery, Notice, Threshold

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
LISTS = ["alert", "delivery", "notice", "standing", "threshold"]


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


def alert(tenant: Tenant, percent: int = 80) -> Alert:
    given = {"kind": "threshold", "percent": percent, "limit": 1000, "used": 800, "is_sent": True, "at": AT}
    metric = Metric.objects.get(code="api_calls")
    return Alert.objects.create(tenant=tenant, metric=metric, period=AT.date().replace(day=1), **given)


def delivery(of: Alert, status: str, **fields: Any) -> Delivery:
    given = {"channel": "email", "target": f"{status}@x.example", "due_at": AT, "created_at": AT}
    return Delivery.objects.create(alert=of, status=status, **{**given, **fields})


@pytest.fixture
def rows(make_tenant: Callable[..., Tenant]) -> None:
    """A row of each list."""
    one = alert(standing("acme").tenant)
    delivery(one, "dead", attempts=10, error="550", ended_at=AT)
    Notice.objects.create(tenant=one.tenant, kind="alert", text="x", at=AT)
    Threshold.objects.create(tenant=one.tenant, percents=[80])


class TestPages:
    @pytest.mark.parametrize("model", LISTS)
    def test_open_and_search(self, admin: Client, rows: None, model: str) -> None:
        path = reverse(f"admin:usage_{model}_changelist")
        found = admin.get(path, {"q": "acme"})
        assert found.status_code == 200
        (one,) = found.context["cl"].queryset
        assert admin.get(path, {"q": "zzz"}).context["cl"].queryset.count() == 0
        assert admin.get(reverse(f"admin:usage_{model}_change", args=[one.pk])).status_code == 200

    @pytest.mark.parametrize("model", LISTS[:-1])
    def test_take_no_edits(self, admin: Client, rows: None, model: str) -> None:
        (one,) = admin.get(reverse(f"admin:usage_{model}_changelist")).context["cl"].queryset
        assert admin.post(reverse(f"admin:usage_{model}_change", args=[one.pk])).status_code == 403
        assert admin.post(reverse(f"admin:usage_{model}_delete", args=[one.pk])).status_code == 403
        assert admin.get(reverse(f"admin:usage_{model}_add")).status_code == 403

    @pytest.mark.parametrize("model", LISTS)
    def test_list_many_with_few_queries(
        self, admin: Client, model: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(25):
            one = alert(standing(f"t{n}").tenant)
            delivery(one, "sent")
            Notice.objects.create(tenant=one.tenant, kind="alert", text="x", at=AT)
            Threshold.objects.create(tenant=one.tenant, percents=[80])
        with django_assert_max_num_queries(7):
            assert admin.get(reverse(f"admin:usage_{model}_changelist")).status_code == 200


class TestDeliveries:
    def send_again(self, admin: Client, *chosen: Delivery) -> str:
        path = reverse("admin:usage_delivery_changelist")
        data = {"action": "send_again", "_selected_action": [one.pk for one in chosen]}
        return admin.post(path, data, follow=True).content.decode()

    def test_given_up_are_sent_again_from_the_first_attempt(self, admin: Client, tenant: Tenant) -> None:
        one = alert(tenant)
        dead = delivery(one, "dead", attempts=10, error="550", ended_at=AT)
        sent = delivery(one, "sent", attempts=1, ended_at=AT)
        assert "1 delivery is sent again." in self.send_again(admin, dead, sent)
        dead.refresh_from_db()
        sent.refresh_from_db()
        assert (dead.status, dead.attempts, dead.error, dead.ended_at) == ("waiting", 0, "", None)
        assert (sent.status, sent.ended_at) == ("sent", AT)

    def test_who_may_only_look_sends_nothing(
        self, client_for: Callable[[User], Client], make_user: Any, tenant: Tenant
    ) -> None:
        person = make_user("look@ops.example", is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="view_delivery"))
        dead = delivery(alert(tenant), "dead")
        self.send_again(client_for(person), dead)
        dead.refresh_from_db()
        assert dead.status == "dead"


class TestThresholds:
    def test_are_edited_on_the_tenants_page(self, admin: Client, tenant: Tenant) -> None:
        path = reverse("admin:tenants_tenant_change", args=[tenant.pk])
        row = {"thresholds-TOTAL_FORMS": "1", "thresholds-0-metric": "", "thresholds-0-percents": "50,120"}
        admin.post(path, form_data(admin.get(path), "tenant_form", **row))
        assert Threshold.objects.get().percents == [50, 120]
