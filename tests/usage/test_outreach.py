"""Outreach: who would be better off on another plan, why, and what that is worth to both."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Allocation, CostShare, Plan, Subscription
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.counted import NOW, move, refuse, use, use_daily
from usage.metering import chores
from usage.reports.offers import offers
from usage.reports.outreach import Case, every_case, outreach
from usage.reports.outreach_plans import Book
from usage.reports.outreach_sheet import outreach_csv
from usage.reports.readings import reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

HTMX = {"HTTP_HX_REQUEST": "true"}
LONG_AGO = NOW - timedelta(days=100)


@pytest.fixture
def on_plan(make_tenant: MakeTenant) -> Callable[[str, str], Tenant]:
    """A tenant that has been on the plan for long."""

    def make(slug: str, plan: str) -> Tenant:
        tenant = make_tenant(slug)
        Tenant.objects.filter(pk=tenant.pk).update(created_at=LONG_AGO)
        tenant.refresh_from_db()
        if plan != "free":
            Subscription.objects.create(tenant=tenant, plan=Plan.objects.get(slug=plan), starts=LONG_AGO)
        return tenant

    return make


def judge() -> None:
    chores.begin_periods(NOW)
    chores.expect_use(NOW)


def cases(plan: str = "") -> dict[str, Case]:
    return {case.slug: case for case in outreach(plan=plan, at=NOW).cases}


class TestAdvice:
    def test_who_is_refused_is_shown_the_cheapest_plan_that_is_enough(
        self, on_plan: Callable[[str, str], Tenant], owner: User
    ) -> None:
        tenant = on_plan("acme", "free")
        use(tenant, "api_calls", 1_000)
        refuse(tenant, "api_calls", 214)
        judge()
        case = cases()["acme"]
        assert (case.plan, case.suggested, case.why) == ("Free", "Starter", "refused 214 requests in 24 h")
        assert (case.own, case.other, case.worth_to_us) == (Decimal(0), Decimal(29), "+$29.00")
        assert case.worth_to_them == "nothing is refused, for $29.00 more"

    def test_who_pays_much_beyond_the_plan_saves_on_the_next(
        self, on_plan: Callable[[str, str], Tenant]
    ) -> None:
        use(on_plan("acme", "pro"), "api_calls", 2_500_000)
        judge()
        case = cases()["acme"]
        assert (case.suggested, case.own, case.other) == ("Enterprise", Decimal(2_199), Decimal(1_499))
        assert (case.worth_to_them, case.worth_to_us) == ("$700.00 less", "−$700.00")
        assert case.why == "pays $2,000.00 beyond the plan"

    def test_who_pays_little_beyond_the_plan_is_best_where_it_is(
        self, on_plan: Callable[[str, str], Tenant]
    ) -> None:
        use(on_plan("acme", "pro"), "api_calls", 600_000)
        judge()
        found = outreach(at=NOW)
        assert (found.cases, found.looked_at, found.settled) == ((), 1, 1)

    def test_who_will_run_out_hears_of_it_before(self, on_plan: Callable[[str, str], Tenant]) -> None:
        use_daily(on_plan("acme", "free"), "api_calls", 42, days=40)
        judge()
        case = cases()["acme"]
        assert (case.suggested, case.why) == ("Starter", "API calls used up on 25 Nov")

    def test_plans_that_would_be_too_small_by_the_end_are_not_suggested(
        self, on_plan: Callable[[str, str], Tenant]
    ) -> None:
        tenant = on_plan("acme", "free")
        use_daily(tenant, "api_calls", 2_000, days=40)  # 44,000 now, 58,800 by the end: more than Starter has
        judge()
        assert cases()["acme"].suggested == "Pro"

    def test_who_is_content_is_not_looked_at(self, on_plan: Callable[[str, str], Tenant]) -> None:
        use(on_plan("calm", "free"), "api_calls", 10)
        Tenant.objects.filter(pk=on_plan("gone", "free").pk).update(status="closed")
        judge()
        assert outreach(at=NOW).looked_at == 0

    @pytest.mark.parametrize("plan", ["free", "starter", "pro"])
    def test_prices_are_those_of_the_tenants_own_page(
        self, on_plan: Callable[[str, str], Tenant], plan: str
    ) -> None:
        tenant = on_plan("acme", plan)
        use_daily(tenant, "api_calls", 30_000, days=40)
        use_daily(tenant, "bandwidth", 4 * 10**9, days=33)
        move(tenant, added=60 * 10**9, closing=60 * 10**9, at=NOW - timedelta(days=9))
        judge()
        found = offers(reading(tenant, NOW))
        book = Book([tenant], NOW)
        options = {one.plan.slug: one for one in book.options(tenant)}
        for offer in (*found.rows, *found.left_out):
            assert options[offer.plan.slug].total == pytest.approx(offer.expected.total, rel=Decimal("0.001"))
        assert len(options) == len(found.rows) + len(found.left_out) == 4


class TestPage:
    @pytest.fixture(autouse=True)
    def _tenants(self, on_plan: Callable[[str, str], Tenant]) -> None:
        for n in range(5):
            use(on_plan(f"t{n}", "pro" if n % 2 else "free"), "api_calls", 3_000_000 + n if n % 2 else 1_000)
        judge()

    def test_pages_through_all_and_back(self) -> None:
        first = outreach(at=NOW, size=2)
        second = outreach(at=NOW, size=2, after=first.next or "")
        third = outreach(at=NOW, size=2, after=second.next or "")
        seen = [case.slug for page in (first, second, third) for case in page.cases]
        assert sorted(seen) == ["t0", "t1", "t2", "t3", "t4"]
        assert (third.next, first.previous) == (None, None)
        assert outreach(at=NOW, size=2, after=third.previous or "").cases == second.cases

    def test_narrows_to_a_plan(self) -> None:
        assert sorted(cases(plan="pro")) == ["t1", "t3"]
        assert outreach(plan="odd", at=NOW).plan == ""

    def test_takes_as_many_queries_for_five_as_for_one(self) -> None:
        counts = []
        for size in (1, 5):
            with CaptureQueriesContext(connection) as queries:
                assert len(outreach(at=NOW, size=size).cases) == size
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 18

    def test_shows_the_margin_where_costs_are_known(self) -> None:
        divided = Allocation.objects.create(month=date(2026, 10, 1), made_at=NOW)
        CostShare.objects.create(
            allocation=divided, tenant=Tenant.objects.get(slug="t0"), margin=Decimal("-3.00")
        )
        found = cases()
        assert (found["t0"].margin_now, found["t0"].margin_then) == ("−$3.00", "$26.00")
        assert (found["t2"].margin_now, found["t2"].has_margin) == ("–", False)

    def test_writes_to_owners_alone_and_sends_nothing(self, make_user: MakeUser) -> None:
        tenant = Tenant.objects.get(slug="t0")
        for name, role in (("ann+x", "owner"), ("vic", "viewer")):
            Membership.objects.create(tenant=tenant, user=make_user(f"{name}@t0.example"), role=role)
        found = cases()
        assert found["t0"].mail.startswith("mailto:ann%2Bx@t0.example?subject=A%20plan%20that%20suits")
        assert found["t2"].mail == ""

    def test_exports_every_page_and_no_formula(self) -> None:
        Tenant.objects.filter(slug="t0").update(name="=HYPERLINK(1)")
        rows = list(csv.DictReader(StringIO("".join(outreach_csv(plan="", at=NOW)))))
        assert sorted(row["Slug"] for row in rows) == sorted(case.slug for case in every_case(at=NOW))
        mine = next(row for row in rows if row["Slug"] == "t0")
        assert (mine["Tenant"], mine["Suggested plan"], mine["Our revenue"]) == (
            "'=HYPERLINK(1)",
            "Starter",
            "29.00",
        )


class TestView:
    @pytest.fixture
    def browser(self, client_for: Callable[[User], Client], staff: User) -> Client:
        return client_for(staff)

    def test_works_without_javascript_and_by_htmx(
        self, browser: Client, on_plan: Callable[[str, str], Tenant]
    ) -> None:
        use(on_plan("acme", "free"), "api_calls", 1_000)
        judge()
        html = browser.get("/staff/outreach/", {"plan": "free"}).content.decode()
        assert 'href="/staff/tenants/acme/"' in html
        assert 'href="/staff/outreach.csv?plan=free"' in html
        part = browser.get("/staff/outreach/", {"plan": "free"}, **HTMX)  # type: ignore[arg-type]
        assert b"<html" not in part.content
        assert part["HX-Push-Url"] == "/staff/outreach/?plan=free"

    def test_says_so_where_everybody_is_content(self, browser: Client) -> None:
        assert b"Everybody here is best off" in browser.get("/staff/outreach/").content

    def test_sends_a_file(self, browser: Client) -> None:
        response = browser.get("/staff/outreach.csv")
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"].startswith('attachment; filename="outreach-')
        assert next(iter(response.streaming_content)).startswith(b"Tenant,Slug,Plan")  # type: ignore[attr-defined]
