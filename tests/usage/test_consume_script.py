"""consume.lua by itself: what it counts, what it refuses, and that a refusal counts nothing."""

from __future__ import annotations

import pytest

from tests.usage.scripting import COUNTED, REFUSED, Books, Desk, Line
from usage.metering import keys

LIMIT, CAP = 1, 2  # causes


def calls(amount: int = 1, label: str = "") -> Line:
    return Line("s", "calls", amount, label)


def storage(amount: int, label: str = "") -> Line:
    return Line("l", "storage", amount, label)


def user(name: str) -> Line:
    return Line("d", "users", 1, "", name)


def capped(metric: str, stop: int, kind: str = "s", **more: int) -> Books:
    return Books(metric, kind, limit=stop, stop=stop, **more)


class TestSum:
    def test_counts_up_to_the_stop_and_refuses_beyond(self, desk: Desk) -> None:
        desk.open(capped("calls", 3))
        assert [desk.consume(calls()).status for _ in range(4)] == [COUNTED] * 3 + [REFUSED]

    def test_answers_plan_and_gauge(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=10, stop=20, cap=30), plan=8)
        answer = desk.consume(calls(4))
        assert answer.rest == (8,)
        assert answer.gauges == ((4, 10, 20, 30, -1, -1, 0),)

    def test_begins_at_what_postgresql_knows(self, desk: Desk) -> None:
        desk.open(Books("calls", others=40, own=2))
        assert desk.consume(calls()).used == [43]

    def test_never_stops_without_a_stop(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=1))
        assert desk.consume(calls(1_000)).status == COUNTED

    def test_stop_of_nothing_refuses_the_first_unit(self, desk: Desk) -> None:
        desk.open(capped("calls", 0))
        assert desk.consume(calls()).rest == (5, 0, LIMIT, 0)

    def test_refuses_an_amount_that_would_pass_the_stop(self, desk: Desk) -> None:
        desk.open(capped("calls", 10))
        desk.consume(calls(8))
        assert desk.consume(calls(3)).status == REFUSED
        assert desk.consume(calls(2)).used == [10]

    def test_counts_without_refusing_what_has_already_happened(self, desk: Desk) -> None:
        desk.open(capped("calls", 1, cap=0, burst=1))
        assert desk.consume(calls(5), is_forced=True).used == [5]

    def test_keeps_units_of_an_hour_by_label(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.consume(calls(2, "GET /a"))
        desk.consume(calls(3, "GET /a"), calls(4, "GET /b:c"), calls(5))
        counts = desk.counts()
        assert {key: counts[key] for key in counts if key.startswith("u:")} == {
            "u:calls:GET /a": "5",
            "u:calls:GET /b:c": "4",
            "u:calls:": "5",
        }

    def test_marks_the_hour_as_dirty_with_the_time(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.tick(0.25)
        desk.consume(calls())
        score = desk.server.zscore(keys.dirty(desk.tenant), desk.dirty_name)
        assert score == desk.micro


class TestSeveral:
    def test_counts_all_in_order(self, desk: Desk) -> None:
        desk.open(Books("calls"), Books("storage", "l"), Books("users", "d"))
        assert desk.consume(calls(2), storage(30), user("ada")).used == [2, 30, 1]

    @pytest.mark.parametrize("late", [storage(11), user("cy"), calls(9), Line("g", "full", 0)])
    def test_counts_nothing_when_a_later_one_is_refused(self, desk: Desk, late: Line) -> None:
        desk.open(capped("calls", 10), capped("storage", 10, "l"), capped("users", 2, "d"), capped("full", 0))
        desk.consume(calls(2), storage(5), user("ada"), user("bob"))
        before = desk.everything("dirty", "hour", "refusals")
        answer = desk.consume(calls(1), storage(1), late)
        assert (answer.status, answer.rest[1:3]) == (REFUSED, (2, LIMIT))
        after = desk.everything("dirty", "hour", "refusals")
        assert after[desk.account].pop(f"x:{late.metric}".encode()) == b"1"
        assert before[desk.account].pop(f"x:{late.metric}".encode()) == b"0"
        assert after == before

    def test_judges_two_charges_of_one_metric_together(self, desk: Desk) -> None:
        desk.open(capped("calls", 3))
        assert desk.consume(calls(2, "a"), calls(2, "b")).rest[1:3] == (1, LIMIT)
        answer = desk.consume(calls(2, "a"), calls(1, "b"))
        assert (answer.status, answer.used) == (COUNTED, [3, 3])


class TestLevel:
    def test_moves_up_and_down(self, desk: Desk) -> None:
        desk.open(capped("storage", 100, "l", others=10))
        assert [desk.consume(storage(amount)).used[0] for amount in (40, -20, 5)] == [50, 30, 35]

    def test_keeps_added_and_removed_apart(self, desk: Desk) -> None:
        desk.open(Books("storage", "l", others=10, own=7, removed=3))
        desk.consume(storage(40))
        desk.consume(storage(-20))
        held = desk.hash(keys.tenant(desk.tenant))
        assert [held[f"{part}:storage"] for part in "oar"] == ["10", "47", "23"]

    def test_never_goes_below_zero(self, desk: Desk) -> None:
        desk.open(Books("storage", "l"))
        desk.consume(storage(30))
        assert desk.consume(storage(-100)).used == [0]
        assert desk.consume(storage(8)).used == [8]

    def test_decrease_is_never_refused_even_above_the_limit(self, desk: Desk) -> None:
        desk.open(capped("storage", 10, "l", others=50))
        assert desk.consume(storage(1)).status == REFUSED
        assert desk.consume(storage(-5)).used == [45]

    def test_measured_level_replaces_the_amount_and_is_never_refused(self, desk: Desk) -> None:
        desk.open(capped("storage", 10, "l", others=5))
        assert desk.consume(Line("m", "storage", 70)).used == [70]
        assert desk.consume(Line("m", "storage", 3)).used == [3]
        assert desk.consume(Line("m", "storage", 0)).used == [0]

    def test_measuring_the_same_amount_moves_nothing(self, desk: Desk) -> None:
        desk.open(Books("storage", "l", others=5))
        before = desk.everything()
        assert desk.consume(Line("m", "storage", 5)).used == [5]
        assert desk.everything() == before

    def test_hour_keeps_peak_closing_and_moves(self, desk: Desk) -> None:
        desk.open(Books("storage", "l", others=10))
        for amount in (40, -20, 5):
            desk.consume(storage(amount, "PUT"))
        assert desk.counts() == {
            "epoch": "1",
            "la:storage": "45",
            "lr:storage": "20",
            "lp:storage": "50",
            "lc:storage": "35",
            "u:storage:PUT": "45",
            "n:storage": "1",
        }

    def test_hour_that_only_falls_peaks_where_it_began(self, desk: Desk) -> None:
        desk.open(Books("storage", "l", others=10))
        desk.consume(storage(-4))
        counts = desk.counts()
        assert (counts["lp:storage"], counts["lc:storage"]) == ("10", "6")

    def test_books_below_zero_begin_again_at_zero(self, desk: Desk) -> None:
        """Units removed twice over, because PostgreSQL learned of the first time late, must not swallow new ones."""
        desk.open(Books("storage", "l", others=-30))
        assert desk.consume(Line("p", "storage", 0)).used == [0]
        assert desk.consume(storage(8)).used == [8]
        assert desk.consume(Line("p", "storage", 0)).used == [8]
        desk.raise_(Books("storage", "l", others=-70, own=0))
        assert desk.consume(Line("m", "storage", 9)).used == [9]
        assert desk.consume(Line("p", "storage", 0)).used == [9]


class TestDistinct:
    def test_counts_each_member_once(self, desk: Desk) -> None:
        desk.open(capped("users", 2, "d"))
        assert [desk.consume(user(name)).used[0] for name in ("ada", "ada", "bob")] == [1, 1, 2]

    def test_member_already_counted_is_never_refused(self, desk: Desk) -> None:
        desk.open(capped("users", 1, "d"))
        desk.consume(user("ada"))
        assert desk.consume(user("bob")).status == REFUSED
        assert desk.consume(user("ada")).status == COUNTED
        assert desk.server.smembers(desk.members("users")) == {b"ada"}

    def test_same_member_twice_in_one_call_counts_once(self, desk: Desk) -> None:
        desk.open(capped("users", 1, "d"))
        assert desk.consume(user("ada"), user("ada")).used == [1, 1]

    def test_newcomers_wait_for_postgresql(self, desk: Desk) -> None:
        desk.open(Books("users", "d"))
        desk.consume(user("ada"), user("a|b"))
        desk.consume(user("ada"))
        waiting = desk.server.smembers(keys.newcomers(desk.tenant))
        assert waiting == {b"2026-11-01|users|ada", b"2026-11-01|users|a|b"}

    def test_members_outlast_their_period(self, desk: Desk) -> None:
        desk.open(Books("users", "d"))
        desk.consume(user("ada"))
        assert desk.server.ttl(desk.members("users")) > 66 * 86_400


class TestGate:
    def test_is_closed_at_the_stop_and_counts_nothing(self, desk: Desk) -> None:
        desk.open(capped("bytes", 10))
        gate = Line("g", "bytes", 0)
        assert desk.consume(gate).used == [0]
        desk.consume(Line("s", "bytes", 9), is_forced=True)
        assert desk.consume(gate).status == COUNTED
        desk.consume(Line("s", "bytes", 5), is_forced=True)
        assert desk.consume(gate).rest[1:3] == (0, LIMIT)

    def test_is_closed_at_the_cap_stop(self, desk: Desk) -> None:
        desk.open(Books("bytes", others=10, cap=10))
        assert desk.consume(Line("g", "bytes", 0)).rest[1:3] == (0, CAP)

    def test_reads_the_amount_of_a_level(self, desk: Desk) -> None:
        desk.open(capped("storage", 10, "l", others=10))
        assert desk.consume(Line("g", "storage", 0)).status == REFUSED

    def test_peek_is_never_refused(self, desk: Desk) -> None:
        desk.open(capped("bytes", 0))
        before = desk.everything()
        assert desk.consume(Line("p", "bytes", 0)).status == COUNTED
        assert desk.everything() == before
