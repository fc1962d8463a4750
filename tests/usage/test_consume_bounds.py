"""consume.lua by itself: caps, bursts and the largest numbers."""

from __future__ import annotations

import pytest

from tests.usage.scripting import BEYOND, COUNTED, REFUSED, TOO_LARGE, Books, Desk, Line

LIMIT, CAP, BURST = 1, 2, 3  # causes
MOST = 2**53


def calls(amount: int = 1, label: str = "") -> Line:
    return Line("s", "calls", amount, label)


def storage(amount: int) -> Line:
    return Line("l", "storage", amount)


class TestCap:
    def test_refuses_where_the_money_ends(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, cap=8))
        assert desk.consume(calls(8)).status == COUNTED
        assert desk.consume(calls()).rest[1:3] == (0, CAP)

    def test_the_limit_is_named_where_both_end(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, stop=5, cap=5))
        assert desk.consume(calls(6)).rest[1:3] == (0, LIMIT)


class TestBurst:
    def test_lets_a_minutes_amount_through_at_once(self, desk: Desk) -> None:
        desk.open(Books("calls", burst=6))
        assert [desk.consume(calls()).status for _ in range(7)] == [COUNTED] * 6 + [REFUSED]

    def test_says_how_long_to_wait(self, desk: Desk) -> None:
        desk.open(Books("calls", burst=6))
        desk.consume(calls(6))
        assert desk.consume(calls()).rest[1:] == (0, BURST, 10)
        desk.tick(9.5)
        assert desk.consume(calls()).rest[1:] == (0, BURST, 1)
        desk.tick(0.5)
        assert desk.consume(calls()).status == COUNTED

    def test_answers_what_is_left_and_until_it_is_whole(self, desk: Desk) -> None:
        desk.open(Books("calls", burst=6))
        assert desk.consume(calls(2)).gauges[0][4:] == (6, 4, 20_000)
        desk.tick(15)
        assert desk.consume(Line("p", "calls", 0)).gauges[0][4:] == (6, 5, 5_000)

    def test_fills_up_to_one_minute_only(self, desk: Desk) -> None:
        desk.open(Books("calls", burst=6))
        desk.tick(600)
        assert desk.consume(calls(6)).status == COUNTED
        assert desk.consume(calls()).status == REFUSED

    def test_charge_larger_than_the_burst_is_an_error(self, desk: Desk) -> None:
        desk.open(Books("calls", burst=6))
        before = desk.everything()
        answer = desk.consume(calls(1), calls(7))
        assert (answer.status, answer.rest) == (TOO_LARGE, (1,))
        assert desk.everything() == before

    def test_refusal_by_the_limit_takes_nothing_of_the_burst(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=3, stop=3, burst=6))
        assert desk.consume(calls(3), calls(1)).rest[1:3] == (1, LIMIT)
        assert desk.consume(Line("p", "calls", 0)).gauges[0].left == 6


class TestLargeNumbers:
    def test_refuses_to_pass_what_numbers_hold(self, desk: Desk) -> None:
        desk.open(Books("calls", others=MOST - 1))
        assert desk.consume(calls()).used == [MOST]
        before = desk.everything()
        answer = desk.consume(calls(), is_forced=True)
        assert (answer.status, answer.rest) == (BEYOND, (0,))
        assert desk.everything() == before

    @pytest.mark.parametrize("used", [10**14 - 1, 10**14, 123_456_789_012_345, MOST - 7])
    def test_loses_no_digit(self, desk: Desk, used: int) -> None:
        desk.open(Books("calls", own=used), Books("storage", "l", others=used))
        answer = desk.consume(calls(3, "x"), storage(3))
        assert answer.used == [used + 3, used + 3]
        assert desk.hash(desk.account)["u:calls"] == str(used + 3)
        assert desk.counts()["lc:storage"] == str(used + 3)

    @pytest.mark.parametrize("amount", [10**14, 123_456_789_012_345, MOST])
    def test_takes_large_amounts_whole(self, desk: Desk, amount: int) -> None:
        desk.open(Books("calls"), Books("storage", "l"))
        assert desk.consume(calls(amount, "x"), storage(amount)).used == [amount, amount]
        assert desk.consume(storage(-amount)).used == [0]
        counts = desk.counts()
        assert {counts["u:calls:x"], counts["la:storage"], counts["lr:storage"]} == {str(amount)}
