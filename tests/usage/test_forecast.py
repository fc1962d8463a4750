"""Forecasts: what the days to come bring, between what it lies, when a limit is reached, and when nothing is said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Metric
from billing.periods import Period
from usage.forecasts.forecast import Forecast, forecast, hourly
from usage.forecasts.paces import DAY, Days, Method

OCTOBER = Period(date(2026, 10, 1), date(2026, 11, 1))
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)  # a Monday: half of it and fourteen days are left
TODAY = NOON.date()
SUM, LEVEL, DISTINCT = Metric.Kind.SUM, Metric.Kind.LEVEL, Metric.Kind.DISTINCT


def ask(kind: str, days: Days, now: int, *, at: datetime = NOON) -> Forecast | None:
    return forecast(kind, days, now, period=NOVEMBER, before=OCTOBER, at=at)


def told(kind: str, days: Days, now: int, *, at: datetime = NOON) -> Forecast:
    found = ask(kind, days, now, at=at)
    assert found is not None
    return found


def daily(*units: int, until: date = TODAY) -> dict[date, int]:
    """These units on the days before `until`."""
    return {until - DAY * (len(units) - n): one for n, one in enumerate(units)}


class TestSum:
    def test_takes_each_weekday_as_it_was(self) -> None:
        week = (10, 20, 30, 40, 50, 6, 7)  # Monday to Sunday
        found = told(SUM, daily(*week * 5), 300)
        adds = [later.used - earlier.used for earlier, later in pairwise(found.points)]
        assert found.points[0].used == 305  # half a Monday
        assert adds == [20, 30, 40, 50, 6, 7, 10] * 2
        assert (found.method, found.points[-1].on) == (Method.WEEKDAYS, date(2026, 11, 30))

    def test_counts_the_newest_week_most(self) -> None:
        found = told(SUM, daily(*([70] * 7), *([10] * 7)), 0)
        # Five parts of 10 and four of 70; two weeks are no trend.
        assert found.points[1].used - found.points[0].used == pytest.approx(330 / 9, abs=1)

    def test_goes_on_growing_as_week_after_week_did(self) -> None:
        weeks = [round(1000 * 1.1**n) for n in range(5)]
        found = told(SUM, daily(*(one for week in weeks for one in [week] * 7)), 0)
        assert found.points[7].used - found.points[6].used == pytest.approx(1000 * 1.1**6, rel=0.01)

    def test_does_not_take_ups_and_downs_for_growth(self) -> None:
        weeks = [100, 130, 90, 140, 120]
        found = told(SUM, daily(*(one for week in weeks for one in [week] * 7)), 0)
        adds = {later.used - earlier.used for earlier, later in pairwise(found.points)}
        assert adds <= {119, 120, 121}

    def test_believes_a_week_of_silence(self) -> None:
        assert told(SUM, daily(*[500] * 28, *[0] * 7), 4_000).used == 4_000
        assert told(SUM, daily(*[500] * 28, *[1] * 7), 4_000).used < 4_020

    def test_takes_the_pace_of_the_first_days_until_there_is_a_week(self) -> None:
        found = told(SUM, daily(100, 200, 300), 600)
        assert found.method == Method.FIRST_DAYS
        assert found.used == 600 + 200 * 14.5

    def test_is_not_given_on_the_first_day_of_use(self) -> None:
        assert ask(SUM, {TODAY: 900}, 900) is None

    def test_expects_nothing_where_nothing_was_ever_used(self) -> None:
        found = told(SUM, {}, 0)
        assert (found.used, found.end.high, found.reached(10)) == (0, 0, None)

    def test_is_unsure_where_days_differ(self) -> None:
        even, uneven = told(SUM, daily(*[100] * 35), 0), told(SUM, daily(*[10, 190, 100] * 12), 0)
        assert even.end.high - even.end.low < uneven.end.high - uneven.end.low


class TestMembers:
    def test_come_as_in_the_rest_of_the_period_before(self) -> None:
        days = {OCTOBER.first + DAY * n: 10 for n in range(31)} | daily(*[8] * 15)
        found = told(DISTINCT, days, 120)
        # The same days of October brought ten each, but lately only eight come.
        assert found.used == 120 + int((7 * 8 / 7.5) * 14.5)
        assert found.method == Method.LAST_PERIOD

    def test_are_fewer_once_most_were_seen(self) -> None:
        days = {OCTOBER.first + DAY * n: max(0, 15 - n) for n in range(31)} | daily(
            *[15 - n for n in range(15)]
        )
        assert told(DISTINCT, days, 120).used == 120

    def test_come_half_as_fast_each_week_where_no_period_is_known(self) -> None:
        found = told(DISTINCT, daily(*[4] * 14), 56)
        assert found.method == Method.FADING
        assert 56 < found.used < 56 + 4 * 14.5 / 1.5

    def test_are_not_guessed_on_the_first_day(self) -> None:
        assert ask(DISTINCT, {TODAY: 30}, 30) is None

    @given(st.lists(st.integers(0, 40), min_size=1, max_size=46), st.integers(0, 40))
    def test_never_come_faster_than_lately(self, came: list[int], today: int) -> None:
        days = daily(*came) | {TODAY: today}
        now = sum(units for day, units in days.items() if day >= NOVEMBER.first)
        found = ask(DISTINCT, days, now)
        last_week = sum(days.get(TODAY - DAY * n, 0) for n in range(8))
        assert found is None or found.used - now <= last_week / 7.5 * 14.5 + 1


class TestLevel:
    def test_goes_on_as_it_grew(self) -> None:
        found = told(LEVEL, daily(*range(0, 1_600, 100)), 1_550)
        assert found.used == 1_550 + 100 * 14.5
        assert found.method == Method.SLOPE

    def test_does_not_take_one_leap_for_growth(self) -> None:
        assert told(LEVEL, daily(*[0] * 10, *[40_000] * 5), 40_000).used == 40_000

    def test_that_shrinks_is_taken_to_stay(self) -> None:
        found = told(LEVEL, daily(*range(1_500, 0, -100)), 50)
        assert found.used == 50
        assert found.end.low == 0

    def test_stays_where_nothing_is_known(self) -> None:
        assert told(LEVEL, {}, 7).used == 7


class TestHours:
    def test_follow_that_of_now_until_the_periods_end(self) -> None:
        at = datetime(2026, 11, 29, 22, 30, tzinfo=UTC)
        found = hourly(100, [115, 355], at)
        assert len(found) == 25  # 23:00, and a day
        assert found[0] == 115
        assert found[1:4] == [125, 135, 145]
        assert found[-1] == 355

    @given(
        st.integers(0, 10**12),
        st.lists(st.integers(0, 10**12), min_size=1, max_size=31),
        st.integers(0, 86_399_999_999),
    )
    def test_stay_between_the_ends_of_days(self, amount: int, ends: list[int], of_day: int) -> None:
        midnight = NOON.replace(hour=0)
        at = midnight + timedelta(microseconds=of_day)
        found = hourly(amount, ends, at)
        assert len(found) == 24 * len(ends) - at.hour - 1
        assert all(min(amount, *ends) <= one <= max(amount, *ends) for one in found)


class TestLimit:
    def test_is_reached_at_a_moment_of_a_day(self) -> None:
        found = told(SUM, daily(*[100] * 35), 1_500)
        # 50 are left for today, then 100 a day.
        assert found.reached(1_800) == datetime(2026, 11, 19, 12, tzinfo=UTC)

    def test_is_not_reached_where_use_lasts(self) -> None:
        assert told(SUM, daily(*[100] * 35), 1_500).reached(3_000) is None

    def test_that_was_reached_is_not_reached_again(self) -> None:
        assert told(SUM, daily(*[100] * 35), 1_800).reached(1_800) is None

    def test_of_nothing_is_reached_from_the_start(self) -> None:
        assert told(SUM, daily(*[100] * 35), 0).reached(0) is None


class TestBegin:
    @pytest.mark.parametrize(
        ("at", "is_told"),
        [
            (NOVEMBER.starts, False),
            (NOVEMBER.starts + timedelta(hours=35, minutes=59), False),  # 5 % of 30 days are 36 hours
            (NOVEMBER.starts + timedelta(hours=36), True),
            (NOVEMBER.ends - timedelta(microseconds=1), True),
            (NOVEMBER.ends, False),
        ],
    )
    def test_waits_for_a_day_and_five_percent(self, at: datetime, is_told: bool) -> None:
        found = ask(SUM, daily(*[100] * 70, until=date(2026, 12, 1)), 100, at=at)
        assert (found is not None) is is_told

    def test_waits_a_whole_day_in_a_short_period(self) -> None:
        week = Period(NOVEMBER.first, NOVEMBER.first + DAY * 7)
        at = week.starts + timedelta(hours=23)
        assert forecast(SUM, daily(*[1] * 40), 1, period=week, before=OCTOBER, at=at) is None


units = st.integers(0, 10**9)


class TestAnyMetric:
    @given(
        st.sampled_from([SUM, LEVEL, DISTINCT]),
        st.lists(units, max_size=60),
        units,
        st.none() | units,
        st.integers(36 * 3600, 30 * 86_400 - 1),
    )
    def test_is_told_in_order_and_runs_out_in_time(
        self, kind: str, past: list[int], now: int, limit: int | None, second: int
    ) -> None:
        at = NOVEMBER.starts + timedelta(seconds=second)
        found = ask(kind, daily(*past, until=at.date() + DAY), now, at=at)
        if found is None:
            return
        assert [one.on for one in found.points] == [
            at.date() + DAY * n for n in range((NOVEMBER.until - at.date()).days)
        ]
        assert all(0 <= one.low <= one.used <= one.high for one in found.points)
        assert all(earlier.used <= later.used for earlier, later in pairwise(found.points))
        assert now <= found.points[0].used
        reaches = limit is not None and now < limit <= found.used
        moment = found.reached(limit)
        assert (moment is not None) is reaches
        assert moment is None or at <= moment <= NOVEMBER.ends
        assert found.explained
