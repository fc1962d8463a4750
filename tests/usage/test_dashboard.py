"""What a tenant's pages read: totals over epochs, the live counts over them, states, money."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.utils import timezone

from billing.models import Allowance, Metric, Override, Plan
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, ago, move, see, use, use_daily
from usage.metering import Charge, consume, measure
from usage.reports import Dashboard, dashboard
from usage.reports.document import document
from usage.reports.meters import Meter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


def meter(board: Dashboard, code: str) -> Meter:
    return next(one for one in board.meters if one.metric.code == code)


class TestTotals:
    def test_are_sums_over_epochs(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 300, epoch=1)
        use(tenant, "api_calls", 200, epoch=2)
        calls = meter(dashboard(tenant, NOW), "api_calls")
        assert (calls.used, calls.headroom, calls.percent) == (500, 500, 50)

    def test_leave_other_periods_and_tenants_out(self, tenant: Tenant, make_tenant: MakeTenant) -> None:
        use(tenant, "api_calls", 900, at=ago(days=30))
        use(make_tenant("other"), "api_calls", 800)
        assert meter(dashboard(tenant, NOW), "api_calls").used == 0

    def test_of_a_level_are_added_less_removed_and_never_negative(self, tenant: Tenant) -> None:
        move(tenant, added=50 * MB, removed=20 * MB, closing=30 * MB, epoch=1)
        assert meter(dashboard(tenant, NOW), "storage").used == 30 * MB
        move(tenant, added=0, removed=40 * MB, closing=0, epoch=2)
        assert meter(dashboard(tenant, NOW), "storage").used == 0

    def test_of_members_are_the_different_ones(self, tenant: Tenant) -> None:
        see(tenant, "ann", "bob", "ann")
        assert meter(dashboard(tenant, NOW), "users").used == 2

    def test_follow_an_override(self, tenant: Tenant) -> None:
        Override.objects.create(
            tenant=tenant,
            metric=Metric.objects.get(code="api_calls"),
            units=500,
            reason="trial",
            starts=ago(days=1),
        )
        assert meter(dashboard(tenant, NOW), "api_calls").size == 1_500


class TestLiveCounts:
    def test_show_before_the_flush(self, tenant: Tenant) -> None:
        now = timezone.now()
        consume(tenant, Charge("api_calls", 7), Charge("users", member="ann"), at=now)
        board = dashboard(tenant, now)
        assert board.is_live
        assert (meter(board, "api_calls").used, meter(board, "users").used) == (7, 1)

    def test_never_hide_a_higher_durable_sum(self, tenant: Tenant, redis_db: redis.Redis) -> None:
        now = timezone.now()
        consume(tenant, Charge("api_calls", 7), at=now)
        use(tenant, "api_calls", 40, at=now, epoch=99)
        assert meter(dashboard(tenant, now), "api_calls").used == 40

    def test_of_a_level_count_as_they_are(self, tenant: Tenant) -> None:
        now = timezone.now()
        move(tenant, added=50 * MB, closing=50 * MB, at=now)
        measure(tenant, "storage", 20 * MB, at=now)
        assert meter(dashboard(tenant, now), "storage").used == 20 * MB

    def test_are_not_missed_when_the_account_is_cold(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 5)
        board = dashboard(tenant, NOW)
        assert not board.is_live
        assert meter(board, "api_calls").used == 5


class TestStates:
    def test_name_what_happens_at_the_limit(self, make_tenant: MakeTenant) -> None:
        free, pro = make_tenant("free"), make_tenant("pro", "pro")
        assert meter(dashboard(free, NOW), "api_calls").enforcement == "Stops at the limit"
        assert meter(dashboard(pro, NOW), "api_calls").enforcement == "Billed over"
        assert meter(dashboard(pro, NOW), "users").enforcement == "Not charged over"

    @pytest.mark.parametrize(
        ("plan", "used", "state", "word"),
        [
            ("free", 799, "ok", "OK"),
            ("free", 800, "near", "Approaching"),
            ("free", 1_000, "full", "At limit"),
            ("pro", 500_000, "near", "Approaching"),
            ("pro", 500_001, "over", "Over · billed"),
        ],
    )
    def test_follow_the_thresholds(
        self, make_tenant: MakeTenant, plan: str, used: int, state: str, word: str
    ) -> None:
        tenant = make_tenant(plan=plan)
        use(tenant, "api_calls", used)
        assert meter(dashboard(tenant, NOW), "api_calls").look == (state, word)

    def test_do_not_call_billed_what_has_no_price(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        see(tenant, *(f"user-{n}" for n in range(51)))
        assert meter(dashboard(tenant, NOW), "users").look.word == "Over · not charged"

    def test_say_nothing_of_percent_without_a_limit(self, make_tenant: MakeTenant) -> None:
        Allowance.objects.filter(plan__slug="pro", metric__code="api_calls").update(included=None)
        tenant = make_tenant(plan="pro")
        use(tenant, "api_calls", 12_480)
        calls = meter(dashboard(tenant, NOW), "api_calls")
        assert (calls.percent, calls.has_bar, calls.figure, calls.figure_is) == (
            None,
            False,
            "12,480",
            "calls used",
        )

    def test_sort_what_stops_before_what_costs(self, make_tenant: MakeTenant) -> None:
        Allowance.objects.filter(plan__slug="pro", metric__code="users").update(beyond=Allowance.Beyond.STOP)
        tenant = make_tenant(plan="pro")
        use(tenant, "bandwidth", 120_000 * MB)
        use(tenant, "api_calls", 450_000)
        see(tenant, *(f"user-{n}" for n in range(45)))
        codes = [one.metric.code for one in dashboard(tenant, NOW).meters]
        assert codes == ["users", "bandwidth", "api_calls", "storage"]


class TestMoney:
    def test_is_estimated_per_metric_and_in_total(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use(tenant, "api_calls", 501_500)
        use(tenant, "bandwidth", 100_050 * MB)
        board = dashboard(tenant, NOW)
        assert board.bill is not None
        assert meter(board, "api_calls").amount == Decimal("1.50")
        assert meter(board, "bandwidth").amount == Decimal("1.00")
        assert (board.bill.overage, board.bill.total) == (Decimal("2.50"), Decimal("201.50"))
        assert meter(board, "bandwidth").when_note == "$0.02 per MB"

    def test_is_kept_from_who_may_not_see_it(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use(tenant, "api_calls", 501_500)
        board = dashboard(tenant, NOW, with_money=False)
        shown = f"{board.tiles} {[(one.when, one.when_note, one.figure_is) for one in board.meters]}"
        assert board.bill is None
        assert all(one.amount is None for one in board.meters)
        assert "$" not in shown


class TestVersion:
    def test_stays_while_nothing_changes_and_moves_with_a_count(self, tenant: Tenant) -> None:
        use(tenant, "api_calls", 1)
        before = dashboard(tenant, NOW).version
        assert dashboard(tenant, NOW + timedelta(seconds=5)).version == before
        use(tenant, "api_calls", 2, label="GET /other")
        assert dashboard(tenant, NOW).version != before

    def test_moves_with_a_plan(self, tenant: Tenant) -> None:
        before = dashboard(tenant, NOW).version
        Plan.objects.filter(slug="free").update(base_fee=5)
        assert dashboard(tenant, NOW).version != before


class TestDocument:
    def test_speaks_base_units_utc_times_and_decimal_money(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("northwind", "pro")
        use(tenant, "api_calls", 501_500)
        told = document(dashboard(tenant, NOW))
        calls = next(one for one in told["metrics"] if one["code"] == "api_calls")
        assert told["period"] == {
            "id": "2026-11-01",
            "starts_at": "2026-11-01T00:00:00Z",
            "ends_at": "2026-12-01T00:00:00Z",
        }
        assert told["counted_to"] == "2026-11-23T14:02:10Z"
        assert told["estimate"]["total"] == {"amount": "200.50", "currency": "USD"}
        assert (calls["used"], calls["limit"], calls["stops_at"], calls["percent"]) == (
            501_500,
            500_000,
            None,
            100,
        )
        assert (calls["headroom"], calls["state"], calls["overage"]["amount"]) == (0, "over", "1.50")
        assert calls["daily"][-1] == {"day": "2026-11-23", "quantity": 501_500}
        assert told["metrics"][0]["code"] == "api_calls"

    def test_gives_a_level_no_reset(self, tenant: Tenant) -> None:
        storage = next(one for one in document(dashboard(tenant, NOW))["metrics"] if one["code"] == "storage")
        assert storage["resets_at"] is None

    def test_forecasts_the_period_or_says_that_nothing_can_be_said(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 30, days=21)
        use(tenant, "api_calls", 10)
        told = {one["code"]: one for one in document(dashboard(tenant, NOW))["metrics"]}
        ahead = told["api_calls"]["forecast"]
        assert ahead["low"] <= ahead["used"] <= ahead["high"]
        assert ahead["used"] > told["api_calls"]["used"]
        assert (ahead["limit_reached_at"], ahead["method"]) == (None, "weekdays")
        early = NOW.replace(day=1)
        assert {one["forecast"] for one in document(dashboard(tenant, early))["metrics"]} == {None}

    def test_says_when_the_limit_will_be_reached(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 44, days=22)
        calls = next(one for one in document(dashboard(tenant, NOW))["metrics"] if one["code"] == "api_calls")
        assert calls["used"] < calls["limit"] <= calls["forecast"]["used"]
        assert "2026-11-23T14:00:00Z" < calls["forecast"]["limit_reached_at"] < calls["resets_at"]
