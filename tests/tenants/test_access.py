"""Who may open a page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser

pytestmark = pytest.mark.urls("tests.tenants.urls")

Browser = Callable[[User], Client]


class TestTenantPage:
    def test_sends_strangers_to_sign_in_and_back(self, client: Client, tenant: Tenant) -> None:
        response = client.get("/t/northwind/")
        assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/t/northwind/")

    @pytest.mark.parametrize(("role", "sees_money"), [("owner", True), ("admin", True), ("viewer", False)])
    def test_opens_for_each_role(
        self, client_for: Browser, make_user: MakeUser, tenant: Tenant, role: str, sees_money: bool
    ) -> None:
        response = client_for(make_user(role=role, tenant=tenant)).get("/t/northwind/")
        assert response.json() == {"role": role, "money": sees_money, "viewing_as": False}

    @pytest.mark.parametrize(("role", "status"), [("owner", 200), ("admin", 200), ("viewer", 403)])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_needs_the_role_it_names(
        self, client_for: Browser, make_user: MakeUser, tenant: Tenant, role: str, status: int, method: str
    ) -> None:
        client = client_for(make_user(role=role, tenant=tenant))
        response = client.generic(method.upper(), "/t/northwind/settings/")
        assert response.status_code == status
        assert status == 200 or "text/html" in response["Content-Type"]

    def test_another_tenants_page_does_not_exist(
        self, client_for: Browser, owner: User, make_tenant: MakeTenant
    ) -> None:
        make_tenant("other")
        client = client_for(owner)
        assert [client.get(f"/t/{slug}/").status_code for slug in ("other", "nowhere")] == [404, 404]

    def test_a_closed_tenants_page_does_not_exist_and_a_suspended_ones_does(
        self, client_for: Browser, owner: User
    ) -> None:
        client = client_for(owner)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        assert client.get("/t/northwind/").status_code == 200
        Tenant.objects.update(status=Tenant.Status.CLOSED)
        assert client.get("/t/northwind/").status_code == 404

    def test_staff_look_at_every_tenant_and_change_nothing(
        self, client_for: Browser, staff: User, make_tenant: MakeTenant
    ) -> None:
        make_tenant("closed", status=Tenant.Status.CLOSED)
        client = client_for(staff)
        assert client.get("/t/closed/").json() == {"role": None, "money": True, "viewing_as": True}
        assert client.get("/t/closed/settings/").status_code == 200
        assert client.post("/t/closed/settings/").status_code == 403
        assert client.get("/t/nowhere/").status_code == 404

    def test_staff_who_are_members_act_by_their_role(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        Membership.objects.create(tenant=tenant, user=staff, role=Membership.Role.VIEWER)
        client = client_for(staff)
        assert client.get("/t/northwind/").json()["viewing_as"] is False
        assert client.get("/t/northwind/settings/").status_code == 403

    def test_writes_the_session_only_when_the_choice_changes(
        self, client_for: Browser, owner: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        with django_assert_num_queries(3):  # session, user, membership with its tenant
            client.get("/t/northwind/")


class TestStaffPage:
    def test_opens_for_staff_alone(
        self, client: Client, client_for: Browser, staff: User, owner: User
    ) -> None:
        assert client_for(staff).get("/staff/tenants/").status_code == 200
        assert client_for(owner).get("/staff/tenants/").status_code == 404
        assert client.get("/staff/tenants/").status_code == 302
