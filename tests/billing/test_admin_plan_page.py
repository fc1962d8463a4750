"""The admin's page that changes one tenant's plan, and what the lists say of what is scheduled or ends soon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.courses import course
from billing.models import EntitlementChange, Metric, Override, Plan, Subscription
from billing.periods import period_at
from billing.subscriptions import cancel, change_plan
from billing.terms import moment
from tenants.models import Tenant, User
from tests.conftest import LONG_AGO, MakeTenant, MakeUser
from tests.forms import form_data

pytestmark = pytest.mark.django_db

LIST = "admin:tenants_tenant_changelist"


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def acme(make_tenant: MakeTenant) -> Tenant:
    """A tenant on the plan Pro."""
    return make_tenant("acme", "pro")


def page(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_plan", args=[tenant.pk])


def send(admin: Client, tenant: Tenant, do: str, plan: str = "", **changes: Any) -> str:
    """Fill the form and send it; returns what is answered in the end."""
    pk = Plan.objects.get(slug=plan).pk if plan else ""
    given = {"do": do, "plan": pk, "reason": "ticket 4711", **changes}
    sent = form_data(admin.get(page(tenant)), "plan_form", **given)
    return admin.post(page(tenant), sent, follow=True).content.decode()


def turn(tenant: Tenant) -> str:
    """When the tenant's next period begins."""
    return moment(period_at(tenant, timezone.now()).ends)


def change(tenant: Tenant) -> tuple[str, str]:
    one = EntitlementChange.objects.filter(tenant=tenant).latest("version")
    return one.get_kind_display(), one.reason


class TestPlanPage:
    def test_changes_now_also_to_a_smaller_plan(self, admin: Client, acme: Tenant, staff: User) -> None:
        assert "Starter" in send(admin, acme, "now", "starter")
        now = course(acme, timezone.now())
        assert (now.plan.slug, now.scheduled) == ("starter", None)
        assert now.running
        assert (now.running.author, now.running.reason) == (staff, "ticket 4711")
        assert change(acme) == ("Plan changed", "Pro → Starter: ticket 4711")
        assert LogEntry.objects.get().get_change_message() == "Plan changed."

    def test_changes_with_the_next_period_also_to_a_larger_plan(self, admin: Client, acme: Tenant) -> None:
        html = send(admin, acme, "next", "enterprise")
        assert f"Pro. From {turn(acme)} on Enterprise (sam@ops.example: ticket 4711)" in html
        assert course(acme, timezone.now()).plan.slug == "pro"

    def test_cancels_and_takes_back(self, admin: Client, acme: Tenant) -> None:
        assert f"Pro. Pro ends on {turn(acme)}, then Free (sam@ops.example: ticket 4711)" in send(
            admin, acme, "cancel"
        )
        assert "Withdraw what is scheduled: Pro goes on" in admin.get(page(acme)).content.decode()
        send(admin, acme, "withdraw")
        assert Subscription.objects.get().ends is None
        assert change(acme) == (
            "Scheduled change withdrawn",
            f"Pro goes on, not Free on {turn(acme)}: ticket 4711",
        )

    def test_offers_only_what_would_change_something(
        self, admin: Client, acme: Tenant, tenant: Tenant
    ) -> None:
        assert "Cancel: Pro ends on" in admin.get(page(acme)).content.decode()
        html = admin.get(page(tenant)).content.decode()
        assert "Cancel:" not in html
        assert "Withdraw" not in html

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"do": "now"}, "Choose the plan to put the tenant on."),
            ({"do": "now", "plan": "pro"}, "Acme is on Pro already."),
            ({"do": "cancel", "reason": ""}, "This field is required."),
            ({"do": "withdraw"}, "Select a valid choice."),
        ],
    )
    def test_names_the_mistake_and_changes_nothing(
        self, admin: Client, acme: Tenant, given: dict[str, str], message: str
    ) -> None:
        assert message in send(admin, acme, **given)
        assert Subscription.objects.get().ends is None
        assert not LogEntry.objects.exists()

    def test_asks_again_once_something_else_was_decided_meanwhile(self, admin: Client, acme: Tenant) -> None:
        pk = Plan.objects.get(slug="enterprise").pk
        sent = form_data(admin.get(page(acme)), "plan_form", do="now", plan=pk, reason="growth")
        cancel(acme, at=timezone.now(), actor=None, reason="too dear")
        again = admin.post(page(acme), sent)
        assert "Meanwhile the plan was changed. Look again" in again.content.decode()
        assert course(acme, timezone.now()).plan.slug == "pro"
        sent = form_data(again, "plan_form", do="now", plan=pk, reason="growth")
        admin.post(page(acme), sent)
        assert course(acme, timezone.now()).plan.slug == "enterprise"

    def test_is_for_who_may_change_subscriptions(
        self, client_for: Callable[[User], Client], make_user: MakeUser, acme: Tenant
    ) -> None:
        clerk = make_user("carol@ops.example", is_staff=True)
        names = ["change_tenant", "view_tenant"]
        clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
        assert client_for(clerk).get(page(acme)).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="change_subscription"))
        assert client_for(clerk).get(page(acme)).status_code == 200

    def test_is_found_on_the_tenants_page_with_what_is_scheduled(self, admin: Client, acme: Tenant) -> None:
        cancel(acme, at=timezone.now(), actor=None, reason="too dear")
        html = admin.get(reverse("admin:tenants_tenant_change", args=[acme.pk])).content.decode()
        assert page(acme) in html
        assert f"Pro. Pro ends on {turn(acme)}, then Free (too dear)" in html


class TestSubscriptions:
    def test_are_listed_by_what_is_scheduled(
        self, admin: Client, make_tenant: MakeTenant, acme: Tenant
    ) -> None:
        calm, moving, at = make_tenant("calm", "pro"), make_tenant("moving", "pro"), timezone.now()
        change_plan(moving, Plan.objects.get(slug="free"), at=at, actor=None, reason="")
        cancel(acme, at=at, actor=None, reason="")
        path = reverse("admin:billing_subscription_changelist")

        def found(value: str) -> set[tuple[str, str]]:
            rows = admin.get(path, {"scheduled": value}).context["cl"].queryset
            return set(rows.values_list("tenant__slug", "plan__slug"))

        assert found("begins") == {("moving", "free")}
        assert found("ends") == {("moving", "pro"), ("acme", "pro")}
        assert ("calm", "pro") in found("")
        assert calm.subscriptions.get().ends is None

    def test_that_begin_later_say_now_what_comes(self, admin: Client, staff: User, acme: Tenant) -> None:
        later = timezone.now().replace(microsecond=0) + timedelta(days=3)
        add = reverse("admin:billing_subscription_add")
        sent = form_data(
            admin.get(add),
            "subscription_form",
            tenant=acme.pk,
            plan=Plan.objects.get(slug="free").pk,
            starts_0=f"{later:%Y-%m-%d}",
            starts_1=f"{later:%H:%M:%S}",
            reason="contract ends",
        )
        admin.post(add, sent)
        last = EntitlementChange.objects.latest("pk")
        assert (last.get_kind_display(), last.reason) == (
            "Change of plan scheduled",
            f"Free from {moment(later)}: contract ends",
        )
        assert last.at < later
        row = Subscription.objects.latest("starts")
        assert (row.author, row.reason) == (staff, "contract ends")

    def test_keep_who_ended_them_and_why(self, admin: Client, staff: User, acme: Tenant) -> None:
        one, later = Subscription.objects.get(), timezone.now().replace(microsecond=0) + timedelta(days=3)
        path = reverse("admin:billing_subscription_change", args=[one.pk])

        def end(**given: str) -> Subscription:
            admin.post(path, form_data(admin.get(path), "subscription_form", **given))
            return Subscription.objects.get()

        ended = end(
            ends_0=f"{later:%Y-%m-%d}", ends_1=f"{later:%H:%M:%S}", end_reason="moves away", is_meant="on"
        )
        assert (ended.ends, ended.ended_by, ended.end_reason) == (later, staff, "moves away")
        assert change(acme) == ("Plan cancelled", f"On plan Pro until {moment(later)}: moves away")
        again = end(ends_0="", ends_1="")
        assert (again.ends, again.ended_by, again.end_reason) == (None, None, "")

    def test_leave_no_gap_when_one_that_comes_is_deleted(self, admin: Client, acme: Tenant) -> None:
        for remove in (self.delete, self.delete_selected):
            change_plan(acme, Plan.objects.get(slug="free"), at=timezone.now(), actor=None, reason="")
            remove(admin, Subscription.objects.latest("starts"))
            assert Subscription.objects.get().ends is None

    def delete(self, admin: Client, one: Subscription) -> None:
        admin.post(reverse("admin:billing_subscription_delete", args=[one.pk]), {"post": "yes"})

    def delete_selected(self, admin: Client, one: Subscription) -> None:
        chosen = {"action": "delete_selected", "_selected_action": one.pk, "post": "yes"}
        admin.post(reverse("admin:billing_subscription_changelist"), chosen)


class TestEnding:
    def test_filters_overrides_and_their_tenants(self, admin: Client, make_tenant: MakeTenant) -> None:
        now = timezone.now()
        ends = {
            "over": now - timedelta(hours=1),
            "soon": now + timedelta(days=6, hours=23),
            "later": now + timedelta(days=7, hours=1),
            "never": None,
        }
        for slug, end in ends.items():
            self.grant(make_tenant(slug), LONG_AGO, end)
        self.grant(make_tenant("begins"), now + timedelta(days=1), now + timedelta(days=2))
        for name in (LIST, "admin:billing_override_changelist"):
            rows = admin.get(reverse(name), {"extra": "ending"}).context["cl"].queryset
            assert [getattr(one, "tenant", one).slug for one in rows] == ["soon"], name
            assert admin.get(reverse(name)).context["cl"].queryset.count() == 5

    def grant(self, tenant: Tenant, starts: Any, ends: Any) -> None:
        metric = Metric.objects.get(code="api_calls")
        Override.objects.create(tenant=tenant, metric=metric, units=5, reason="x", starts=starts, ends=ends)
