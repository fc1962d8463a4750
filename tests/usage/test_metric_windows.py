"""The windows of a metric's page: which days or hours they are, and what is wrong with days of one's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Period
from tests.usage.counted import NOW
from usage.reports.windows import MOST_DAYS, NAMES, Asked, window_of
from usage.window_forms import DaysForm, asked_of

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
OCTOBER = Period(date(2026, 10, 1), date(2026, 11, 1))
TODAY = NOW.date()


def window(**asked: Any) -> Any:
    return window_of(NOVEMBER, OCTOBER, Asked(**asked), NOW)


def own(first: date, last: date) -> Any:
    return window(range="custom", first=first, last=last)


class TestWindow:
    @pytest.mark.parametrize(
        ("code", "text"),
        [
            ("period", "1–30 Nov 2026"),
            ("previous", "1–31 Oct 2026"),
            ("7d", "17–23 Nov 2026"),
            ("30d", "25 Oct – 23 Nov 2026"),
            ("90d", "26 Aug – 23 Nov 2026"),
            ("24h", "22 Nov 14:00 – 23 Nov 15:00"),
        ],
    )
    def test_has_its_days_and_says_them(self, code: str, text: str) -> None:
        found = window(range=code)
        assert (found.code, found.text) == (code, text)

    def test_of_hours_has_24_whole_ones_and_the_one_that_runs(self) -> None:
        found = window(range="24h")
        assert len(found.slots) == 25
        assert found.is_hourly
        assert found.slots[-1].starts <= NOW < found.slots[-1].ends
        assert found.described.endswith("UTC hours")

    def test_that_is_unknown_is_the_period(self) -> None:
        assert window(range="60d") == window()

    def test_of_ones_own_has_both_its_ends(self) -> None:
        found = own(date(2026, 10, 30), date(2026, 11, 2))
        assert (found.first, found.last, len(found.slots)) == (date(2026, 10, 30), date(2026, 11, 2), 4)
        assert found.period is None

    def test_of_two_days_is_by_the_hour_and_of_three_by_the_day(self) -> None:
        assert len(own(date(2026, 11, 20), date(2026, 11, 21)).slots) == 48
        assert len(own(date(2026, 11, 19), date(2026, 11, 21)).slots) == 3

    def test_whose_hours_may_be_gone_is_by_the_day(self) -> None:
        assert not own(date(2025, 11, 20), date(2025, 11, 20)).is_hourly

    @given(
        code=st.sampled_from([*NAMES, "custom"]),
        seconds=st.integers(0, 6 * 366 * 86_400),
        days=st.integers(0, MOST_DAYS - 1),
    )
    def test_tiles_its_time_without_gaps(self, code: str, seconds: int, days: int) -> None:
        at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        first = at.date() - timedelta(days=days)
        found = window_of(NOVEMBER, OCTOBER, Asked(range=code, first=first, last=at.date()), at)
        assert all(one.ends == after.starts for one, after in zip(found.slots, found.slots[1:], strict=False))
        assert len({slot.key for slot in found.slots}) == len(found.slots)


class TestAddress:
    def test_keeps_what_is_not_changed(self) -> None:
        asked = Asked(range="7d", view="total", label="GET /a&b")
        assert asked.address(range="24h") == "?range=24h&view=total&label=GET+%2Fa%26b"

    def test_has_days_only_for_those_of_ones_own(self) -> None:
        asked = Asked(range="custom", first=TODAY, last=TODAY)
        assert asked.address() == "?range=custom&from=2026-11-23&until=2026-11-23"
        assert asked.address(range="7d") == "?range=7d"

    @given(
        view=st.sampled_from(["total", "labels"]),
        label=st.none() | st.text(max_size=48),
        days=st.integers(0, 399),
        code=st.sampled_from([*NAMES, "custom"]),
    )
    def test_is_read_as_it_was_written(self, view: str, label: str | None, days: int, code: str) -> None:
        first, last = (TODAY - timedelta(days=days), TODAY) if code == "custom" else (None, None)
        asked = Asked(range=code, view=view, label=label, first=first, last=last)
        label_survives = label is None or label == label.encode(errors="ignore").decode()
        if label_survives:
            assert asked_of(QueryDict(asked.address()[1:]), NOW)[0] == asked


class TestDaysOfOnesOwn:
    @pytest.mark.parametrize(
        ("first", "last", "field", "message"),
        [
            ("2026-11-10", "2026-11-09", "until", "The last day is before the first."),
            ("2025-01-01", "2026-11-09", "until", "Choose at most 400 days."),
            ("2026-11-24", "2026-11-25", "from", "Choose a day from 2000 to today."),
            ("0001-01-01", "0001-01-02", "from", "Choose a day from 2000 to today."),
            ("", "2026-11-09", "from", "Choose a day."),
            ("2026-11-10", "soon", "until", "Write a day as 2026-11-23."),
            ("2026-11-10", "9999-12-31", "until", "Choose at most 400 days."),
        ],
    )
    def test_say_beside_the_field_what_is_wrong_and_show_the_period(
        self, first: str, last: str, field: str, message: str
    ) -> None:
        query = QueryDict(f"range=custom&from={first}&until={last}&view=total&label=x")
        asked, form = asked_of(query, NOW)
        assert form.errors[field] == [message]
        assert asked == Asked(range="period", view="total", label="x")

    def test_may_be_four_hundred(self) -> None:
        first = TODAY - timedelta(days=MOST_DAYS - 1)
        form = DaysForm({"from": first.isoformat(), "until": TODAY.isoformat()}, today=TODAY)
        assert form.is_valid()
