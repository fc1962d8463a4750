"""Quantities and times in words."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from billing.models import Metric
from usage import units

CALLS = Metric(code="api_calls", name="API calls", noun="calls", kind="sum")
USERS = Metric(code="users", name="Active users", noun="users", kind="distinct")
ENTRIES = Metric(code="entries", name="Entries", noun="entries", kind="sum")
STORAGE = Metric(code="storage", name="Storage", noun="storage", kind="level", unit="bytes")


class TestNumber:
    @pytest.mark.parametrize(("n", "text"), [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_500, "−1,500")])
    def test_groups_thousands(self, n: int, text: str) -> None:
        assert units.number(CALLS, n) == text

    @pytest.mark.parametrize(
        ("n", "text"),
        [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1 kB"),
            (1_500, "1.5 kB"),
            (100_000_000, "100 MB"),
            (1_024_000_000, "1.024 GB"),
            (61_440_000_000, "61.44 GB"),
            (431_200_000_000, "431.2 GB"),
            (5_000_000_000, "5 GB"),
            (2**53, "9.007 PB"),
            (7_000_000 * 10**12, "7,000 PB"),
            (-2_500_000, "−2.5 MB"),
        ],
    )
    def test_scales_bytes_by_thousands(self, n: int, text: str) -> None:
        assert units.number(STORAGE, n) == text

    def test_never_shows_as_full_what_is_not(self) -> None:
        assert units.number(STORAGE, 99_999_999) == "99.99 MB"
        assert units.number(STORAGE, 1_000_001) == "1 MB"


class TestQuantity:
    @pytest.mark.parametrize(
        ("metric", "n", "text"),
        [
            (CALLS, 1_000, "1,000 API calls"),
            (CALLS, 1, "1 API call"),
            (CALLS, 0, "0 API calls"),
            (USERS, 3, "3 active users"),
            (ENTRIES, 1, "1 entry"),
            (STORAGE, 100_000_000, "100 MB"),
        ],
    )
    def test_names_what_is_counted(self, metric: Metric, n: int, text: str) -> None:
        assert units.quantity(metric, n) == text

    def test_says_what_bytes_are_of_where_asked(self) -> None:
        assert units.of_quantity(STORAGE, 2_000_000) == "2 MB of storage"
        assert units.of_quantity(CALLS, 2) == "2 API calls"


class TestName:
    def test_fits_into_a_sentence(self) -> None:
        assert [units.name(metric) for metric in (CALLS, USERS, STORAGE)] == [
            "API calls",
            "active users",
            "storage",
        ]

    def test_knows_its_number(self) -> None:
        assert [units.is_plural(metric) for metric in (CALLS, USERS, STORAGE)] == [True, True, False]


class TestTimes:
    def test_day_is_short(self) -> None:
        assert units.day(date(2026, 12, 1)) == "1 December"

    def test_moment_is_told_in_utc(self) -> None:
        east = timezone(timedelta(hours=2))
        assert units.moment(datetime(2026, 12, 1, 1, 30, tzinfo=east)) == "30 Nov 2026, 23:30 UTC"
        assert units.moment(datetime(2026, 12, 1, tzinfo=UTC)) == "1 Dec 2026, 00:00 UTC"

    @pytest.mark.parametrize(
        ("length", "text"),
        [
            (timedelta(days=7, hours=10, minutes=5), "7 days and 10 hours"),
            (timedelta(days=7, minutes=5), "7 days"),
            (timedelta(hours=1, minutes=1), "1 hour and 1 minute"),
            (timedelta(seconds=61), "1 minute and 1 second"),
            (timedelta(seconds=3), "3 seconds"),
            (timedelta(0), "0 seconds"),
            (timedelta(seconds=-5), "0 seconds"),
        ],
    )
    def test_span_names_its_two_largest_units(self, length: timedelta, text: str) -> None:
        assert units.span(length) == text
