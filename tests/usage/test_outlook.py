"""What pages make of forecasts: when headroom ends, what a period will cost, and that nothing flickers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.caps import set_cap
from billing.models import Allowance, Plan
from tenants.models import Tenant, User
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, ago, move, use, use_daily
from usage.reports import Dashboard, dashboard
from usage.reports.meters import Meter
from usage.reports.summary import meter_tiles

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


def steadily(tenant: Tenant, units: int, *, today: int, code: str = "api_calls") -> None:
    """`units` on each of the 35 days before today."""
    use_daily(tenant, code, units, days=35)
    use(tenant, code, today)


@pytest.fixture
def hasty(make_tenant: MakeTenant) -> Tenant:
    """A tenant that has used 39,700 of its 50,000 calls and goes on with 1,800 a day: ten hours of today are left,
    so 750 today, and the last of the other 9,550 on the 29th.
    """
    tenant = make_tenant(plan="starter")
    steadily(tenant, 1_800, today=100)
    return tenant


def calls(board: Dashboard) -> Meter:
    return next(one for one in board.meters if one.metric.code == "api_calls")


class TestRunningOut:
    def test_is_what_the_verdict_says_first(self, hasty: Tenant) -> None:
        told = dashboard(hasty, NOW).verdict
        assert told.look == ("near", "Approaching")
        assert told.title == "At this pace, API calls run out on Sun 29 Nov."
        assert told.reason.startswith("From then until 1 Dec, 00:00 UTC, calls are refused with status 429.")
        assert (told.caption, told.strong) == ("API calls last", "28 of 30 days")
        assert told.out == "Runs out 29 Nov"
        assert [cell.is_gone for cell in told.strip.cells] == [False] * 28 + [True] * 2
        assert told.strip.out

    def test_makes_a_metric_approach_its_limit(self, hasty: Tenant) -> None:
        meter = calls(dashboard(hasty, NOW))
        assert (meter.percent, meter.look.code) == (79, "near")
        assert meter.used_of == "39,700 of 50,000 · 79 % now, 106 % by 30 Nov"
        assert (meter.when, meter.when_note) == ("29 Nov", "in 5 d 17 h")
        assert meter.spoken == "API calls: 79 % used, forecast 106 % at period end"

    def test_is_hatched_up_to_the_limit_and_beyond(self, hasty: Tenant) -> None:
        bar = calls(dashboard(hasty, NOW)).bar
        assert float(bar.used) + float(bar.ghost) == pytest.approx(75, abs=0.02)
        assert float(bar.beyond_x) == 75
        assert float(bar.beyond_x) + float(bar.beyond) == pytest.approx(float(bar.cast), abs=0.02)
        assert bar.hatch == "h-stop"

    def test_comes_before_what_is_fuller_but_lasts(self, hasty: Tenant) -> None:
        steadily(hasty, 1, today=8_999 * MB, code="bandwidth")
        board = dashboard(hasty, NOW)
        assert [(one.metric.code, one.percent) for one in board.meters[:2]] == [
            ("api_calls", 79),
            ("bandwidth", 89),
        ]

    def test_of_what_is_billed_refuses_nothing(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 18_000, today=10_000)
        told = dashboard(tenant, NOW).verdict
        assert told.title == "At this pace, API calls pass what Pro includes on Sat 28 Nov."
        assert told.reason.startswith("From then on more is billed; nothing is refused.")
        assert not any(cell.is_gone for cell in told.strip.cells)

    def test_is_not_said_of_what_lasts(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="starter")
        steadily(tenant, 900, today=500)
        board = dashboard(tenant, NOW)
        assert board.verdict.title == "There is room in every metric."
        assert calls(board).when == "Lasts the period"
        assert calls(board).runs_out is None


class TestTiles:
    def test_of_a_metric_say_when_it_ends_and_what_is_beyond(self, hasty: Tenant) -> None:
        told = [tuple(tile) for tile in meter_tiles(calls(dashboard(hasty, NOW)), starter())]
        assert told[2:] == [
            ("Runs out", "Sun 29 Nov", "about 07:00 UTC"),
            ("Forecast at 30 Nov", "53,050", "3,050 would be refused"),
        ]

    def test_of_what_costs_more_already_say_how_much(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 23_000, today=8_000)
        told = [tile.name for tile in meter_tiles(calls(dashboard(tenant, NOW)), starter())]
        assert told == ["Over", "Used", "Estimated overage", "Forecast at 30 Nov"]

    def test_of_what_lasts_say_when_it_starts_anew(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 900, today=500)
        told = [tile.name for tile in meter_tiles(calls(dashboard(tenant, NOW)), starter())]
        assert told == ["Left", "Used", "Resets", "Forecast at 30 Nov"]


def starter() -> Plan:
    return Plan.objects.get(slug="starter")


class TestVersion:
    def test_does_not_move_by_time_alone_between_two_polls(self, hasty: Tenant) -> None:
        assert dashboard(hasty, NOW).version == dashboard(hasty, NOW + timedelta(seconds=5)).version

    def test_moves_with_the_forecast(self, hasty: Tenant) -> None:
        before = dashboard(hasty, NOW).version
        use(hasty, "api_calls", 1_400, label="GET /more")
        assert dashboard(hasty, NOW).version != before


class TestCost:
    def test_is_that_of_the_expected_use(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        board = dashboard(tenant, NOW)
        # 448,000 are used; ten hours and seven days bring 148,333 more, and 96,333 of all are beyond 500,000.
        assert board.bill is not None
        assert board.outlook is not None
        assert board.bill.total == Decimal("199.00")
        assert board.outlook.total == Decimal("295.33")
        assert board.outlook.low <= board.outlook.total <= board.outlook.high
        assert board.tiles[1][:2] == ("Forecast at 30 Nov", "$295.33")

    def test_of_a_level_that_stays_is_all_its_hours(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        move(tenant, added=60_000 * MB, closing=60_000 * MB, at=ago(days=40))
        board = dashboard(tenant, NOW)
        assert board.bill is not None
        assert board.outlook is not None
        # 10,000 MB over, for 543 hours with the present one, and for all 720.
        assert board.bill.overage == Decimal("377.08")
        assert board.outlook.bill.overage == Decimal("500.00")

    def test_ends_where_requests_are_refused(self, make_tenant: MakeTenant) -> None:
        Allowance.objects.filter(plan__slug="pro", metric__code="api_calls").update(hard_limit=550_000)
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        board = dashboard(tenant, NOW)
        assert board.outlook is not None
        assert board.outlook.bill.overage == Decimal("50.00")
        assert board.outlook.high == Decimal("249.00")

    @pytest.mark.parametrize(
        ("mode", "cap", "overage"),
        [("stop", "60", "60.00"), ("stop", "200", "96.33"), ("notify", "60", "96.33")],
    )
    def test_ends_at_a_spend_cap_that_stops(
        self, make_tenant: MakeTenant, staff: User, mode: str, cap: str, overage: str
    ) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        set_cap(tenant, side="owner", mode=mode, amount=Decimal(cap), at=NOW, actor=staff)
        found = dashboard(tenant, NOW).outlook
        assert found is not None
        assert found.bill.overage == Decimal(overage)
        assert found.low <= found.total <= found.high

    def test_of_what_stands_goes_on_past_a_spend_cap(self, make_tenant: MakeTenant, staff: User) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        move(tenant, added=60_000 * MB, closing=60_000 * MB, at=ago(days=40))
        set_cap(tenant, side="owner", mode="stop", amount=Decimal(400), at=NOW, actor=staff)
        found = dashboard(tenant, NOW).outlook
        assert found is not None
        assert found.bill.overage == Decimal("500.00")

    def test_is_never_less_than_what_was_spent_before_the_cap(
        self, make_tenant: MakeTenant, staff: User
    ) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 30_000, today=8_000)
        set_cap(tenant, side="owner", mode="stop", amount=Decimal(1), at=NOW, actor=staff)
        board = dashboard(tenant, NOW)
        assert board.bill is not None
        assert board.outlook is not None
        assert board.outlook.bill.overage == board.bill.overage == Decimal("168.00")

    def test_is_not_told_early_in_a_period(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        board = dashboard(tenant, NOW.replace(month=12, day=2, hour=1))
        assert board.outlook is None
        assert board.tiles[1].name == "Estimated overage"

    def test_is_kept_from_who_sees_no_money(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        steadily(tenant, 20_000, today=8_000)
        board = dashboard(tenant, NOW, with_money=False)
        assert board.outlook is None
        assert "$" not in str([*board.tiles, board.verdict.reason, [one.when_note for one in board.meters]])
