"""Times and days in the short words of the pages, in the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from usage.reports import dates

AT = datetime(2026, 11, 23, 20, 30, 5, tzinfo=UTC)


class TestWhen:
    @pytest.mark.parametrize(
        ("zone", "said"),
        [("UTC", "Today 14:02"), ("America/New_York", "Today 09:02"), ("Asia/Tokyo", "23 Nov 23:02")],
    )
    def test_says_today_of_what_is_the_readers_today(self, zone: str, said: str) -> None:
        with timezone.override(zone):
            assert dates.when(AT.replace(hour=14, minute=2), AT) == said

    @pytest.mark.parametrize(
        ("zone", "said"), [("UTC", "31 Dec 2025 23:30"), ("Europe/Berlin", "1 Jan 00:30")]
    )
    def test_says_the_year_where_it_is_not_the_readers(self, zone: str, said: str) -> None:
        with timezone.override(zone):
            assert dates.when(datetime(2025, 12, 31, 23, 30, tzinfo=UTC), AT) == said


class TestZone:
    @pytest.mark.parametrize(
        ("zone", "clock", "minute", "day"),
        [
            ("UTC", "20:30:05 UTC", "20:30 UTC", "23 Nov 2026"),
            ("Europe/Berlin", "21:30:05 CET", "21:30 CET", "23 Nov 2026"),
            ("Asia/Kolkata", "02:00:05 IST", "02:00 IST", "24 Nov 2026"),
            ("America/Sao_Paulo", "17:30:05 UTC-03", "17:30 UTC-03", "23 Nov 2026"),
        ],
    )
    def test_stands_beside_each_time(self, zone: str, clock: str, minute: str, day: str) -> None:
        with timezone.override(zone):
            assert (dates.clock(AT), dates.minute(AT), dates.day(AT)) == (clock, minute, day)
            assert dates.zone() == zone

    def test_is_the_one_of_that_day(self) -> None:
        with timezone.override("Europe/Berlin"):
            assert dates.minute(AT.replace(month=7)) == "22:30 CEST"
