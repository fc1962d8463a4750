"""Geometry: where bars end, how days are drawn, that every number is fit for an SVG attribute."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Metric
from usage.reports.charts import bar, number, percent, share, spark, strip, ticks
from usage.reports.columns import Column
from usage.reports.daily import Plot, daily_chart
from usage.reports.slots import days_between

CALLS = Metric(code="api_calls", name="API calls", noun="calls", kind=Metric.Kind.SUM)
STORAGE = Metric(
    code="storage", name="Storage", noun="storage", kind=Metric.Kind.LEVEL, unit=Metric.Unit.BYTES
)
NOVEMBER = days_between(date(2026, 11, 1), date(2026, 12, 1))


class TestNumber:
    def test_keeps_two_decimals_and_no_zeros(self) -> None:
        assert [number(61.2249), number(75.0), number(0.1), number(0), number(100)] == [
            "61.22",
            "75",
            "0.1",
            "0",
            "100",
        ]

    def test_has_a_point_in_every_language(self) -> None:
        with translation.override("de"):
            assert number(61.22) == "61.22"


class TestBar:
    def test_puts_the_limit_at_three_quarters(self) -> None:
        half = bar(50, 100, is_billed=False)
        assert (half.used, half.room_x, half.room) == ("37.5", "37.5", "37.5")

    def test_has_no_room_at_the_limit(self) -> None:
        full = bar(100, 100, is_billed=False)
        assert (full.used, full.room, full.over, full.is_off_scale) == ("75", "", "", False)

    def test_stripes_what_is_billed_beyond_the_limit(self) -> None:
        over = bar(112, 100, is_billed=True)
        assert (over.used, over.room, over.over) == ("75", "", "9")

    def test_draws_use_past_a_stop_as_used(self) -> None:
        past = bar(120, 100, is_billed=False)
        assert (past.used, past.over) == ("90", "")

    def test_says_when_the_scale_is_too_short(self) -> None:
        far = bar(10_000, 100, is_billed=True)
        assert (far.over, far.is_off_scale) == ("25", True)

    def test_never_divides_by_a_limit_of_nothing(self) -> None:
        assert bar(0, 0, is_billed=False).room == ""
        assert bar(5, 0, is_billed=False).is_off_scale

    @given(st.integers(0, 2**53), st.integers(0, 2**53), st.booleans())
    def test_stays_inside_the_picture(self, used: int, limit: int, is_billed: bool) -> None:
        drawn = bar(used, limit, is_billed=is_billed)
        parts = [float(drawn.used), float(drawn.room or 0), float(drawn.over or 0)]
        assert all(0 <= part <= 100 for part in parts)
        assert sum(parts) <= 100.02


class TestStrip:
    def test_has_a_cell_for_each_day_and_fills_the_part_of_today(self) -> None:
        drawn = strip(30, 22.5 / 30, gone=None)
        assert len(drawn.cells) == 30
        assert [cell.is_whole for cell in drawn.cells].count(True) == 22
        assert float(drawn.cells[22].past) == pytest.approx(float(drawn.cells[22].width) / 2, abs=0.01)
        assert drawn.cells[23].past == ""
        assert drawn.is_late

    def test_ends_with_the_period(self) -> None:
        over = strip(28, 1.0, gone=0.5)
        assert all(cell.is_whole for cell in over.cells)
        assert float(over.now) <= 100

    def test_begins_without_a_past(self) -> None:
        new = strip(31, 0.0, gone=None)
        assert not any(cell.past for cell in new.cells)
        assert new.now == "0"


class TestSpark:
    def test_runs_over_the_whole_width_from_zero_to_the_highest(self) -> None:
        drawn = spark([0, 5, 10])
        assert drawn.line == "M0.0 28.0 60.0 15.9 120.0 3.8"
        assert drawn.last_y == "3.8"
        assert drawn.area.endswith("L120 28 0 28Z")

    @pytest.mark.parametrize("values", [[], [0], [0, 0], [7]])
    def test_draws_little_without_failing(self, values: list[int]) -> None:
        assert spark(values).line.startswith("M0")


class TestTicks:
    @given(st.integers(0, 2**53), st.integers(2, 6))
    def test_reach_the_highest_in_few_even_steps_from_zero(self, highest: int, most: int) -> None:
        found = ticks(highest, most=most)
        assert found[0] == 0
        assert found[-1] >= highest
        assert 2 <= len(found) <= most + 1
        assert len({after - before for before, after in pairwise(found)}) == 1

    def test_meet_the_limit_where_round_numbers_allow(self) -> None:
        assert 500_000 in ticks(550_000, most=6, on=500_000)
        assert 50 * 10**9 in ticks(55 * 10**9, most=6, on=50 * 10**9)


class TestShares:
    def test_are_of_the_whole(self) -> None:
        assert share(1, 3) == "33.33"
        assert str(percent(816_305, 1_000_000)) == "81.6"

    def test_are_nothing_of_nothing(self) -> None:
        assert share(0, 0) == "0"
        assert percent(0, 0) == 0


def plot(metric: Metric = CALLS, days: int = 23, *, is_period: bool = True, limit: int | None = 1000) -> Plot:
    """A month with two labels, 10 and 5 a day."""
    return Plot(
        metric=metric,
        columns=[Column(slot, (10, 5), 15, 15 * (n + 1)) for n, slot in enumerate(NOVEMBER[:days])],
        series=["GET /a", "Other"],
        has_rest=True,
        slots=NOVEMBER,
        has_sum=is_period,
        is_standing=metric.kind == Metric.Kind.LEVEL,
        limit=limit,
        limit_text="Limit 1k",
        limit_end=" · stops at the limit",
        now=0.75 if is_period else None,
        clock="Today 12:00",
        each="Per day",
    )


class TestDailyChart:
    def test_has_the_period_to_date_above_and_each_day_below(self) -> None:
        drawn = daily_chart(plot())
        css = [one.css for one in drawn.bars]
        assert len(drawn.panels) == 2
        assert (css.count("was"), css.count("add"), css.count("s1"), css.count("s6")) == (22, 23, 23, 23)

    def test_has_one_panel_for_a_window_that_is_no_period(self) -> None:
        drawn = daily_chart(plot(is_period=False, limit=None))
        assert [panel.title for panel in drawn.panels] == ["Per day"]
        assert (drawn.limit, drawn.now) == (None, None)

    def test_draws_a_level_as_it_stood_at_each_days_end(self) -> None:
        drawn = daily_chart(plot(STORAGE))
        assert {one.css for one in drawn.bars} == {"add"}
        assert len(drawn.panels) == 1

    def test_leaves_room_for_the_limits_text(self) -> None:
        drawn = daily_chart(plot())
        assert drawn.limit is not None
        assert float(drawn.limit.text_y) > drawn.panels[0].title_y

    def test_stands_on_the_zero_line(self) -> None:
        drawn = daily_chart(plot())
        upper, lower = drawn.panels
        for one in drawn.bars:
            bottom = float(one.y) + float(one.height)
            assert bottom <= (upper.zero if one.css in ("was", "add") else lower.zero) + 0.02

    def test_says_every_day_in_words(self) -> None:
        first = daily_chart(plot()).tips[0]
        assert first.spoken == "Sun 1 Nov: Day 15, To date 15"
        assert [(name, figure) for _y, name, figure in first.rows] == [("GET /a", "10"), ("Other", "5")]

    def test_keeps_tips_inside_by_turning_them_left_in_the_second_half(self) -> None:
        tips = daily_chart(plot()).tips
        assert tips[2].shift > 0
        assert tips[20].shift < 0

    def test_writes_only_plain_numbers(self) -> None:
        drawn = daily_chart(plot())
        plain = re.compile(r"-?\d+(\.\d+)?\Z")
        for one in drawn.bars:
            assert all(plain.match(part) for part in one[1:])

    def test_draws_nothing_without_days(self) -> None:
        drawn = daily_chart(plot(days=0, limit=None))
        assert drawn.bars == ()
        assert drawn.tips == ()
