"""Operations' spend cap in the admin: asked before it is saved, kept with its author, shown beside the owner's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.caps import set_cap
from billing.models import EntitlementChange, SpendCap
from billing.periods import period_at
from billing.terms import moment
from tenants.models import Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.forms import form_data
from tests.usage.counted import use

pytestmark = pytest.mark.django_db

OWNER, OPERATIONS = SpendCap.Side.OWNER, SpendCap.Side.OPERATIONS


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def acme(make_tenant: MakeTenant) -> Tenant:
    """A tenant on Pro that has spent 319.79 beyond it."""
    tenant = make_tenant("acme", "pro")
    use(tenant, "api_calls", 819_790, at=timezone.now())
    return tenant


def page(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_cap", args=[tenant.pk])


def send(admin: Client, tenant: Tenant, mode: str, amount: str = "", **more: Any) -> str:
    """Fill the form and send it; returns what is answered in the end."""
    sent = form_data(admin.get(page(tenant)), "cap_form", mode=mode, amount=amount, **more)
    return admin.post(page(tenant), sent, follow=True).content.decode()


def caps(tenant: Tenant) -> dict[str, tuple[str, Decimal]]:
    return {cap.side: (cap.mode, cap.amount) for cap in SpendCap.objects.filter(tenant=tenant)}


class TestCapPage:
    def test_asks_and_says_what_happens_at_once(self, admin: Client, acme: Tenant) -> None:
        html = send(admin, acme, "stop", "300.00")
        until = moment(period_at(acme, timezone.now()).ends)
        assert "Spent beyond the plan so far: 319.79 USD." in html
        assert f"Billable requests are refused at once until {until}. Included amounts keep working." in html
        assert caps(acme) == {}

    def test_says_less_where_nothing_stops_yet(self, admin: Client, acme: Tenant) -> None:
        for mode, amount in (("stop", "400"), ("notify", "300")):
            html = send(admin, acme, mode, amount)
            assert "The lower of the owner&#x27;s and this cap counts" in html
            assert "refused at once" not in html

    def test_saves_what_was_agreed_to(self, admin: Client, acme: Tenant, staff: User) -> None:
        html = send(admin, acme, "stop", "300.00", confirmed="stop 300.00")
        assert "Owner: none. Operations: stop billed use at 300.00 USD a period" in html
        assert caps(acme) == {OPERATIONS: ("stop", Decimal(300))}
        change = EntitlementChange.objects.latest("pk")
        assert (change.actor, change.reason) == (staff, "Operations: stop billed use at 300.00 USD a period")
        assert LogEntry.objects.get().get_change_message() == "Spend cap changed."
        assert SpendCap.history.get().history_user == staff

    @pytest.mark.parametrize("confirmed", ["stop 299.00", "notify 300.00", "none", "yes"])
    def test_asks_again_for_anything_else(self, admin: Client, acme: Tenant, confirmed: str) -> None:
        assert 'id="consequences"' in send(admin, acme, "stop", "300.00", confirmed=confirmed)
        assert caps(acme) == {}

    def test_lifts_that_of_operations_alone(self, admin: Client, acme: Tenant) -> None:
        for side in (OWNER, OPERATIONS):
            given = {"at": timezone.now() - timedelta(hours=1), "actor": None}
            set_cap(acme, side=side, mode="stop", amount=Decimal(400), **given)  # type: ignore[arg-type]
        assert "a cap of the owner stays" in send(admin, acme, "none")
        send(admin, acme, "none", confirmed="none")
        assert caps(acme) == {OWNER: ("stop", Decimal(400))}

    @pytest.mark.parametrize(
        ("mode", "amount", "problem"),
        [
            ("stop", "", "Enter the amount."),
            ("stop", "-1", "greater than or equal to 0"),
            ("notify", "a lot", "Enter a number."),
        ],
    )
    def test_names_the_mistake(
        self, admin: Client, acme: Tenant, mode: str, amount: str, problem: str
    ) -> None:
        assert problem in send(admin, acme, mode, amount)
        assert caps(acme) == {}

    def test_is_for_who_may_change_caps(
        self, client_for: Callable[[User], Client], make_user: MakeUser, acme: Tenant
    ) -> None:
        clerk = make_user("clerk@ops.example", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="change_tenant"))
        assert client_for(clerk).get(page(acme)).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="change_spendcap"))
        assert client_for(User.objects.get(pk=clerk.pk)).get(page(acme)).status_code == 200


class TestTenantPage:
    def test_shows_both_caps_and_leads_to_their_page(self, admin: Client, acme: Tenant) -> None:
        send(admin, acme, "notify", "50.00", confirmed="notify 50.00")
        html = admin.get(reverse("admin:tenants_tenant_change", args=[acme.pk])).content.decode()
        assert "Owner: none. Operations: tell at 50.00 USD a period" in html
        assert page(acme) in html


class TestList:
    def test_is_looked_at_and_never_edited(self, admin: Client, acme: Tenant) -> None:
        send(admin, acme, "stop", "300.00", confirmed="stop 300.00")
        cap = SpendCap.objects.get()
        assert "acme" in admin.get(reverse("admin:billing_spendcap_changelist")).content.decode().lower()
        change = reverse("admin:billing_spendcap_change", args=[cap.pk])
        assert admin.get(change).status_code == 200
        assert admin.post(change, {"amount": "1"}).status_code == 403
        history = admin.get(reverse("admin:billing_spendcap_history", args=[cap.pk]))
        assert "sam@ops.example" in history.content.decode()
