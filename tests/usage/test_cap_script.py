"""cap.lua by itself, and beside open and rewrite: whatever comes late, the newest computation stays."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.usage.scripting import NEVER, Books, Desk, Line

CALL = Line("s", "calls")
CAP = 2  # cause
OPEN = Books("calls", limit=5), Books("storage", "l", limit=5)


def caps(desk: Desk) -> dict[str, str]:
    """The cap stops that the account holds, and their stamp."""
    fields = desk.hash(desk.account)
    return {name: value for name, value in fields.items() if name == "stamp" or name.startswith("c:")}


class TestCap:
    def test_brings_cap_stops_and_leaves_everything_else(self, desk: Desk) -> None:
        desk.open(*OPEN)
        desk.consume(CALL)
        before = desk.hash(desk.account)
        assert desk.cap(7, calls=8, storage=-1) == 1
        assert desk.hash(desk.account) == {**before, "c:calls": "8", "stamp": "7"}

    def test_is_enforced_by_the_next_call(self, desk: Desk) -> None:
        desk.open(*OPEN)
        desk.consume(Line("s", "calls", 8))
        desk.cap(7, calls=8)
        assert desk.consume(CALL).rest[1:3] == (0, CAP)
        desk.cap(8, calls=9)
        assert desk.consume(CALL).used == [9]

    @pytest.mark.parametrize("stamp", [6, 7])
    def test_of_an_older_computation_changes_nothing(self, desk: Desk, stamp: int) -> None:
        desk.open(*OPEN)
        desk.cap(7, calls=8)
        before = desk.everything()
        assert desk.cap(stamp, calls=9) == 0
        assert desk.everything() == before

    def test_stamps_are_compared_as_numbers(self, desk: Desk) -> None:
        desk.open(*OPEN)
        assert desk.cap(9, calls=8) == 1
        assert desk.cap(10, calls=9) == 1

    @pytest.mark.parametrize(
        ("version", "until", "is_written"),
        [(2, 900, False), (3, 499, False), (3, 500, True), (3, 501, True), (4, 1, True)],
    )
    def test_of_older_limits_changes_nothing(
        self, desk: Desk, version: int, until: int, is_written: bool
    ) -> None:
        desk.open(*OPEN, version=3, until=500)
        before = desk.everything()
        assert desk.cap(7, version, until, calls=9) == is_written
        assert (desk.everything() == before) != is_written

    def test_never_creates_an_account(self, desk: Desk) -> None:
        assert desk.cap(7, calls=9) == 0
        assert desk.everything() == {}

    def test_never_creates_a_metric(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        assert desk.cap(7, seats=9, calls=8) == 1
        assert caps(desk) == {"c:calls": "8", "stamp": "7"}

    def test_whatever_the_order_the_newest_stays(self, desk: Desk) -> None:
        for number, order in enumerate(permutations([(11, 80), (12, 70), (13, 90)])):
            desk.tenant = number
            desk.open(*OPEN)
            for stamp, stop in order:
                desk.cap(stamp, calls=stop)
            assert caps(desk)["c:calls"] == "90"


class TestRewrite:
    def test_brings_its_cap_stops_and_their_stamp(self, desk: Desk) -> None:
        desk.open(*OPEN)
        desk.cap(7, calls=8)
        desk.rewrite(("calls", 9, -1, 12, -1), version=2, stamp=8)
        assert caps(desk) == {"c:calls": "12", "c:storage": "-1", "stamp": "8"}
        assert desk.cap(7, 2, calls=8) == 0

    def test_that_comes_late_leaves_newer_cap_stops(self, desk: Desk) -> None:
        """A flush that knew the new limits and more use was quicker."""
        desk.open(*OPEN)
        assert desk.cap(8, 2, calls=13) == 1
        assert desk.rewrite(("calls", 9, -1, 12, -1), version=2, stamp=7) == 1
        assert caps(desk)["c:calls"] == "13"
        assert desk.hash(desk.account)["l:calls"] == "9"

    def test_without_a_cap_lifts_whatever_stopped(self, desk: Desk) -> None:
        desk.open(*OPEN)
        desk.cap(7, calls=8)
        desk.rewrite(("calls", 9, -1, -1, -1), version=2)
        assert caps(desk)["c:calls"] == "-1"

    def test_without_a_cap_is_not_undone_by_a_late_flush(self, desk: Desk) -> None:
        desk.open(*OPEN)
        desk.rewrite(("calls", 9, -1, -1, -1), version=2)
        assert desk.cap(7, 1, calls=8) == 0
        assert caps(desk)["c:calls"] == "-1"


class TestOpen:
    def test_brings_cap_stops_and_their_stamp(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, cap=8), stamp=7)
        assert caps(desk) == {"c:calls": "8", "stamp": "7"}
        assert desk.cap(7, calls=9) == 0
        assert desk.cap(8, calls=9) == 1

    def test_of_an_account_that_is_open_leaves_newer_cap_stops(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, cap=8), stamp=7, until=500)
        desk.cap(9, 1, NEVER, calls=10)
        desk.open(Books("calls", limit=6, cap=9), before="1", stamp=8, until=900)
        assert caps(desk) == {"c:calls": "10", "stamp": "9"}
        assert desk.hash(desk.account)["l:calls"] == "6"

    def test_of_newer_limits_brings_newer_cap_stops(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, cap=8), stamp=7, until=500)
        desk.open(Books("calls", limit=6, cap=9), before="1", stamp=8, until=900)
        assert caps(desk) == {"c:calls": "9", "stamp": "8"}

    def test_gives_a_metric_that_came_later_its_own(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, cap=8), stamp=9)
        desk.open(Books("calls", limit=5, cap=7), Books("seats", limit=4, cap=6), before="1", stamp=8)
        assert caps(desk) == {"c:calls": "8", "c:seats": "6", "stamp": "9"}
