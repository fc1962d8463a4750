"""What a change of plan does, as it is said before it is made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.courses import Course
from billing.models import Allowance, Metric, Override, Plan
from billing.subscriptions import change_plan
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, move, see, use
from usage.reports.plan_effects import Effect
from usage.reports.plans import Choice, plan_report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


@pytest.fixture
def starter(make_tenant: MakeTenant) -> Tenant:
    """The tenant of the picture: its calls are used up, the rest has room."""
    tenant = make_tenant("acme", "starter")
    use(tenant, "api_calls", 50_000)
    use(tenant, "bandwidth", 6_200 * MB)
    move(tenant, added=3_100 * MB, closing=3_100 * MB)
    see(tenant, *(f"reader-{number}" for number in range(7)))
    return tenant


def to(slug: str) -> Choice:
    plan = Plan.objects.get(slug=slug)
    return lambda course: course.changed_to(plan)


def effect(tenant: Tenant, choice: Choice | None, *, at: datetime = NOW, with_money: bool = True) -> Effect:
    found = plan_report(tenant, at, with_money=with_money, choice=choice).effect
    assert found
    return found


def left(one: Effect) -> list[tuple[str, str]]:
    return [(now.left_text, there.left_text) for now, there in one.pairs]


class TestAtOnce:
    def test_measures_what_is_used_now_on_both(self, starter: Tenant) -> None:
        one = effect(starter, to("pro"))
        assert (one.title, one.note) == ("From Starter to Pro", "With what is used now, 1–23 Nov 2026")
        assert (one.there, one.button) == ("On Pro", "Switch to Pro now")
        assert left(one) == [
            ("0 left", "450,000 left"),
            ("1.9 GB left", "46.9 GB left"),
            ("3 left", "43 left"),
            ("3.8 GB left", "93.8 GB left"),
        ]
        assert one.facts == (
            "API calls go on at once.",
            "The limits of Pro act at once and for the whole period.",
        )

    def test_bills_the_day_to_the_plan_at_its_end(self, starter: Tenant) -> None:
        assert effect(starter, to("pro")).costs == (
            "Base fees go by days: 22 days of Starter, $21.27, and 8 days of Pro, $53.07, together $74.34. "
            "Nothing is billed beyond what Pro includes."
        )

    def test_costs_what_was_shown_once_it_is_done(self, starter: Tenant) -> None:
        def note() -> str:
            cards = plan_report(starter, NOW, with_money=True).cards
            return next(card.price_note for card in cards if card.plan.slug == "pro")

        before = note()
        change_plan(starter, Plan.objects.get(slug="pro"), at=NOW, actor=None, reason="")
        assert note() == before == "$74.34 in November"

    def test_bills_a_third_plan_too(self, starter: Tenant) -> None:
        at = datetime(2026, 11, 11, 8, tzinfo=UTC)
        change_plan(starter, Plan.objects.get(slug="pro"), at=at, actor=None, reason="")
        assert effect(starter, to("enterprise")).costs.startswith(
            "Base fees go by days: 10 days of Starter, $9.67; 12 days of Pro, $79.60, and 8 days of Enterprise, "
            "$399.73, together $489.00."
        )

    def test_on_the_first_day_bills_one_plan(self, make_tenant: MakeTenant) -> None:
        at = datetime(2026, 11, 1, 8, tzinfo=UTC)
        one = effect(make_tenant("acme", "starter"), to("pro"), at=at)
        assert one.costs.startswith("Base fees go by days: 30 days of Pro, $199.00. ")

    def test_counts_what_goes_beyond_the_larger_plan(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "pro")
        use(tenant, "api_calls", 5_002_000)
        one = effect(tenant, to("enterprise"))
        assert one.costs.endswith("Use beyond what Enterprise includes costs $2.00 so far.")

    def test_says_what_the_larger_plan_still_stops(self, starter: Tenant) -> None:
        Allowance.objects.filter(plan__slug="pro", metric__code="api_calls").update(
            included=40_000, beyond="stop"
        )
        assert (
            "Pro stops API calls at 40,000; this period has used 50,000 so far."
            in effect(starter, to("pro")).facts
        )


class TestLater:
    def test_keeps_levels_and_begins_the_rest_at_zero(self, starter: Tenant) -> None:
        one = effect(starter, to("free"))
        assert (one.note, one.there) == ("From 1 Dec on, 00:00 UTC", "On Free from 1 Dec")
        assert one.button == "Switch to Free on 1 Dec"
        assert left(one) == [
            ("0 left", "1,000 left"),
            ("1.9 GB left", "0 bytes left"),
            ("3 left", "3 left"),
            ("3.8 GB left", "500 MB left"),
        ]
        assert one.facts == (
            "Starter and its limits go on until 1 December, 00:00 UTC, then those of Free hold.",
            "These begin at zero then, as in every period: API calls, Active users and Bandwidth.",
            "Free stops API calls at 1,000; this period has used 50,000 so far.",
            "3.1 GB of storage: kept, but more than the 100 MB of Free, so it can't grow until it is below.",
            "Free stops active users at 3; this period has used 7 so far.",
            "Free stops bandwidth at 500 MB; this period has used 6.2 GB so far.",
        )
        assert one.costs == "From 1 Dec on the base fee is $0 a month; until then it is that of Starter."

    @pytest.mark.parametrize(
        ("beyond", "has_price", "sentence"),
        [
            ("bill", True, "3.1 GB of storage: kept; what is above the 1 GB of Pro is billed, $0.05 per MB."),
            ("bill", False, "3.1 GB of storage: kept; nothing is charged above the 1 GB of Pro."),
            ("notify", False, "3.1 GB of storage: kept; nothing is charged above the 1 GB of Pro."),
        ],
    )
    def test_says_what_becomes_of_a_level_that_goes_on(
        self, make_tenant: MakeTenant, beyond: str, has_price: bool, sentence: str
    ) -> None:
        tenant = make_tenant("acme", "enterprise")
        move(tenant, added=3_100 * MB, closing=3_100 * MB)
        storage = Allowance.objects.get(plan__slug="pro", metric__code="storage")
        if not has_price:
            storage.tiers.all().delete()
        Allowance.objects.filter(pk=storage.pk).update(included=1_000 * MB, beyond=beyond)
        assert sentence in effect(tenant, to("pro")).facts

    def test_names_what_the_other_plan_lacks(self, starter: Tenant) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="bandwidth").delete()
        one = effect(starter, to("free"))
        assert "Free has no bandwidth: requests that need it are refused." in one.facts
        assert len(one.pairs) == 3

    def test_goes_by_the_grants_of_that_day(self, starter: Tenant) -> None:
        metric = Metric.objects.get(code="storage")
        given = {"tenant": starter, "metric": metric, "reason": "x", "starts": NOW}
        Override.objects.create(units=5_000 * MB, ends=datetime(2026, 11, 30, tzinfo=UTC), **given)
        assert any("can't grow" in fact for fact in effect(starter, to("free")).facts)
        Override.objects.create(units=5_000 * MB, **given)
        assert not any("can't grow" in fact for fact in effect(starter, to("free")).facts)

    def test_of_a_cancellation_is_what_the_default_plan_gives(self, starter: Tenant) -> None:
        one = effect(starter, Course.ended)
        assert (one.title, one.button) == ("From Starter to Free", "Cancel Starter on 1 Dec")
        assert one.facts == effect(starter, to("free")).facts


class TestMoney:
    def test_is_kept_from_who_sees_none(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "enterprise")
        move(tenant, added=60_000 * MB, closing=60_000 * MB)
        one = effect(tenant, to("pro"), with_money=False)
        assert one.costs == ""
        assert "$" not in " ".join(one.facts)
        assert "60 GB of storage: kept; what is above the 50 GB of Pro is billed." in one.facts


class TestSuggestion:
    def test_has_the_numbers_and_no_decision(self, starter: Tenant) -> None:
        one = effect(starter, None)
        assert (one.title, one.is_chosen, one.facts) == ("From Starter to Pro", False, ())
        assert one.costs.endswith("together $74.34. Nothing is billed beyond what Pro includes.")

    def test_is_not_made_once_it_is_scheduled(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "pro")
        use(tenant, "api_calls", 600_000)
        Plan.objects.filter(slug="enterprise").update(base_fee=9)
        change_plan(tenant, Plan.objects.get(slug="enterprise"), at=NOW, actor=None, reason="")
        report = plan_report(tenant, NOW, with_money=True)
        assert report.suggested
        assert report.suggested.slug == "enterprise"
        assert report.effect is None
