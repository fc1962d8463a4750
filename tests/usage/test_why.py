"""Why: every change of what a tenant may do on one timeline, with who and why; the last refusals one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.changes import limits_changed
from billing.models import Metric, Override, Plan
from billing.subscriptions import cancel, change_plan, subscribe, withdraw
from tenants.models import Tenant, User
from tests.conftest import MakeTenant
from tests.usage.counted import refuse
from tests.usage.outages import redis_behind_proxy
from tests.usage.pages import HTMX, address, text
from usage.metering import Cause, Charge, consume, last_refusals
from usage.models import Alert, Delivery
from usage.reports import why as whys
from usage.reports.happenings import SOURCES
from usage.reports.why import Why, why

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

AT = datetime(2026, 11, 23, 14, 2, 10, tzinfo=UTC)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    """One that is older than the things of these tests."""
    return make_tenant(created_at=datetime(2026, 10, 20, tzinfo=UTC))


def metric(code: str = "api_calls") -> Metric:
    return Metric.objects.get(code=code)


def alert(tenant: Tenant, at: datetime, **fields: Any) -> Alert:
    given = {
        "metric": metric(),
        "period": "2026-11-01",
        "percent": 80,
        "limit": 1000,
        "used": 800,
        "is_sent": True,
    }
    return Alert.objects.create(tenant=tenant, at=at, **(given | fields))


def texts(report: Why) -> list[str]:
    return [line.text for line in report.lines]


class TestTimeline:
    def test_says_who_changed_limits_and_why(self, tenant: Tenant, staff: User) -> None:
        subscribe(tenant, Plan.objects.get(slug="pro"), at=AT, actor=staff, reason="On plan Pro")
        line = why(tenant, AT, for_staff=True).lines[0]
        assert (line.reason, line.actor) == ("On plan Pro", "sam@ops.example")
        assert why(tenant, AT).lines[0].actor == "Operations"

    def test_says_what_became_of_a_plan_and_who_wanted_it(
        self, tenant: Tenant, staff: User, owner: User
    ) -> None:
        day, turn = timedelta(days=1), datetime(2026, 12, 1, tzinfo=UTC)
        plans = {plan.slug: plan for plan in Plan.objects.all()}
        change_plan(tenant, plans["pro"], at=AT, actor=owner, reason="launch")
        change_plan(tenant, plans["starter"], at=AT + day, actor=owner, reason="")
        withdraw(tenant, at=AT + 2 * day, actor=owner, reason="")
        change_plan(tenant, plans["starter"], at=AT + 3 * day, actor=owner, reason="after all")
        cancel(tenant, at=turn + day, actor=staff, reason="unpaid")
        lines = why(tenant, datetime(2027, 1, 2, tzinfo=UTC)).lines
        told = [(one.text, one.reason, one.actor) for one in lines if one.icon == "cal"]
        name = str(owner)
        assert told == [
            ("Starter ended", "unpaid", "Operations"),
            ("Plan cancelled", "Starter ends on 1 Jan 2027, 00:00 UTC, then Free: unpaid", "Operations"),
            ("Starter began", "after all", name),
            ("Change of plan scheduled", "Pro → Starter on 1 Dec 2026, 00:00 UTC: after all", name),
            ("Scheduled change withdrawn", "Pro goes on, not Starter on 1 Dec 2026, 00:00 UTC", name),
            ("Change of plan scheduled", "Pro → Starter on 1 Dec 2026, 00:00 UTC", name),
            ("Plan changed", "Free → Pro: launch", name),
        ]

    def test_has_every_kind_in_order(self, tenant: Tenant, staff: User) -> None:
        day = AT.replace(hour=0, minute=0, second=0)
        one = alert(tenant, day + timedelta(hours=1))
        alert(tenant, day + timedelta(hours=2), percent=90, is_sent=False)
        alert(tenant, day + timedelta(hours=3), kind=Alert.Kind.REFUSED, percent=0)
        for hour in (3, 6):
            refuse(tenant, "api_calls", 1_000, at=day + timedelta(hours=hour))
        Delivery.objects.create(
            tenant=tenant,
            alert=one,
            channel="email",
            target="olive@northwind.example",
            status="dead",
            error="No such mailbox.",
            due_at=AT,
            created_at=AT,
            ended_at=day + timedelta(hours=7),
        )
        Override.objects.create(
            tenant=tenant,
            metric=metric(),
            units=5,
            reason="for the launch",
            starts=day,
            ends=day + timedelta(hours=8),
        )
        LogEntry.objects.create(
            user=staff,
            content_type=ContentType.objects.get_for_model(Tenant),
            object_id=str(tenant.pk),
            object_repr="x",
            action_flag=CHANGE,
            change_message="Now Suspended.",
        )
        LogEntry.objects.update(action_time=day + timedelta(hours=9))
        limits_changed(
            Tenant.objects.all(), reason="Plan Free: more", at=day + timedelta(hours=10), actor=staff
        )
        found = [(line.text, line.reason, line.actor) for line in why(tenant, AT).lines]
        assert found == [
            ("Limits changed", "Plan Free: more", "Operations"),
            ("Organisation changed", "Now Suspended.", "Operations"),
            ("API calls: an override ended", "for the launch", ""),
            ("Could not be told by email: olive@northwind.example", "No such mailbox.", ""),
            ("API calls: 2,000 requests refused", "From 03:00 to the hour from 06:00 UTC", ""),
            ("API calls: first refusal this period", "", ""),
            ("API calls passed 90 % of 1,000", "Not told: it was no news.", ""),
            ("API calls passed 80 % of 1,000", "", ""),
            ("Counts started anew", "A new period began", ""),
        ]

    def test_knows_the_resets_of_the_tenants_own_periods(self, make_tenant: MakeTenant) -> None:
        old = make_tenant("old", created_at=datetime(2026, 8, 20, tzinfo=UTC), anchor_day=15)
        assert [line.at.date().isoformat() for line in why(old, AT).lines] == [
            "2026-11-15",
            "2026-10-15",
            "2026-09-15",
        ]

    def test_has_nothing_of_other_tenants_or_of_later(self, tenant: Tenant, make_tenant: MakeTenant) -> None:
        other = make_tenant("other")
        alert(other, AT)
        refuse(other, "api_calls", 5, at=AT)
        limits_changed(Tenant.objects.filter(pk=other.pk), reason="x", at=AT)
        alert(tenant, AT + timedelta(hours=1))
        assert texts(why(tenant, AT)) == ["Counts started anew"]

    def test_pages_through_everything_once_also_where_much_came_at_once(self, tenant: Tenant) -> None:
        for number in range(12):
            when = AT - timedelta(minutes=number // 6)
            one = alert(tenant, when, percent=number)
            limits_changed(Tenant.objects.all(), reason=f"change {number}", at=when)
            Delivery.objects.create(
                tenant=tenant,
                alert=one,
                channel="email",
                target=f"{number}@x.example",
                status="dead",
                due_at=AT,
                created_at=AT,
                ended_at=when,
            )
        refuse(tenant, "api_calls", 5, at=AT.replace(minute=0))
        after, pages = "", list[Why]()
        while not pages or after:
            page = why(tenant, AT, after=after, size=5)
            assert page.is_first == (not pages)
            pages.append(page)
            after = page.older
        lines = [line for page in pages for line in page.lines]
        assert len(lines) == len({(line.text, line.reason) for line in lines}) == 38
        assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
        assert [len(page.lines) for page in pages[:-1]] == [5] * 7

    def test_begins_anew_with_a_cursor_that_is_not_ours(self, tenant: Tenant) -> None:
        assert why(tenant, AT, after="forged").is_first

    def test_asks_each_source_once(
        self, tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(30):
            alert(tenant, AT, percent=number)
            limits_changed(Tenant.objects.all(), reason=f"{number}", at=AT)
        why(tenant, AT)
        with django_assert_max_num_queries(len(SOURCES)):
            why(tenant, AT)


class TestLastRefusals:
    def test_are_told_newest_first_with_their_cause(self, tenant: Tenant) -> None:
        now = timezone.now()
        for number in range(60):
            charge = Charge("api_calls", 2_000, f"GET /{number}")
            assert consume(tenant, charge, at=now, request_id=f"id-{number}").refused
        found = last_refusals(tenant)
        assert found is not None
        assert len(found) == 50
        assert (found[0].label, found[0].request_id, found[0].cause) == ("GET /59", "id-59", Cause.LIMIT)
        assert abs(found[0].at - now) < timedelta(minutes=1)

    def test_keep_labels_with_bars_and_other_alphabets(self, tenant: Tenant) -> None:
        consume(tenant, Charge("api_calls", 2_000, "GET /a|b/é"), at=timezone.now())
        found = last_refusals(tenant)
        assert found
        assert (found[0].label, found[0].request_id) == ("GET /a|b/é", "")

    def test_are_none_while_redis_is_away(self, tenant: Tenant) -> None:
        assert last_refusals(tenant) == ()
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            assert last_refusals(tenant) is None
            assert why(tenant, AT).refusals is None


class TestPage:
    @pytest.fixture
    def browser(self, client_for: Callable[[User], Client], owner: User) -> Client:
        return client_for(owner)

    def test_shows_timeline_and_refusals(self, browser: Client, tenant: Tenant) -> None:
        consume(tenant, Charge("api_calls", 2_000, "GET /<b>"), at=timezone.now(), request_id="id-1")
        limits_changed(Tenant.objects.all(), reason="More <b>", at=timezone.now())
        html = text(browser.get(address(tenant, "why")))
        assert "More &lt;b&gt;" in html
        assert "GET /&lt;b&gt;" in html
        assert "id-1" in html

    def test_older_ones_come_alone_to_htmx(
        self, browser: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(whys.why, "__kwdefaults__", {"after": "", "for_staff": False, "size": 2})
        for number in range(5):
            limits_changed(Tenant.objects.all(), reason=f"change {number}", at=timezone.now())
        first = browser.get(address(tenant, "why"))
        assert "change 4" in text(first)
        assert "change 2" not in text(first)
        older = browser.get(address(tenant, "why"), {"after": first.context["report"].older}, headers=HTMX)
        assert "<html" not in text(older)
        assert 'id="timeline"' in text(older)
        assert "change 2" in text(older)
        assert "HX-Request" in older["Vary"]

    def test_says_that_only_redis_has_refusals(self, browser: Client, tenant: Tenant) -> None:
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            html = text(browser.get(address(tenant, "why")))
        assert "Redis does not answer just now" in html
