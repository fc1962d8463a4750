"""Subscriptions, overrides and tenants in the admin: checked, kept with their author, told to counting once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.entitlements import entitlements
from billing.models import EntitlementChange, Metric, Override, Plan, Subscription
from billing.subscriptions import subscribe
from tenants.models import Tenant, User
from tests.conftest import LONG_AGO, MakeTenant
from tests.forms import form_data

OVERRIDES, SUBSCRIPTIONS = "billing_override", "billing_subscription"


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


def send(admin: Client, path: str, form: str, **changes: Any) -> str:
    """Post the page's form with changes; returns what is answered in the end."""
    return admin.post(path, form_data(admin.get(path), form, **changes), follow=True).content.decode()


def moment(name: str, at: datetime | None) -> dict[str, str]:
    """The two fields the admin asks a moment with."""
    return {f"{name}_0": f"{at:%Y-%m-%d}" if at else "", f"{name}_1": f"{at:%H:%M:%S}" if at else ""}


def told() -> list[tuple[int, str]]:
    """Which tenants' counts were told of what, oldest first; then begins anew."""
    changes = list(EntitlementChange.objects.order_by("pk").values_list("tenant_id", "reason"))
    EntitlementChange.objects.all().delete()
    return changes


def metric(code: str) -> Metric:
    return Metric.objects.get(code=code)


class TestOverride:
    add = property(lambda self: reverse("admin:billing_override_add"))

    def make(self, admin: Client, tenant: Tenant, **fields: Any) -> str:
        given = {
            "tenant": tenant.pk,
            "metric": metric("api_calls").pk,
            "mode": "add",
            "units": "500",
            "reason": "trial, ticket 4711",
        }
        return send(admin, self.add, "override_form", **{**given, **fields})

    def test_is_kept_with_its_author_and_told_once(self, admin: Client, staff: User, tenant: Tenant) -> None:
        self.make(admin, tenant)
        one = Override.objects.get()
        assert (one.author, one.units, one.reason) == (staff, 500, "trial, ticket 4711")
        assert EntitlementChange.objects.get().actor == staff
        assert told() == [(tenant.pk, "Override: API calls +500 (trial, ticket 4711)")]
        assert entitlements(tenant, timezone.now()).limits["api_calls"].stop == 1500

    def test_needs_a_reason(self, admin: Client, tenant: Tenant) -> None:
        assert "This field is required." in self.make(admin, tenant, reason="")
        assert not Override.objects.exists()

    def test_reads_sizes(self, admin: Client, tenant: Tenant) -> None:
        self.make(admin, tenant, metric=metric("storage").pk, units="5 GB")
        assert Override.objects.get().units == 5 * 10**9

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"units": ""}, "Enter how many units to add"),
            ({"units": "0"}, "Enter how many units to add"),
            ({"units": "5 GB"}, "“5 GB” is a size, but API calls are counted"),
            (
                moment("ends", datetime(2020, 1, 1, tzinfo=UTC)),
                "and can&#x27;t end before: enter a later end.",
            ),
        ],
    )
    def test_names_the_mistake_and_its_remedy(
        self, admin: Client, tenant: Tenant, changes: dict[str, str], message: str
    ) -> None:
        assert message in self.make(admin, tenant, **changes)
        assert not told()

    def test_set_without_units_lifts_the_limit(self, admin: Client, tenant: Tenant) -> None:
        self.make(admin, tenant, mode="set", units="")
        assert entitlements(tenant, timezone.now()).limits["api_calls"].stop is None

    def test_an_edit_tells_and_shows_in_the_history(self, admin: Client, staff: User, tenant: Tenant) -> None:
        self.make(admin, tenant)
        told()
        one = Override.objects.get()
        send(admin, reverse("admin:billing_override_change", args=[one.pk]), "override_form", units="900")
        assert told() == [(tenant.pk, "Override: API calls +900 (trial, ticket 4711)")]
        assert one.history.first().history_user == staff
        assert admin.get(reverse("admin:billing_override_history", args=[one.pk])).status_code == 200

    def test_an_edit_of_nothing_tells_nothing(self, admin: Client, tenant: Tenant) -> None:
        self.make(admin, tenant)
        told()
        one = Override.objects.get()
        send(admin, reverse("admin:billing_override_change", args=[one.pk]), "override_form")
        assert told() == []

    def test_deleting_tells(self, admin: Client, tenant: Tenant) -> None:
        self.make(admin, tenant)
        told()
        path = reverse("admin:billing_override_delete", args=[Override.objects.get().pk])
        admin.post(path, {"post": "yes"})
        assert told() == [(tenant.pk, "Override removed: API calls +500 (trial, ticket 4711)")]

    def test_deleting_several_tells_each_tenant_once(self, admin: Client, make_tenant: MakeTenant) -> None:
        a, b = make_tenant("a"), make_tenant("b")
        for tenant in (a, a, b):
            self.make(admin, tenant)
        told()
        chosen = list(Override.objects.values_list("pk", flat=True))
        path = reverse("admin:billing_override_changelist")
        admin.post(path, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
        assert told() == [(a.pk, "Override removed"), (b.pk, "Override removed")]


class TestSubscription:
    add = property(lambda self: reverse("admin:billing_subscription_add"))

    def begin(self, admin: Client, tenant: Tenant, plan: str, **fields: Any) -> str:
        pk = Plan.objects.get(slug=plan).pk
        return send(admin, self.add, "subscription_form", tenant=tenant.pk, plan=pk, **fields)

    def end(self, admin: Client, one: Subscription, at: datetime | None, **more: str) -> str:
        path = reverse("admin:billing_subscription_change", args=[one.pk])
        return send(admin, path, "subscription_form", **moment("ends", at), **more)

    def test_ends_the_one_before_and_acts_at_once(
        self, admin: Client, staff: User, make_tenant: MakeTenant
    ) -> None:
        tenant = make_tenant("a", "starter")
        told()
        self.begin(admin, tenant, "pro")
        before, after = Subscription.objects.filter(tenant=tenant)
        assert before.ends == after.starts
        assert entitlements(tenant, timezone.now()).plan.slug == "pro"
        assert EntitlementChange.objects.get().actor == staff
        assert [reason[:17] for _, reason in told()] == ["On plan Pro from "]

    def test_refuses_to_rewrite_periods_that_are_over(self, admin: Client, tenant: Tenant) -> None:
        page = self.begin(admin, tenant, "pro", **moment("starts", timezone.now() - timedelta(days=40)))
        assert "Earlier periods are over: begin on 1 " in page
        assert not Subscription.objects.exists()

    def test_refuses_the_plan_the_tenant_is_on(self, admin: Client, make_tenant: MakeTenant) -> None:
        page = self.begin(admin, make_tenant("a", "pro"), "pro")
        assert "A is on Pro then already" in page

    def test_is_ended_and_told(self, admin: Client, make_tenant: MakeTenant) -> None:
        make_tenant("a", "pro")
        told()
        later = timezone.now().replace(microsecond=0) + timedelta(days=9)
        asked = self.end(admin, Subscription.objects.get(), later)
        assert "A loses what Pro gives on " in asked
        assert Subscription.objects.get().ends is None
        self.end(admin, Subscription.objects.get(), later, is_meant="on")
        assert Subscription.objects.get().ends == later
        assert [reason[:18] for _, reason in told()] == ["On plan Pro until "]

    def test_cant_end_in_the_past(self, admin: Client, make_tenant: MakeTenant) -> None:
        make_tenant("a", "pro")
        assert "end it now" in self.end(admin, Subscription.objects.get(), datetime(2026, 2, 1, tzinfo=UTC))
        assert Subscription.objects.get().ends is None

    def test_cant_run_into_the_next_one(self, admin: Client, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "starter")
        soon = timezone.now() + timedelta(days=5)
        subscribe(tenant, Plan.objects.get(slug="pro"), at=soon, actor=None, reason="later")
        first = Subscription.objects.earliest("starts")
        assert "Pro begins on " in self.end(admin, first, soon + timedelta(days=1))
        assert "Pro begins on " in self.end(admin, first, None)

    def test_what_has_ended_stays(self, admin: Client, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "starter")
        subscribe(tenant, Plan.objects.get(slug="pro"), at=timezone.now(), actor=None, reason="up")
        first = Subscription.objects.earliest("starts")
        assert "add a new subscription instead" in self.end(admin, first, timezone.now() + timedelta(days=1))

    def test_deleting_tells(self, admin: Client, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "pro")
        told()
        path = reverse("admin:billing_subscription_delete", args=[Subscription.objects.get().pk])
        admin.post(path, {"post": "yes"})
        assert told() == [(tenant.pk, "Subscription to Pro removed")]


class TestTenant:
    def page(self, tenant: Tenant) -> str:
        return reverse("admin:tenants_tenant_change", args=[tenant.pk])

    def test_shows_what_it_may_use(self, admin: Client, make_tenant: MakeTenant) -> None:
        html = admin.get(self.page(make_tenant("a", "pro"))).content.decode()
        assert "subscriptions-TOTAL_FORMS" in html
        assert "overrides-TOTAL_FORMS" in html

    def test_begins_a_subscription(self, admin: Client, staff: User, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("a", "starter")
        told()
        now = timezone.now()
        row = {"subscriptions-1-plan": Plan.objects.get(slug="pro").pk, "subscriptions-TOTAL_FORMS": 2}
        send(admin, self.page(tenant), "tenant_form", **row, **moment("subscriptions-1-starts", now))
        assert entitlements(tenant, timezone.now()).plan.slug == "pro"
        assert Subscription.objects.filter(tenant=tenant, starts=LONG_AGO).get().ends is not None
        assert len(told()) == 1

    def test_gives_overrides_with_their_author_and_tells_once(
        self, admin: Client, staff: User, tenant: Tenant
    ) -> None:
        rows: dict[str, Any] = {"overrides-TOTAL_FORMS": 2}
        for place, code in enumerate(("api_calls", "users")):
            prefix = f"overrides-{place}-"
            rows |= {f"{prefix}metric": metric(code).pk, f"{prefix}mode": "add", f"{prefix}units": 5}
            rows |= {f"{prefix}reason": "trial", **moment(f"{prefix}starts", timezone.now())}
        send(admin, self.page(tenant), "tenant_form", **rows)
        assert {one.author for one in Override.objects.all()} == {staff}
        assert told() == [(tenant.pk, "Override: API calls +5 (trial); Override: Active users +5 (trial)")]

    def test_removes_overrides_and_tells(self, admin: Client, tenant: Tenant) -> None:
        Override.objects.create(
            tenant=tenant, metric=metric("users"), mode="add", units=5, reason="x", starts=LONG_AGO
        )
        send(admin, self.page(tenant), "tenant_form", **{"overrides-0-DELETE": "on"})
        assert told() == [(tenant.pk, "Override removed: Active users +5 (x)")]

    @pytest.mark.parametrize(
        ("action", "word"), [("suspend", "suspended"), ("close", "closed"), ("reactivate", "active")]
    )
    def test_a_status_is_told(
        self, admin: Client, staff: User, make_tenant: MakeTenant, action: str, word: str
    ) -> None:
        tenant = make_tenant("a", status="suspended" if action == "reactivate" else "active")
        path = reverse("admin:tenants_tenant_changelist")
        admin.post(path, {"action": action, "_selected_action": tenant.pk, "confirmed": "yes"})
        assert EntitlementChange.objects.get().actor == staff
        assert told() == [(tenant.pk, f"Tenant is {word}")]

    def test_a_new_anchor_day_is_told(self, admin: Client, tenant: Tenant) -> None:
        send(admin, self.page(tenant), "tenant_form", anchor_day="9")
        assert told() == [(tenant.pk, "Periods begin on day 9 from the next one on")]

    def test_a_new_tenant_is_told(self, admin: Client, db: None) -> None:
        path = reverse("admin:tenants_tenant_add")
        send(admin, path, "tenant_form", name="Acme", slug="acme", anchor_day="5")
        assert told() == [(Tenant.objects.get().pk, "Tenant added")]

    def test_another_name_is_not_told(self, admin: Client, tenant: Tenant) -> None:
        send(admin, self.page(tenant), "tenant_form", name="Northwind Labs")
        assert told() == []

    def test_is_found_by_words_and_id(self, admin: Client, make_tenant: MakeTenant) -> None:
        found, _other = make_tenant("blue-heron", name="Blue Heron Health"), make_tenant("acme")
        path = reverse("admin:tenants_tenant_changelist")
        for term in ("heron", "hea", "blue-he", str(found.pk)):
            rows = admin.get(path, {"q": term}).context["cl"].queryset
            assert list(rows) == [found], term

    def test_page_reads_the_same_however_much_it_shows(
        self, admin: Client, tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(10):
            Override.objects.create(
                tenant=tenant, metric=metric("users"), mode="add", units=5, reason="x", starts=LONG_AGO
            )
        admin.get(self.page(tenant))
        with django_assert_max_num_queries(20):
            admin.get(self.page(tenant))
