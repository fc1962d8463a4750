"""A metric in a window: every kind by day and hour, one label alone, the forecast, what is beside the chart."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from billing.models import Metric
from tenants.anchors import change_anchor
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.billed import DAY, HOUR, MB, store
from tests.usage.counted import NOW, ago, refuse, see, use, use_daily
from usage.models import RefusalDay
from usage.reports.metric import MetricReport, metric_report
from usage.reports.readings import reading
from usage.reports.windows import Asked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    return make_tenant("acme", "pro")


def report(tenant: Tenant, code: str = "api_calls", *, at: datetime = NOW, **asked: Any) -> MetricReport:
    read = reading(tenant, at, with_money=False)
    meter = next(one for one in read.meters if one.metric.code == code)
    return metric_report(read, meter, Asked(**asked))


def values(found: MetricReport) -> list[tuple[int | None, ...]]:
    return [row.values for row in found.table.rows]


class TestHours:
    def test_have_each_its_units_and_the_running_one_is_the_last(self, pro: Tenant) -> None:
        for back, units in ((0, 5), (1, 7), (24, 11), (25, 13)):
            use(pro, "api_calls", units, at=ago(hours=back))
        found = report(pro, range="24h")
        assert [one[0] for one in values(found)] == [11, *[0] * 22, 7, 5]
        assert found.table.heads == ("Hour total",)
        assert found.table.rows[-1].key == "hour-2026-11-23-14"

    def test_of_epochs_add_up(self, pro: Tenant) -> None:
        use(pro, "api_calls", 5, epoch=1)
        use(pro, "api_calls", 6, epoch=2)
        assert values(report(pro, range="24h"))[-1] == (11,)

    def test_of_a_level_carry_on_what_stood_there(self, pro: Tenant) -> None:
        hour = NOW.replace(minute=0, second=0, microsecond=0)
        store(pro, (hour - 30 * HOUR, 100), (hour - 5 * HOUR, 40), (hour - 2 * HOUR, 90))
        found = report(pro, "storage", range="24h")
        assert [one[2] for one in values(found)] == [100 * MB] * 19 + [40 * MB] * 3 + [90 * MB] * 3
        assert found.table.heads == ("Added", "Removed", "At its end")
        assert [one[1] for one in values(found) if one[1]] == [60 * MB]

    def test_of_a_level_that_did_not_move_are_as_now(self, pro: Tenant) -> None:
        store(pro, (ago(days=9).replace(minute=0, second=0), 100))
        assert {one[2] for one in values(report(pro, "storage", range="24h"))} == {100 * MB}

    def test_of_days_that_are_over_end_as_they_did(self, pro: Tenant) -> None:
        hour = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
        store(pro, (hour - 60 * HOUR, 10), (hour - 2 * HOUR, 500))
        day = (NOW - 2 * DAY).date()
        found = report(pro, "storage", range="custom", first=day, last=day)
        assert found.window.is_hourly
        assert {one[2] for one in values(found)} == {10 * MB}


class TestDays:
    def test_long_ago_are_read_where_they_are_asked_for(self, pro: Tenant) -> None:
        use(pro, "api_calls", 21, at=ago(days=390), label="GET /old")
        use(pro, "bandwidth", 999, at=ago(days=390))
        use(pro, "api_calls", 4)
        found = report(pro, range="custom", first=ago(days=399).date(), last=NOW.date())
        assert len(found.table.rows) == len({row.text for row in found.table.rows}) == 400
        assert sum(one[-1] or 0 for one in values(found)) == 25
        assert found.labels is not None
        assert [row.label for row in found.labels.rows] == ["GET /old", "GET /ping"]

    def test_end_with_the_window(self, pro: Tenant) -> None:
        use(pro, "api_calls", 21, at=ago(days=100))
        use(pro, "api_calls", 4, at=ago(days=95))
        found = report(pro, range="custom", first=ago(days=102).date(), last=ago(days=98).date())
        assert [one[0] for one in values(found)] == [0, 0, 21, 0, 0]

    def test_of_a_level_long_ago_stand_where_the_next_move_found_it(self, pro: Tenant) -> None:
        midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
        store(pro, (midnight - 300 * DAY, 70), (midnight - 10 * DAY, 20))
        found = report(pro, "storage", range="custom", first=ago(days=200).date(), last=ago(days=190).date())
        assert {one[2] for one in values(found)} == {70 * MB}

    def test_of_a_level_say_what_left_it_on_the_first_day_too(self, pro: Tenant) -> None:
        midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
        store(pro, (midnight - 20 * DAY, 70), (midnight - 6 * DAY, 20))
        assert values(report(pro, "storage", range="7d"))[0] == (0, 50 * MB, 20 * MB)

    def test_of_members_are_when_they_were_first_seen(self, pro: Tenant) -> None:
        see(pro, "ann", "bob", at=ago(days=2))
        see(pro, "cleo")
        found = report(pro, "users", range="7d")
        assert found.table.heads == ("First seen",)
        assert [one[0] for one in values(found)][-3:] == [2, 0, 1]

    def test_of_a_period_begin_on_its_anchor_day(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("moved", "pro", anchor_day=10)
        assert report(tenant).window.first == date(2026, 11, 10)
        change_anchor(tenant, 5, NOW)
        later = datetime(2026, 12, 12, tzinfo=NOW.tzinfo)
        found = report(tenant, at=later)
        assert (found.window.first, found.window.last) == (date(2026, 12, 10), date(2027, 1, 4))
        assert report(tenant, at=later, range="previous").window.first == date(2026, 11, 10)


class TestParts:
    def test_are_the_largest_labels_and_the_rest(self, pro: Tenant) -> None:
        for number in range(5):
            use(pro, "api_calls", 10 - number, label=f"GET /{number}")
        found = report(pro, range="7d")
        assert found.table.heads == ("GET /0", "GET /1", "GET /2", "Other", "Day total")
        assert values(found)[-1] == (10, 9, 8, 13, 40)
        assert [one.text for one in found.views if one.is_chosen] == ["By label"]

    def test_are_one_where_bars_are_solid(self, pro: Tenant) -> None:
        use(pro, "api_calls", 10, label="GET /a")
        use(pro, "api_calls", 20, label="GET /b")
        found = report(pro, range="7d", view="total")
        assert found.table.heads == ("Day total",)
        assert values(found)[-1] == (30,)
        assert {bar.css for bar in found.chart.bars} == {"add"}

    def test_are_listed_to_the_twentieth_and_the_others_in_one(self, pro: Tenant) -> None:
        for number in range(23):
            use(pro, "api_calls", 100 - number, label=f"GET /{number}")
        found = report(pro, range="7d").labels
        assert found is not None
        assert len(found.rows) == 21
        assert (found.rows[-1].label, found.rows[-1].units, found.rows[-1].address) == ("Other (3)", 237, "")
        assert sum(row.units for row in found.rows) == found.total


class TestOneLabel:
    def test_is_shown_without_what_is_about_all(self, pro: Tenant) -> None:
        use_daily(pro, "api_calls", 9_000, days=20)
        use(pro, "api_calls", 30, label="GET /b")
        everything, found = report(pro), report(pro, label="GET /b")
        assert everything.chart.limit
        assert everything.chart.cast
        assert (found.chart.limit, found.chart.cast, found.chart.pace) == (None, None, None)
        assert found.table.heads == ("Day total",)
        assert values(found)[-1] == (30,)
        assert found.only == "GET /b"

    def test_of_a_level_says_what_was_added_there(self, pro: Tenant) -> None:
        use(pro, "storage", 500, label="PUT /a")
        use(pro, "storage", 70, label="PUT /b")
        found = report(pro, "storage", label="PUT /b")
        assert found.table.heads == ("Added",)
        assert values(found)[-1] == (70,)
        assert found.chart.limit is None

    def test_without_a_name_is_a_label_too(self, pro: Tenant) -> None:
        use(pro, "api_calls", 30, label="GET /b")
        use(pro, "api_calls", 8, label="")
        found = report(pro, range="7d", label="")
        assert (values(found)[-1], found.only) == ((8,), "no label")

    def test_is_reached_from_the_breakdown_and_left_again(self, pro: Tenant) -> None:
        use(pro, "api_calls", 30, label="GET /b")
        listed = report(pro, range="7d", view="total")
        assert listed.views == []  # there is but one
        row = listed.labels
        assert row is not None
        assert row.rows[0].address == "?range=7d&view=total&label=GET+%2Fb"
        found = report(pro, range="7d", label="GET /b")
        assert found.labels is not None
        assert found.labels.rows[0].is_chosen
        assert found.all_labels == "?range=7d"


class TestForecast:
    @pytest.fixture
    def busy(self, pro: Tenant) -> Tenant:
        use_daily(pro, "api_calls", 20_000, days=40)
        use(pro, "api_calls", 9_000)
        return pro

    def test_ends_table_and_line_where_the_figures_say(self, busy: Tenant) -> None:
        found = report(busy)
        forecast = found.meter.forecast
        assert forecast is not None
        rows = [row for row in found.table.rows if row.is_expected]
        assert len(rows) == len(forecast.points) == 8
        assert rows[0].key == "day-2026-11-23-end"
        assert rows[-1].values[-3:] == (forecast.end.used, forecast.end.low, forecast.end.high)
        assert found.chart.cast
        assert found.chart.cast.end_text == f"{forecast.used:,}"

    def test_adds_up_day_by_day(self, busy: Tenant) -> None:
        found = report(busy)
        counted = [row.values for row in found.table.rows if not row.is_expected]
        ahead = [row.values for row in found.table.rows if row.is_expected]
        *_parts, total, to_date, low, high = zip(*ahead, strict=True)
        before = [counted[-2][-3], *to_date[:-1]]
        assert [was + day for was, day in zip(before, total, strict=True)] == list(to_date)
        assert all(least <= middle <= most for least, middle, most in zip(low, to_date, high, strict=True))

    def test_says_when_what_is_included_is_used_up(self, busy: Tenant) -> None:
        found = report(busy)
        assert found.meter.runs_out is not None
        assert found.chart.out is not None
        assert found.chart.out.text == f"Included until {found.meter.runs_out.day} Nov"
        assert not found.chart.out.is_refused
        assert found.chart.pace is not None

    def test_is_red_where_requests_will_be_refused(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 40, days=40)
        found = report(tenant)
        assert found.chart.out is not None
        assert found.chart.out.is_refused
        assert found.chart.out.text.startswith("Runs out")

    def test_of_a_level_goes_on_from_what_stands(self, pro: Tenant) -> None:
        midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
        store(pro, *((midnight - (20 - n) * DAY, 100 * (n + 1)) for n in range(20)))
        found = report(pro, "storage")
        assert found.chart.cast is not None
        assert found.table.heads == ("Added", "Removed", "At its end", "At least", "At most")
        assert found.table.rows[-1].values[:2] == (None, None)

    @pytest.mark.parametrize("window", ["previous", "24h", "7d", "30d", "90d"])
    def test_is_of_the_running_period_alone(self, busy: Tenant, window: str) -> None:
        found = report(busy, range=window)
        assert found.chart.cast is None
        assert not any(row.is_expected for row in found.table.rows)

    def test_is_not_there_while_there_is_none(self, busy: Tenant) -> None:
        found = report(busy, at=datetime(2026, 11, 1, 6, tzinfo=NOW.tzinfo))
        assert found.meter.forecast is None
        assert (found.chart.cast, found.chart.ghosts) == (None, ())

    def test_far_beyond_the_limit_leaves_what_is_used_readable(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 40_000, days=1)
        found = report(tenant)
        top = found.chart.panels[0].steps[-1]
        assert top <= 4 * 40_000


class TestRefusals:
    def test_are_those_of_the_window(self, pro: Tenant) -> None:
        refuse(pro, "api_calls", 3)
        refuse(pro, "api_calls", 5, at=ago(days=20), cause="burst")
        assert [row.refused for row in report(pro, range="7d").refusals] == [3]
        assert [row.refused for row in report(pro).refusals] == [3, 5]
        over = report(pro, range="custom", first=ago(days=22).date(), last=ago(days=18).date())
        assert [(row.refused, row.policy) for row in over.refusals] == [(5, "burst")]

    def test_of_long_ago_are_told_by_day(self, pro: Tenant) -> None:
        metric = Metric.objects.get(code="api_calls")
        day = ago(days=200).date()
        RefusalDay.objects.create(tenant=pro, metric=metric, day=day, cause="limit", refused=9)
        found = report(pro, range="custom", first=day - timedelta(days=2), last=day + timedelta(days=2))
        [row] = found.refusals
        assert (row.when, row.policy, row.refused) == ("Thu 7 May (UTC)", "limit", 9)
        assert report(pro).refusals == ()
