"""Staff who look at a tenant's pages: kept once per person, page and quarter of an hour, and shown only if kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants.models import AuditEntry, Membership, Tenant, User
from tenants.viewing import AGAIN, KEPT_OPEN, note_view
from tests.conftest import MakeTenant, MakeUser

pytestmark = pytest.mark.urls("tests.tenants.urls")

Browser = Callable[[User], Client]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def looks() -> list[tuple[str, str, str]]:
    """Who opened what, where."""
    rows = AuditEntry.objects.filter(action="viewed as staff").order_by("pk")
    return [
        (row.actor.email, row.tenant.slug, row.detail["page"]) for row in rows if row.actor and row.tenant
    ]


def poll(client: Client) -> None:
    """What an open page asks every few seconds."""
    client.get("/t/northwind/?seen=0", headers={"HX-Request": "true"})


class TestTenantPage:
    def test_keeps_who_looked_at_what_from_where(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        client_for(staff).get("/t/northwind/")
        assert looks() == [("sam@ops.example", "northwind", "/t/northwind/")]
        assert AuditEntry.objects.get().detail["network"] == "127.0.0.1"

    def test_keeps_a_page_once_and_another_page_too(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        client = client_for(staff)
        for path in ("/t/northwind/", "/t/northwind/?range=7d", "/t/northwind/settings/", "/t/northwind/"):
            assert client.get(path).status_code == 200
        assert [page for _who, _of, page in looks()] == ["/t/northwind/", "/t/northwind/settings/"]

    def test_does_not_keep_what_members_look_at(
        self, client_for: Browser, owner: User, staff: User, tenant: Tenant
    ) -> None:
        Membership.objects.create(tenant=tenant, user=staff, role=Membership.Role.VIEWER)
        for person in (owner, staff):
            client_for(person).get("/t/northwind/")
        assert looks() == []

    def test_polls_write_nothing(
        self,
        client_for: Browser,
        staff: User,
        tenant: Tenant,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        client = client_for(staff)
        client.get("/t/northwind/")
        AuditEntry.objects.filter(pk__gt=0).delete()
        record_at(tenant, staff, timezone.now() - timedelta(hours=7))
        with django_assert_num_queries(
            5
        ) as asked:  # session, user, membership, tenant, and whether it was kept
            poll(client)
        assert not [one for one in asked.captured_queries if "INSERT" in one["sql"]]

    def test_a_poll_of_a_page_that_nobody_opened_is_kept(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        poll(client_for(staff))
        assert len(looks()) == 1

    def test_posts_are_refused_and_nothing_is_kept_of_them(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        response = client_for(staff).post("/t/northwind/")
        assert response.status_code == 403
        assert "You are viewing Northwind as staff" in response.content.decode()
        assert looks() == []

    def test_what_only_leads_elsewhere_is_no_look(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        assert client_for(staff).get("/t/northwind/away/").status_code == 302
        assert looks() == []

    def test_shows_nothing_that_it_cannot_keep(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE tenants_auditentry ADD CONSTRAINT full_disk CHECK (action <> 'viewed as staff')"
            )
        response = client_for(staff).get("/t/northwind/")
        assert response.status_code == 503
        html = response.content.decode()
        assert "This page is not shown now" in html
        assert "viewing_as" not in html


def record_at(tenant: Tenant, person: User, at: datetime, page: str = "/t/northwind/") -> bool:
    return note_view(tenant, person, page, at, pause=AGAIN, network="192.0.2.1")


class TestNoteView:
    def test_keeps_it_again_after_a_quarter_of_an_hour(self, tenant: Tenant, staff: User) -> None:
        times = [NOW, NOW + AGAIN - timedelta(seconds=1), NOW + AGAIN, NOW + AGAIN * 1.5]
        assert [record_at(tenant, staff, at) for at in times] == [True, False, True, False]

    def test_keeps_each_person_and_each_tenant(
        self, tenant: Tenant, staff: User, make_user: MakeUser, make_tenant: MakeTenant
    ) -> None:
        other = make_user("olga@ops.example", is_staff=True)
        asked = [(tenant, staff), (tenant, other), (make_tenant("acme"), staff)]
        assert [record_at(one, person, NOW) for one, person in asked] == [True, True, True]

    def test_a_page_that_is_left_open_is_kept_once_a_day(self, tenant: Tenant, staff: User) -> None:
        def poll(at: datetime) -> bool:
            return note_view(tenant, staff, "/t/northwind/", at, pause=KEPT_OPEN, network="")

        record_at(tenant, staff, NOW)
        hours = [poll(NOW + timedelta(hours=hour)) for hour in range(1, 49)]
        assert [hour + 1 for hour, was_kept in enumerate(hours) if was_kept] == [24, 48]

    def test_costs_one_query_where_it_was_kept(
        self, tenant: Tenant, staff: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        record_at(tenant, staff, NOW)
        with django_assert_num_queries(1):
            record_at(tenant, staff, NOW)

    def test_cuts_addresses_and_still_knows_them(self, tenant: Tenant, staff: User) -> None:
        long = f"/t/northwind/metrics/{'x' * 300}/"
        assert [record_at(tenant, staff, NOW, long) for _ in range(2)] == [True, False]

    @pytest.mark.django_db(transaction=True)
    def test_keeps_one_of_many_at_once(self, tenant: Tenant, staff: User) -> None:
        gate = Barrier(6)

        def look() -> bool:
            try:
                gate.wait()
                return record_at(tenant, staff, NOW)
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            kept = [one.result() for one in [pool.submit(look) for _ in range(6)]]
        assert kept.count(True) == 1
        assert AuditEntry.objects.count() == 1
