"""A tenant's periods: what was used, the limit then in force, who may look, and that the files say the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Allowance, Metric, Override, Plan
from billing.subscriptions import subscribe
from tenants.anchors import change_anchor
from tenants.models import Membership, Tenant
from tests.conftest import MakeTenant, MakeUser
from tests.usage.billed import CLOSES, DAY, FIRST, MB, close, day, example
from tests.usage.counted import refuse, use
from tests.usage.pages import HTMX, address, text
from usage.models import LevelDay, LevelHour
from usage.reports.period_files import history_csv
from usage.reports.periods import History, PastUse, history

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

LATER = CLOSES + 10 * DAY


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(created_at=FIRST)


def uses(found: History, place: int) -> dict[str, PastUse]:
    return {one.metric.code: one for one in found.periods[place].uses}


class TestPeriods:
    def test_are_the_running_one_and_those_before_it(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 5, at=LATER)
        use(tenant, "api_calls", 700, at=day(20))
        found = history(tenant, LATER)
        assert [one.days for one in found.periods] == ["1–31 Dec 2026", "1–30 Nov 2026"]
        assert [one.is_running for one in found.periods] == [True, False]
        assert [uses(found, place)["api_calls"].used for place in (0, 1)] == [5, 700]

    def test_begin_with_the_first_that_counted_anything(self, tenant: Tenant) -> None:
        assert [one.is_running for one in history(tenant, LATER).periods] == [True]
        use(tenant, "api_calls", 5, at=FIRST - 60 * DAY)
        assert str(history(tenant, day(20)).periods[-1].period) == "2026-09-01"

    def test_are_known_by_levels_alone_too(self, tenant: Tenant) -> None:
        metric = Metric.objects.get(code="storage")
        LevelDay.objects.create(
            tenant=tenant, metric=metric, day=day(11), opening=0, added=9, removed=0, peak=9, closing=9
        )
        assert [uses(history(tenant, LATER), place)["storage"].used for place in (0, 1)] == [9, 9]

    def test_have_the_limit_of_their_statement_whatever_was_edited_since(self, tenant: Tenant) -> None:
        example(tenant)
        close()
        Allowance.objects.filter(plan__slug="pro").update(included=7)
        found = uses(history(tenant, LATER), 1)["api_calls"]
        assert (found.used, found.limit_text, found.percent) == (501_500, "500,000", 100)
        assert found.rule == "Billed over"
        assert uses(history(tenant, LATER), 1)["users"].rule == "Not charged over"
        assert history(tenant, LATER).periods[1].number == "HR-2026-11-0001"

    def test_without_a_statement_have_what_was_in_force_at_their_end(self, tenant: Tenant) -> None:
        subscribe(tenant, Plan.objects.get(slug="starter"), at=FIRST, actor=None, reason="test")
        metric = Metric.objects.get(code="api_calls")
        Override.objects.create(
            tenant=tenant, metric=metric, mode="add", units=10_000, starts=day(10), ends=CLOSES, reason="x"
        )
        use(tenant, "api_calls", 30_000, at=day(20))
        use(tenant, "api_calls", 30_000, at=LATER)
        found = history(tenant, LATER)
        assert [uses(found, place)["api_calls"].percent for place in (0, 1)] == [60, 50]
        assert found.periods[1].plan["slug"] == "starter"

    def test_say_what_a_plan_did_not_have(self, tenant: Tenant) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="bandwidth").delete()
        use(tenant, "bandwidth", 5, at=day(20))
        found = uses(history(tenant, LATER), 1)["bandwidth"]
        assert (found.limit_text, found.share) == ("not in the plan", "–")

    def test_have_refusals_of_what_was_not_used_too(self, tenant: Tenant) -> None:
        refuse(tenant, "bandwidth", 9, at=day(20))
        assert uses(history(tenant, LATER), 1)["bandwidth"].refused == 9

    def test_begin_on_the_anchor_day_of_then(self, tenant: Tenant) -> None:
        change_anchor(tenant, 15, day(20))
        use(tenant, "api_calls", 4, at=day(3))
        use(tenant, "api_calls", 5, at=CLOSES)
        use(tenant, "api_calls", 6, at=datetime(2026, 12, 20, tzinfo=UTC))
        found = history(tenant, datetime(2026, 12, 21, tzinfo=UTC))
        assert [str(one.period) for one in found.periods] == ["2026-12-15", "2026-12-01", "2026-11-01"]
        assert [uses(found, place)["api_calls"].used for place in (0, 1, 2)] == [6, 5, 4]


class TestLevels:
    def test_are_what_stood_there_when_the_period_ended(self, tenant: Tenant) -> None:
        example(tenant)
        found = history(tenant, LATER)
        assert [uses(found, place)["storage"].used for place in (0, 1)] == [50_000 * MB] * 2

    def test_of_long_ago_come_from_days(self, tenant: Tenant) -> None:
        example(tenant)
        LevelHour.objects.all().delete()
        metric = Metric.objects.get(code="storage")
        LevelDay.objects.create(
            tenant=tenant, metric=metric, day=day(11), opening=5, added=3, removed=0, peak=8, closing=8
        )
        use(tenant, "api_calls", 1, at=FIRST - 5 * DAY)
        found = history(tenant, LATER)
        assert [uses(found, place)["storage"].used for place in (0, 1, 2)] == [8, 8, 5]


class TestPaging:
    def test_goes_through_all_without_gaps(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 1, at=datetime(2024, 1, 5, tzinfo=UTC))
        after, seen = "", list[str]()
        while not seen or after:
            found = history(tenant, LATER, after=after, size=5)
            seen += [str(one.period) for one in found.periods]
            after = found.older
        assert seen == [str(one.period) for one in history(tenant, LATER, size=None).periods]
        assert len(seen) == len(set(seen)) == 36

    def test_begins_anew_with_a_cursor_that_is_not_ours(self, tenant: Tenant) -> None:
        assert history(tenant, LATER, after="2026-11-01:forged").is_first


@pytest.fixture
def old(make_tenant: MakeTenant) -> Tenant:
    """Used in each of the last thirty months, or so."""
    tenant = make_tenant("acme", "pro")
    for back in range(30):
        use(tenant, "api_calls", 1_000 + back, at=timezone.now() - timedelta(days=30 * back))
    return tenant


class TestPage:
    @pytest.mark.parametrize("role", Membership.Role.values)
    def test_is_for_every_role_and_has_no_money(
        self, make_user: MakeUser, client_for: Callable[..., Client], old: Tenant, role: str
    ) -> None:
        browser = client_for(make_user("x@acme.example", role, old))
        html = text(browser.get(address(old, "history")))
        assert "Running: counts so far, limits of now" in html
        assert "$" not in html
        assert f'<a href="{address(old, "history")}" aria-current="page">Periods</a>' in html

    def test_shows_older_ones_by_htmx(
        self, make_user: MakeUser, client_for: Callable[..., Client], old: Tenant
    ) -> None:
        browser = client_for(make_user("x@acme.example", "viewer", old))
        first = browser.get(address(old, "history"))
        older = text(first).split('id="go-older" href="')[1].split('"')[0]
        part = text(browser.get(address(old, "history") + older, headers=HTMX))
        assert part.lstrip().startswith('<div class="stack" id="periods">')
        assert "Running" not in part
        assert 'id="go-newest"' in part

    def test_says_when_the_first_period_will_be_there(
        self, make_tenant: MakeTenant, make_user: MakeUser, client_for: Callable[..., Client]
    ) -> None:
        new = make_tenant("new", created_at=timezone.now())
        html = text(client_for(make_user("x@new.example", "viewer", new)).get(address(new, "history")))
        assert "Nothing was counted yet." in html
        assert "from then on it stays here, with the limits that were in force." in html

    def test_costs_as_much_for_many(
        self,
        make_user: MakeUser,
        client_for: Callable[..., Client],
        old: Tenant,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        browser = client_for(make_user("x@acme.example", "owner", old))
        browser.get(address(old, "history"))
        for name in ("history", "history_csv"):
            with django_assert_max_num_queries(12):
                browser.get(address(old, name))


class TestFiles:
    def test_say_the_same_of_all_periods(
        self, make_user: MakeUser, client_for: Callable[..., Client], old: Tenant
    ) -> None:
        browser = client_for(make_user("x@acme.example", "viewer", old))
        document = browser.get(address(old, "history_json")).json()
        answer = browser.get(address(old, "history_csv"))
        assert answer["Content-Disposition"] == 'attachment; filename="history-acme.csv"'
        rows = list(csv.DictReader(StringIO(text(answer), newline="")))
        used = [
            (one["id"], use["code"], str(use["used"]), str(use["limit"]))
            for one in document["periods"]
            for use in one["metrics"]
        ]
        assert [
            (row["period"], row["metric"], row["used"], row["limit"]) for row in rows if row["metric"]
        ] == used
        assert len(used) >= 29
        assert [row["is"] for row in rows][:2] == ["running", "closed"]
        assert document["periods"][0]["is_running"]

    def test_have_a_line_for_a_period_without_use(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 5, at=day(20))
        found = history(tenant, LATER + 31 * DAY, size=None)
        rows = list(csv.DictReader(StringIO(history_csv(found), newline="")))
        assert [(row["period"], row["metric"]) for row in rows] == [
            ("2027-01-01", ""),
            ("2026-12-01", ""),
            ("2026-11-01", "api_calls"),
        ]
