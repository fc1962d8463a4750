"""The plans side by side: what fits, what is suggested, what it would cost."""

from __future__ import annotations

import pytest

from billing.models import Metric, Override, Plan
from tenants.models import Tenant, User
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, move, use
from usage.reports.plan_cards import PlanCard
from usage.reports.plans import PlanReport, plan_report
from usage.wishes import ask_for_plan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


def read(tenant: Tenant, *, with_money: bool = True) -> PlanReport:
    return plan_report(tenant, NOW, with_money=with_money)


def card(report: PlanReport, slug: str) -> PlanCard:
    return next(one for one in report.cards if one.plan.slug == slug)


class TestFits:
    def test_are_calm_for_a_new_tenant(self, tenant: Tenant) -> None:
        report = read(tenant)
        assert [one.plan.slug for one in report.cards] == ["free", "starter", "pro", "enterprise"]
        assert all(one.fit.look == ("ok", "Fits") for one in report.cards)
        assert (report.suggested, report.title) == (None, "Free fits what is used now.")

    def test_say_what_stopped_and_which_plan_lets_it_go_on(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        use(tenant, "api_calls", 50_000)
        report = read(tenant)
        assert card(report, "free").fit.look.word == "API calls would not fit"
        assert card(report, "free").fit.note == "50,000 used, 1,000 included"
        assert card(report, "starter").fit.look.word == "API calls stopped"
        assert card(report, "pro").fit.note == "API calls go on at once"
        assert report.suggested == Plan.objects.get(slug="pro")
        assert report.title == "With Pro, API calls go on today."
        assert report.reason.startswith("Starter stops API calls at 50,000.")
        assert [(now.left_text, there.left_text) for now, there in report.pairs[:1]] == [
            ("0 left", "450,000 left")
        ]

    def test_know_that_a_level_is_kept(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        move(tenant, added=3_100 * MB, closing=3_100 * MB)
        free = card(read(tenant), "free")
        assert free.fit.look.word == "Storage would not fit"
        assert free.fit.note == "3.1 GB is kept, 100 MB is included"

    def test_suggest_a_plan_with_room_rather_than_one_that_bills(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use(tenant, "api_calls", 600_000)
        report = read(tenant)
        assert card(report, "pro").fit.look.word == "API calls billed over"
        assert report.suggested == Plan.objects.get(slug="enterprise")

    def test_keep_the_tenants_overrides_on_every_plan(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        calls = Metric.objects.get(code="api_calls")
        Override.objects.create(tenant=tenant, metric=calls, units=60_000, reason="launch", starts=NOW)
        use(tenant, "api_calls", 50_000)
        report = read(tenant)
        assert card(report, "free").fit.note == "50,000 of 61,000 · 81 % now"
        assert card(report, "starter").included[0].amount == "110,000"

    def test_say_so_when_no_plan_has_room(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="enterprise")
        use(tenant, "api_calls", 6_000_000)
        report = read(tenant)
        assert (report.suggested, report.pairs) == (None, ())
        assert report.title == "No plan on offer fits what is used now."


class TestPrices:
    def test_are_those_of_present_use(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use(tenant, "api_calls", 501_500)
        pro = card(read(tenant), "pro")
        assert (pro.price, pro.price_note) == ("$199", "$200.50 with present use")
        assert [item.then for item in pro.included] == [
            "then $0.001 each",
            "then $0.05 per MB",
            "then not charged",
            "then $0.02 per MB",
        ]

    def test_are_kept_from_who_sees_no_money(self, make_tenant: MakeTenant) -> None:
        report = read(make_tenant(plan="pro"), with_money=False)
        assert not any(one.price or one.price_note for one in report.cards)
        assert "$" not in str([one.included for one in report.cards])


class TestOffers:
    def test_leave_out_plans_that_are_not_public(self, tenant: Tenant) -> None:
        Plan.objects.filter(slug="enterprise").update(is_public=False)
        assert "enterprise" not in [one.plan.slug for one in read(tenant).cards]

    def test_show_the_tenants_own_plan_even_so(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="enterprise")
        Plan.objects.filter(slug="enterprise").update(is_public=False)
        assert card(read(tenant), "enterprise").is_current

    def test_know_what_was_asked_and_by_whom_it_was_not(
        self, tenant: Tenant, make_tenant: MakeTenant, owner: User
    ) -> None:
        ask_for_plan(tenant, Plan.objects.get(slug="pro"), person=owner, at=NOW)
        assert [one.plan.slug for one in read(tenant).cards if one.is_asked] == ["pro"]
        assert not any(one.is_asked for one in read(make_tenant("other")).cards)
