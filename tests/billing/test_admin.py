"""Edits of plans in the admin: asked before, checked, kept with their author, and told to counting once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.admin import confirmation
from billing.models import Allowance, Entitlement, EntitlementChange, Metric, Plan, PriceTier
from billing.subscriptions import subscribe
from tenants.models import Tenant, User
from tests.conftest import LONG_AGO, MakeTenant
from tests.forms import form_data

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


def page_of(plan: str) -> str:
    return reverse("admin:billing_plan_change", args=[Plan.objects.get(slug=plan).pk])


def filled(admin: Client, path: str, changes: dict[str, object]) -> dict[str, Any]:
    """What the page's form would send, some of it changed."""
    return form_data(admin.get(path), "plan_form") | {name: str(value) for name, value in changes.items()}


def row(plan: str, metric: str) -> int:
    """The place of a metric's row on its plan's page."""
    codes = Allowance.objects.filter(plan__slug=plan).values_list("metric__code", flat=True)
    return list(codes).index(metric)


def edit(admin: Client, plan: str, metric: str, *, sure: bool = True, **changes: object) -> Response:
    """Post the plan's page with changes of one allowance; `sure`: as the confirmation page would."""
    prefix = f"allowances-{row(plan, metric)}-"
    sent = filled(admin, page_of(plan), {prefix + name: value for name, value in changes.items()})
    return admin.post(page_of(plan), sent | ({"_confirmed": "Save"} if sure else {}))


def allowance(plan: str, metric: str) -> Allowance:
    return Allowance.objects.get(plan__slug=plan, metric__code=metric)


def reasons() -> list[str]:
    return list(EntitlementChange.objects.order_by("pk").values_list("reason", flat=True))


class TestConfirmation:
    def test_says_how_many_tenants_it_touches_and_saves_nothing(
        self, admin: Client, make_tenant: MakeTenant
    ) -> None:
        for slug in ("one", "two"):
            make_tenant(slug)
        response = edit(admin, "free", "api_calls", included=2000, sure=False)
        html = response.content.decode()
        assert response.status_code == 200
        assert "<strong>2 tenants</strong>" in html
        assert "API calls 1,000 → 2,000" in html
        assert 'value="Save for 2 tenants"' in html
        assert allowance("free", "api_calls").included == 1000
        assert allowance("free", "api_calls").history.count() == 1
        assert not EntitlementChange.objects.exists()

    def test_says_how_many_would_be_over_their_limit(
        self, admin: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[int | None, int]] = []

        def count(plan: Plan, tenants: QuerySet[Tenant], at: datetime) -> int:
            seen.append((allowance("free", "api_calls").included, tenants.count()))
            return 1

        monkeypatch.setattr(confirmation, "consequences", count)
        html = edit(admin, "free", "api_calls", included=10, sure=False).content.decode()
        assert "<strong>1</strong> would be over its limit" in html
        assert seen == [(10, 1)]  # counted against the new limit

    def test_its_form_saves_what_was_asked(self, admin: Client, tenant: Tenant) -> None:
        asked = edit(admin, "free", "api_calls", included=2000, sure=False)
        sent = dict(asked.context["sent"]) | {"_confirmed": "Save for 1 tenant"}
        response = admin.post(page_of("free"), sent)
        assert response.status_code == 302
        assert allowance("free", "api_calls").included == 2000

    def test_is_left_out_where_no_tenant_is_touched(self, admin: Client) -> None:
        assert edit(admin, "pro", "api_calls", included=9, sure=False).status_code == 302
        assert allowance("pro", "api_calls").included == 9

    def test_is_left_out_where_no_limit_changes(self, admin: Client, tenant: Tenant) -> None:
        response = admin.post(page_of("free"), filled(admin, page_of("free"), {"name": "Gratis"}))
        assert response.status_code == 302
        assert Plan.objects.get(slug="free").name == "Gratis"
        assert not EntitlementChange.objects.exists()

    def test_comes_after_mistakes(self, admin: Client, tenant: Tenant) -> None:
        html = edit(admin, "free", "api_calls", included="lots", sure=False).content.decode()
        assert "“lots” is no amount" in html
        assert "Save for" not in html

    def test_is_asked_of_who_may_change_plans_only(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        assert client_for(owner).post(page_of("free"), {}).status_code == 302  # to the admin's sign-in
        assert not EntitlementChange.objects.exists()


class TestSaving:
    def test_raises_each_touched_tenants_version_once(
        self, admin: Client, staff: User, make_tenant: MakeTenant
    ) -> None:
        on_default, subscribed, elsewhere = (
            make_tenant("a"),
            make_tenant("b", "free"),
            make_tenant("c", "pro"),
        )
        EntitlementChange.objects.all().delete()
        Entitlement.objects.all().delete()
        edit(admin, "free", "api_calls", included=2000)
        assert dict(Entitlement.objects.values_list("tenant_id", "version")) == {
            on_default.pk: 1,
            subscribed.pk: 1,
        }
        assert reasons() == ["Plan Free: API calls 1,000 → 2,000"] * 2
        assert {change.actor for change in EntitlementChange.objects.all()} == {staff}
        assert not EntitlementChange.objects.filter(tenant=elsewhere).exists()

    def test_touches_tenants_whose_subscription_has_yet_to_begin(
        self, admin: Client, make_tenant: MakeTenant
    ) -> None:
        tenant = make_tenant("a", "starter")
        subscribe(
            tenant, Plan.objects.get(slug="pro"), at=LONG_AGO.replace(year=2100), actor=None, reason="later"
        )
        EntitlementChange.objects.all().delete()
        edit(admin, "pro", "users", included=60)
        assert reasons() == ["Plan Pro: Active users 50 → 60"]

    def test_names_all_that_changed(self, admin: Client, tenant: Tenant) -> None:
        edit(admin, "free", "storage", included="200 MB", beyond="bill", hard_limit="1 GB", burst="5 MB")
        assert reasons() == [
            "Plan Free: Storage 100 MB → 200 MB; Storage beyond stop → bill; "
            "Storage hard limit none → 1,000 MB; Storage burst none → 5 MB a minute"
        ]

    def test_keeps_who_changed_what(self, admin: Client, staff: User) -> None:
        edit(admin, "free", "api_calls", included=2000)
        newest = allowance("free", "api_calls").history.first()
        assert (newest.history_user, newest.included) == (staff, 2000)

    def test_adds_and_removes_allowances(self, admin: Client, tenant: Tenant) -> None:
        metric = Metric.objects.create(code="seats", name="Seats", noun="seats", kind="sum")
        new = {"metric": metric.pk, "included": 5, "beyond": "stop"}
        sent = filled(admin, page_of("free"), {f"allowances-4-{name}": value for name, value in new.items()})
        sent |= {"allowances-TOTAL_FORMS": "5", "allowances-2-DELETE": "on", "_confirmed": "Save"}
        assert admin.post(page_of("free"), sent).status_code == 302
        assert reasons() == ["Plan Free: Seats added: 5, stop beyond; Active users removed"]

    def test_a_new_plan_touches_nobody(self, admin: Client, tenant: Tenant) -> None:
        add = reverse("admin:billing_plan_add")
        metric = Metric.objects.get(code="api_calls")
        new = {"metric": metric.pk, "included": 5, "beyond": "stop", "id": "", "plan": ""}
        sent = filled(admin, add, {"name": "Team", "slug": "team"})
        sent |= {f"allowances-0-{name}": str(value) for name, value in new.items()} | {
            "allowances-TOTAL_FORMS": "1"
        }
        assert admin.post(add, sent).status_code == 302
        assert allowance("team", "api_calls").included == 5
        assert not EntitlementChange.objects.exists()

    def test_the_default_plan_cant_be_deleted(self, admin: Client) -> None:
        free = Plan.objects.get(slug="free")
        assert admin.post(reverse("admin:billing_plan_delete", args=[free.pk])).status_code == 403
        admin.post(
            reverse("admin:billing_plan_changelist"),
            {"action": "delete_selected", "_selected_action": free.pk, "post": "yes"},
        )
        assert Plan.objects.filter(slug="free").exists()

    def test_history_shows_a_version_and_takes_none_back(self, admin: Client) -> None:
        edit(admin, "free", "api_calls", included=2000)
        one = allowance("free", "api_calls")
        history = reverse("admin:billing_allowance_history", args=[one.pk])
        assert "1000" in admin.get(history).content.decode()
        first = one.history.last()
        version = reverse("admin:billing_allowance_simple_history", args=[one.pk, first.history_id])
        assert admin.get(version).status_code == 200
        assert admin.post(version, {"included": 1}).status_code == 403
        assert allowance("free", "api_calls").included == 2000


class TestFlatPrice:
    def test_is_its_only_tier(self, admin: Client) -> None:
        edit(admin, "pro", "api_calls", price="0.002", per=10)
        tier = PriceTier.objects.get(allowance=allowance("pro", "api_calls"))
        assert (tier.price, tier.per, tier.up_to) == (Decimal("0.002"), 10, None)
        assert tier.history.count() == 2

    def test_is_told_to_the_tenants_it_touches(self, admin: Client, make_tenant: MakeTenant) -> None:
        make_tenant("a", "pro")
        EntitlementChange.objects.all().delete()
        edit(admin, "pro", "bandwidth", price="0.03")
        assert reasons() == ["Plan Pro: Bandwidth price 0.02 per 1 MB → 0.03 per 1 MB"]

    def test_stays_as_it_is_where_nothing_was_changed(self, admin: Client) -> None:
        edit(admin, "pro", "api_calls")
        assert PriceTier.objects.get(allowance=allowance("pro", "api_calls")).history.count() == 1

    def test_goes_when_it_is_emptied(self, admin: Client) -> None:
        edit(admin, "pro", "api_calls", price="")
        assert not PriceTier.objects.filter(allowance=allowance("pro", "api_calls")).exists()

    def test_is_said_to_be_missing_where_use_is_billed(self, admin: Client) -> None:
        edit(admin, "pro", "users", included=60)
        html = admin.get(page_of("pro")).content.decode()
        assert "Active users: use beyond 60 is free, as it has no price." in html

    def test_leaves_graduated_prices_alone(self, admin: Client) -> None:
        one = allowance("pro", "api_calls")
        one.tiers.update(up_to=1000)
        PriceTier.objects.create(allowance=one, price=Decimal("0.0005"))
        assert "graduated" in admin.get(page_of("pro")).content.decode()
        edit(admin, "pro", "api_calls", included=9)
        assert one.tiers.count() == 2


class TestQueries:
    def test_a_plans_page_reads_the_same_whatever_it_holds(
        self, admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        admin.get(page_of("pro"))
        with django_assert_max_num_queries(16):
            admin.get(page_of("pro"))

    def test_saving_does_not_ask_tenant_by_tenant(
        self, admin: Client, make_tenant: MakeTenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(30):
            make_tenant(f"tenant-{number}")
        sent = filled(admin, page_of("free"), {"allowances-0-included": 5, "_confirmed": "Save"})
        with django_assert_max_num_queries(45):
            admin.post(page_of("free"), sent)
        assert EntitlementChange.objects.count() == 30
