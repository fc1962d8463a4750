"""Tenants, people and keys in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from tenants.admin.recording import RecordedAdmin
from tenants.anchors import period_of
from tenants.audit import sentence
from tenants.keys import create_key, find_key
from tenants.models import ApiKey, AuditEntry, Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.forms import form_data

pytestmark = pytest.mark.urls("tests.tenants.urls")


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    """The admin in the browser of somebody who may do everything."""
    return client_for(staff)


def post_form(client: Client, url: str, form_id: str, **changes: Any) -> Any:
    return client.post(url, form_data(client.get(url), form_id, **changes), follow=True)


def do(client: Client, model: str, action: str, *rows: Any, **more: str) -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(f"/admin/tenants/{model}/", data, follow=True)


class TestPages:
    @pytest.mark.parametrize("model", ["tenant", "user", "membership", "apikey"])
    def test_list_search_add_and_change_open(
        self, admin: Client, owner: User, tenant: Tenant, model: str
    ) -> None:
        create_key(tenant, name="job", at=timezone.now(), created_by=owner)
        row = {"tenant": Tenant, "user": User, "membership": Membership, "apikey": ApiKey}[model]
        pk = row._default_manager.values_list("pk", flat=True).first()
        for address in ("", "?q=northwind", "add/", f"{pk}/change/", f"{pk}/history/"):
            assert admin.get(f"/admin/tenants/{model}/{address}").status_code == 200, address

    @pytest.mark.parametrize("model", ["tenant", "user"])
    def test_others_can_be_chosen_by_typing(self, admin: Client, owner: User, model: str) -> None:
        other = {"tenant": "apikey&field_name=tenant", "user": "membership&field_name=user"}[model]
        address = f"/admin/autocomplete/?term=northwind&app_label=tenants&model_name={other}"
        assert len(admin.get(address).json()["results"]) == 1

    @pytest.mark.parametrize("model", ["tenant", "apikey"])
    def test_nothing_that_was_used_is_deleted(self, admin: Client, tenant: Tenant, model: str) -> None:
        create_key(tenant, name="job", at=timezone.now())
        row = Tenant.objects.get() if model == "tenant" else ApiKey.objects.get()
        assert admin.post(f"/admin/tenants/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


class TestUserAdmin:
    def test_makes_a_person_without_a_password(self, admin: Client) -> None:
        post_form(
            admin, "/admin/tenants/user/add/", "user_form", email="New@X.example", usable_password="false"
        )
        person = User.objects.get(email="new@x.example")
        assert not person.has_usable_password()

    def test_refuses_an_address_that_is_taken_in_any_case(self, admin: Client, owner: User) -> None:
        response = post_form(
            admin,
            "/admin/tenants/user/add/",
            "user_form",
            email="OLIVE@northwind.example",
            usable_password="false",
        )
        assert "already exists" in response.content.decode()


class TestTenantAdmin:
    def test_adds_a_tenant(self, admin: Client) -> None:
        post_form(
            admin, "/admin/tenants/tenant/add/", "tenant_form", name="Acme", slug="acme", anchor_day="5"
        )
        tenant = Tenant.objects.get(slug="acme")
        assert (tenant.name, tenant.anchor_day, tenant.status) == ("Acme", 5, "active")

    def test_a_new_anchor_day_acts_from_the_next_period(self, admin: Client, tenant: Tenant) -> None:
        before = period_of(tenant, timezone.now())
        response = post_form(
            admin, f"/admin/tenants/tenant/{tenant.pk}/change/", "tenant_form", anchor_day="15"
        )
        tenant.refresh_from_db()
        assert (tenant.anchor_day, tenant.anchor_before, tenant.anchor_since) == (15, 1, before[1])
        assert period_of(tenant, timezone.now()) == before
        assert "The period that runs ends on" in response.content.decode()
        assert "Anchor day" in LogEntry.objects.latest("action_time").get_change_message()

    def test_saving_something_else_leaves_the_anchor(self, admin: Client, tenant: Tenant) -> None:
        post_form(admin, f"/admin/tenants/tenant/{tenant.pk}/change/", "tenant_form", name="Northwind Labs")
        tenant.refresh_from_db()
        assert (tenant.name, tenant.anchor_since) == ("Northwind Labs", None)

    @pytest.mark.parametrize("day", ["0", "29", "x"])
    def test_refuses_a_day_that_some_months_lack(self, admin: Client, tenant: Tenant, day: str) -> None:
        post_form(admin, f"/admin/tenants/tenant/{tenant.pk}/change/", "tenant_form", anchor_day=day)
        tenant.refresh_from_db()
        assert tenant.anchor_day == 1

    @pytest.mark.parametrize(
        ("action", "status"), [("suspend", "suspended"), ("close", "closed"), ("reactivate", "active")]
    )
    def test_changes_a_status_only_after_a_yes_and_writes_it_down(
        self, admin: Client, make_tenant: MakeTenant, action: str, status: str
    ) -> None:
        was = "suspended" if status == "active" else "active"
        tenant, untouched = make_tenant("acme", status=was), make_tenant("other", status=was)
        asked = do(admin, "tenant", action, tenant)
        assert "Yes, do it" in asked.content.decode()
        tenant.refresh_from_db()
        assert tenant.status == was
        admin.post("/admin/tenants/tenant/", form_data(asked))
        tenant.refresh_from_db()
        untouched.refresh_from_db()
        assert (tenant.status, untouched.status) == (status, was)
        entry = LogEntry.objects.get(object_id=str(tenant.pk))
        assert entry.change_message == f"Now {Tenant.Status(status).label}."

    def test_asks_for_five_hundred_at_most(self, admin: Client, db: None) -> None:
        Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"T{n}") for n in range(501))
        rows = Tenant.objects.all()
        response = do(admin, "tenant", "close", *rows[:1], select_across="1")
        assert "Choose at most 500" in response.content.decode()
        assert not Tenant.objects.filter(status="closed").exists()

    def test_lists_many_with_few_queries(
        self, admin: Client, make_tenant: MakeTenant, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(30):
            create_key(make_tenant(f"t{n}"), name="job", at=timezone.now())
        for model in ("tenant", "apikey"):
            with django_assert_max_num_queries(8):
                admin.get(f"/admin/tenants/{model}/")


class TestApiKeyAdmin:
    def create(self, admin: Client, **fields: str) -> tuple[Any, ApiKey]:
        response = post_form(admin, "/admin/tenants/apikey/add/", "apikey_form", **fields)
        return response, ApiKey.objects.get()

    def test_shows_the_secret_once(self, admin: Client, tenant: Tenant, staff: User) -> None:
        response, key = self.create(admin, tenant=str(tenant.pk), name="billing job")
        page = response.content.decode()
        secret = page.split('value="hr_', 1)[1].split('"', 1)[0]
        assert find_key(f"hr_{secret}", timezone.now()).tenant == tenant
        assert "no-store" in response["Cache-Control"]
        assert key.created_by == staff
        later = [admin.get(f"/admin/tenants/apikey/{key.pk}/{page}/") for page in ("change", "history")]
        later += [
            admin.get("/admin/tenants/apikey/"),
            admin.get(f"/admin/tenants/tenant/{tenant.pk}/change/"),
        ]
        assert all(secret.split("_")[1] not in page.content.decode() for page in later)

    def test_makes_service_keys(self, admin: Client) -> None:
        response, key = self.create(admin, name="gateway")
        assert key.scope == "service"
        assert "Service key" in response.content.decode()

    def test_is_offered_on_the_tenants_page_with_the_tenant_filled_in(
        self, admin: Client, tenant: Tenant
    ) -> None:
        address = f"/admin/tenants/apikey/add/?tenant={tenant.pk}"
        assert address in admin.get(f"/admin/tenants/tenant/{tenant.pk}/change/").content.decode()
        assert form_data(admin.get(address), "apikey_form")["tenant"] == [str(tenant.pk)]

    def test_refuses_an_end_that_is_over(self, admin: Client, tenant: Tenant) -> None:
        response = post_form(
            admin,
            "/admin/tenants/apikey/add/",
            "apikey_form",
            tenant=str(tenant.pk),
            name="job",
            expires_at_0="2020-01-01",
            expires_at_1="00:00",
        )
        assert "This time is over" in response.content.decode()
        assert not ApiKey.objects.exists()

    def test_revokes_after_a_yes(self, admin: Client, tenant: Tenant, staff: User) -> None:
        at = datetime(2026, 11, 1, tzinfo=UTC)
        key, secret = create_key(tenant, name="job", at=at)
        old = create_key(tenant, name="old", at=at, expires_at=at + timedelta(days=1)).key
        asked = do(admin, "apikey", "revoke", key)
        assert find_key(secret, timezone.now())
        response = admin.post("/admin/tenants/apikey/", form_data(asked), follow=True)
        key.refresh_from_db()
        old.refresh_from_db()
        assert (key.revoked_by, old.revoked_at) == (staff, None)
        assert "1 key was revoked." in response.content.decode()

    def test_only_the_name_can_be_changed(self, admin: Client, tenant: Tenant) -> None:
        key = create_key(tenant, name="job", at=timezone.now()).key
        post_form(
            admin, f"/admin/tenants/apikey/{key.pk}/change/", "apikey_form", name="nightly", scope="service"
        )
        after = ApiKey.objects.get()
        assert (after.name, after.scope, after.digest) == ("nightly", "tenant", key.digest)


class TestRecording:
    """What is done in the admin is kept among all that people did."""

    def test_every_page_that_edits_records(self) -> None:
        assert [one for one in site._registry.values() if not isinstance(one, RecordedAdmin)] == []

    def test_keeps_who_added_changed_and_deleted_whose_row(
        self, admin: Client, staff: User, owner: User, tenant: Tenant, make_user: MakeUser
    ) -> None:
        person = make_user("vera@x.example")
        add = "/admin/tenants/membership/add/"
        post_form(admin, add, "membership_form", user=str(person.pk), tenant=str(tenant.pk), role="viewer")
        row = Membership.objects.get(user=person)
        change = f"/admin/tenants/membership/{row.pk}/change/"
        post_form(admin, change, "membership_form", role="admin")
        post_form(admin, change, "membership_form")  # saved as it was: nothing happened
        admin.post(f"/admin/tenants/membership/{row.pk}/delete/", {"post": "yes"})
        kept = [(one.action, one.actor, one.tenant) for one in AuditEntry.objects.order_by("pk")]
        assert kept == [(f"{act} in the admin", staff, tenant) for act in ("added", "changed", "deleted")]
        texts = [sentence(one) for one in AuditEntry.objects.order_by("pk")]
        assert texts[1].endswith("was changed in the admin: Changed Role.")

    def test_of_nobodys_rows_too(self, admin: Client, staff: User) -> None:
        post_form(admin, "/admin/auth/group/add/", "group_form", name="Clerks")
        assert [(one.tenant, sentence(one)) for one in AuditEntry.objects.all()] == [
            (None, "Group “Clerks” was added in the admin")
        ]

    def test_never_holds_a_password(self, admin: Client, staff: User, owner: User) -> None:
        url = f"/admin/tenants/user/{owner.pk}/password/"
        form = {"usable_password": "true", "password1": "horse battery 9x", "password2": "horse battery 9x"}
        admin.post(url, form)
        assert AuditEntry.objects.get().action == "changed in the admin"
        assert "battery" not in str(list(AuditEntry.objects.values()))


class TestSearch:
    """Long lists are searched by words that an index knows, not by what stands somewhere within them."""

    def found(self, admin: Client, model: str, text: str) -> list[str]:
        rows = admin.get(f"/admin/tenants/{model}/", {"q": text}).context["cl"].queryset
        return sorted(str(row) for row in rows)

    @pytest.fixture(autouse=True)
    def rows(self, make_tenant: MakeTenant, make_user: MakeUser) -> None:
        acme, zeta = make_tenant("acme-works"), make_tenant("zeta")
        make_user("vera@mail.zeta.example", "viewer", acme, first_name="Vera", last_name="Lind-Holm")
        make_user("ann@acme.example", "owner", zeta)
        for tenant in (acme, zeta):
            create_key(tenant, name=f"job of {tenant}", at=timezone.now())

    @pytest.mark.parametrize(
        ("text", "emails"),
        [
            ("vera", ["Vera Lind-Holm"]),
            ("holm", ["Vera Lind-Holm"]),
            ("zeta", ["Vera Lind-Holm"]),
            ("vera@mail.zeta.example", ["Vera Lind-Holm"]),
            ("ann acme", ["ann@acme.example"]),
            ("ann zeta", []),
            ("'", []),
        ],
    )
    def test_people_by_words_of_address_and_name(self, admin: Client, text: str, emails: list[str]) -> None:
        assert self.found(admin, "user", text) == emails

    def test_memberships_by_person_and_by_tenant(self, admin: Client) -> None:
        vera, ann = "Vera Lind-Holm, Viewer of Acme Works", "ann@acme.example, Owner of Zeta"
        assert self.found(admin, "membership", "acme") == [vera, ann]  # hers is the tenant, Ann's the address
        assert self.found(admin, "membership", "lind") == [vera]
        assert self.found(admin, "membership", "nobody") == []

    def test_keys_by_tenant_and_by_how_they_begin(self, admin: Client) -> None:
        key = ApiKey.objects.get(tenant__slug="zeta")
        assert self.found(admin, "apikey", "zeta") == [str(key)]
        for text in (key.prefix[:8], f"hr_{key.prefix}…", f" HR_{key.prefix} ".lower()):
            assert self.found(admin, "apikey", text) == [str(key)]
        assert self.found(admin, "apikey", "works") == [str(ApiKey.objects.get(tenant__slug="acme-works"))]

    @pytest.mark.parametrize("model", ["user", "membership", "apikey"])
    def test_uses_indexes_alone(self, admin: Client, model: str) -> None:
        rows = admin.get(f"/admin/tenants/{model}/", {"q": "zeta"}).context["cl"].queryset
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.order_by().explain()
        assert "Seq Scan" not in plan, plan
