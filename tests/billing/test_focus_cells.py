"""The cells of a FOCUS bill: what is read, what is refused, and that amounts stay what they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import focus_cells as cells

PLACES = Decimal("1e-12")
amounts = st.decimals(min_value=-(10**14), max_value=10**14, places=12)


class TestAmount:
    @pytest.mark.parametrize(
        ("cell", "amount"),
        [
            ("12.5", "12.5"),
            (" -0.07 ", "-0.07"),
            ("+3", "3"),
            ("1.5E-7", "0.00000015"),
            ("-2e3", "-2000"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0", "0"),
            ("1e-400", "0"),
            ("1e-999999999", "0"),
            ("999999999999999.123456789012", "999999999999999.123456789012"),
        ],
    )
    def test_reads_what_providers_write(self, cell: str, amount: str) -> None:
        assert cells.amount(cell) == Decimal(amount)

    @pytest.mark.parametrize("cell", ["", " ", "NULL", "null"])
    def test_is_none_for_nothing(self, cell: str) -> None:
        assert cells.amount(cell) is None

    @pytest.mark.parametrize(
        "cell",
        [
            "NaN",
            "Infinity",
            "-inf",
            "1,234.56",
            "1_000",
            "$5",
            "12.5 USD",
            "0x10",
            "１２",
            "1e",
            "--1",
            "−1",
            "1 2",
        ],
    )
    def test_refuses_what_is_no_number(self, cell: str) -> None:
        with pytest.raises(cells.BadCell, match="Write a number such as"):
            cells.amount(cell)

    @pytest.mark.parametrize(
        "cell", ["1e15", "-1000000000000000", "1e999999999", "9e99999999999999999999", "9" * 5000]
    )
    def test_refuses_more_than_any_bill(self, cell: str) -> None:
        with pytest.raises(cells.BadCell, match="more than any bill"):
            cells.amount(cell)

    def test_rounds_halves_at_the_twelfth_place_to_even(self) -> None:
        assert cells.amount("0.0000000000005") == 0
        assert cells.amount("0.0000000000015") == Decimal("2e-12")

    @given(amount=amounts)
    def test_keeps_any_amount_in_any_notation(self, amount: Decimal) -> None:
        assert cells.amount(f"{amount:f}") == cells.amount(f"{amount:E}") == amount


class TestMoment:
    @pytest.mark.parametrize(
        "cell",
        [
            "2026-10-01T00:00:00Z",
            "2026-10-01T00:00Z",
            "2026-10-01 00:00:00",
            "2026-10-01 00:00:00 UTC",
            "2026-10-01T02:00:00+02:00",
            "2026-09-30T19:30:00-0430",
            "2026-10-01T00:00:00.000000000Z",
            " 2026-10-01 ",
        ],
    )
    def test_reads_times_of_any_place_into_utc(self, cell: str) -> None:
        assert cells.moment(cell) == datetime(2026, 10, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        "cell",
        [
            *("yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "2026-10-01T24:30:00Z", "01/10/2026"),
            *("1999-12-31", "0001-01-01T00:00:00+14:00", "2026-10-01T00:00:00+99:00", "2026-10-01T"),
            *("20261001", "2026-W40-4"),
        ],
    )
    def test_refuses_what_is_no_time(self, cell: str) -> None:
        with pytest.raises(cells.BadCell, match="Write a time such as"):
            cells.moment(cell)

    @given(
        at=st.datetimes(datetime(2001, 1, 1), datetime(2098, 1, 1)).map(lambda at: at.replace(microsecond=0)),
        minutes=st.integers(-14 * 60, 14 * 60),
    )
    def test_reads_every_offset(self, at: datetime, minutes: int) -> None:
        there = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        assert cells.moment(there.isoformat()) == there

    def test_is_none_for_nothing(self) -> None:
        assert cells.moment("") is None

    def test_knows_its_month(self) -> None:
        assert cells.first_of_month(datetime(2026, 10, 31, 23, 59, tzinfo=UTC)) == date(2026, 10, 1)


class TestTags:
    def test_become_text(self) -> None:
        cell = '{"tenant": "northwind", "n": 1e3, "on": true, "off": false, "none": null, "deep": {"a": [1]}}'
        assert json.loads(cells.tags(cell)) == {
            "tenant": "northwind",
            "n": "1e3",
            "on": "true",
            "off": "false",
            "none": "",
            "deep": '{"a": ["1"]}',
        }

    def test_keep_what_only_looks_like_a_nul(self) -> None:
        cell = r'{"path": "C:\\u0000"}'
        assert json.loads(cells.tags(cell)) == {"path": r"C:\u0000"}

    @pytest.mark.parametrize("cell", ["", "NULL", "{}"])
    def test_may_be_none(self, cell: str) -> None:
        assert cells.tags(cell) == "{}"

    @pytest.mark.parametrize("cell", ["[1]", "tenant=northwind", '{"a": ', '"text"', "[" * 100_000])
    def test_are_a_json_object(self, cell: str) -> None:
        with pytest.raises(cells.BadCell, match="Write tags as a JSON object"):
            cells.tags(cell)

    @pytest.mark.parametrize("cell", ['{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": "\\ud800"}'])
    def test_hold_only_what_postgresql_keeps(self, cell: str) -> None:
        with pytest.raises(cells.BadCell, match="a character that is none"):
            cells.tags(cell)


class TestName:
    def test_loses_spaces_around_it(self) -> None:
        assert cells.name("  Compute ", 60) == "Compute"

    def test_is_no_longer_than_its_column(self) -> None:
        with pytest.raises(cells.BadCell, match="It has 61 characters: at most 60"):
            cells.name("x" * 61, 60)

    @pytest.mark.parametrize("read", [cells.amount, cells.moment, lambda cell: cells.name(cell, 60)])
    def test_where_one_is_needed_nothing_is_refused(self, read: Callable[[str], object]) -> None:
        with pytest.raises(cells.BadCell, match="It is empty"):
            cells.needed(read(""))
