"""What a tenant's pages tell: the days behind the counts, labels, refusals, alerts, the verdict."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.models import Metric
from billing.periods import period_at
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, ago, move, refuse, see, use
from usage.models import Alert, Delivery
from usage.reports import Dashboard, dashboard
from usage.reports.meters import Meter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


def meter(board: Dashboard, code: str) -> Meter:
    return next(one for one in board.meters if one.metric.code == code)


class TestTrend:
    def test_has_sixty_utc_days_ending_today(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 3, at=datetime(2026, 11, 22, 23, 59, tzinfo=UTC))
        use(tenant, "api_calls", 4, at=datetime(2026, 11, 23, 0, 0, tzinfo=UTC))
        trend = meter(dashboard(tenant, NOW), "api_calls").trend
        assert len(trend) == 60
        assert trend[-3:] == (0, 3, 4)

    def test_of_a_level_carries_its_amount_over_silent_days(self, tenant: Tenant) -> None:
        move(tenant, added=10, closing=10, at=ago(days=5))
        trend = meter(dashboard(tenant, NOW), "storage").trend
        assert trend[-7:] == (0, 10, 10, 10, 10, 10, 10)

    def test_of_a_level_knows_what_was_there_before_its_first_move(self, tenant: Tenant) -> None:
        move(tenant, added=40, closing=40, at=ago(days=80), epoch=1)
        move(tenant, added=2, closing=42, at=ago(days=1), epoch=2)
        assert meter(dashboard(tenant, NOW), "storage").trend[-3:] == (40, 42, 42)

    def test_of_members_starts_anew_with_each_period(self, tenant: Tenant) -> None:
        see(tenant, "ann", "bob", at=datetime(2026, 10, 31, 9, tzinfo=UTC))
        see(tenant, "ann", at=datetime(2026, 11, 1, 9, tzinfo=UTC))
        see(tenant, "cid", at=NOW)
        trend = meter(dashboard(tenant, NOW), "users").trend
        assert trend[-24:-21] == (2, 1, 1)
        assert trend[-1] == 2

    def test_remembers_closed_days_for_a_minute(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 3, at=ago(days=1))
        assert meter(dashboard(tenant, NOW), "api_calls").trend[-2] == 3
        use(tenant, "api_calls", 9, at=ago(days=1))
        use(tenant, "api_calls", 5)
        assert meter(dashboard(tenant, NOW), "api_calls").trend[-2:] == (3, 5)


class TestLabels:
    def test_are_the_largest_and_the_rest_in_one_line(self, tenant: Tenant) -> None:
        for n in range(7):
            use(tenant, "api_calls", 10 + n, label=f"GET /{n}")
        found = dashboard(tenant, NOW).labels
        assert found is not None
        assert [row.label for row in found.rows] == ["GET /6", "GET /5", "GET /4", "GET /3", "Other (3)"]
        assert sum(row.units for row in found.rows) == found.total == 91

    def test_leave_the_period_before_out(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 10, at=ago(days=40))
        assert dashboard(tenant, NOW).labels is None


class TestRefusals:
    def test_are_counted_over_a_day_by_cause(self, tenant: Tenant) -> None:
        refuse(tenant, "api_calls", 30, at=ago(hours=2))
        refuse(tenant, "api_calls", 7, at=ago(hours=3), cause="burst")
        refuse(tenant, "api_calls", 99, at=ago(hours=30))
        board = dashboard(tenant, NOW)
        assert board.causes == {"limit": 30, "burst": 7}
        assert board.tiles[-1].figure == "37"
        assert board.tiles[-1].note == "7 by the burst limit · 30 by the limit"


class TestAlerts:
    def test_show_the_newest_and_what_became_of_them(self, tenant: Tenant) -> None:
        metric, period = Metric.objects.get(code="api_calls"), period_at(tenant, NOW).first
        for n in range(7):
            alert = Alert.objects.create(
                tenant=tenant,
                metric=metric,
                period=period,
                percent=80 + n,
                limit=1000,
                used=900,
                is_sent=True,
                at=ago(hours=n),
            )
            for channel, status in (("email", "sent"), ("slack", "waiting"), ("inbox", "sent")):
                Delivery.objects.create(
                    alert=alert, channel=channel, target="x", status=status, due_at=NOW, created_at=NOW
                )
        found = dashboard(tenant, NOW).alerts
        assert len(found) == 5
        assert found[0].text == "API calls passed 80 % of 1,000"
        assert found[0].fate == "Sent by email · Slack waiting"
        assert (found[0].when, found[0].code) == ("Today 14:02", "near")

    def test_leave_out_what_was_no_news(self, tenant: Tenant) -> None:
        metric, period = Metric.objects.get(code="api_calls"), period_at(tenant, NOW).first
        Alert.objects.create(
            tenant=tenant,
            metric=metric,
            period=period,
            percent=80,
            limit=1000,
            used=900,
            is_sent=False,
            at=NOW,
        )
        assert dashboard(tenant, NOW).alerts == ()


class TestVerdict:
    def test_of_a_full_tenant_says_until_when(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 1_000)
        told = dashboard(tenant, NOW).verdict
        assert told.title == "No calls left until 1 Dec."
        assert "429 until 1 Dec, 00:00 UTC" in told.reason
        assert told.strip.cells[-1].is_gone
        assert (told.day, told.strong) == (23, "7 d 9 h")

    def test_of_a_near_tenant_says_how_much_is_left(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 960)
        assert dashboard(tenant, NOW).verdict.title == "Only 40 calls left until 1 Dec."

    def test_of_a_billed_tenant_says_that_use_goes_on(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use(tenant, "bandwidth", 103_200 * MB)
        told = dashboard(tenant, NOW).verdict
        assert told.title == "Past the bandwidth that Pro includes; more is billed."
        assert told.reason.startswith("Nothing is refused")

    def test_of_a_full_level_does_not_promise_a_reset(self, tenant: Tenant) -> None:
        move(tenant, added=100 * MB, closing=100 * MB)
        told = dashboard(tenant, NOW).verdict
        assert told.title == "No storage left."
        assert not told.strip.cells[-1].is_gone

    def test_of_a_new_tenant_is_calm(self, tenant: Tenant) -> None:
        board = dashboard(tenant, NOW)
        assert board.is_unused
        assert (board.verdict.look.code, board.verdict.title) == ("ok", "All headroom is left.")
