"""raise, collect and settle by themselves: repeated, late or lost, each changes what it must."""

from __future__ import annotations

from typing import Any

import pytest

from tests.usage.scripting import Books, Desk, Line
from usage.metering import keys

CALL = Line("s", "calls")
ALL = Books("calls"), Books("storage", "l"), Books("users", "d")


def pairs(flat: Any) -> dict[str, str]:
    """A flat list of fields and values, as a script returns a hash."""
    return {field.decode(): value.decode() for field, value in zip(flat[::2], flat[1::2], strict=True)}


class TestRaise:
    @pytest.mark.parametrize(
        ("others", "own", "opening", "used"),
        [
            (40, 0, "40", "42"),
            (50, 0, "50", "52"),
            (40, 9, "40", "49"),
            (55, 9, "55", "64"),
            (10, 1, "40", "42"),
        ],
    )
    def test_sum_moves_up_with_what_postgresql_knows(
        self, desk: Desk, others: int, own: int, opening: str, used: str
    ) -> None:
        desk.open(Books("calls", others=40))
        desk.consume(Line("s", "calls", 2))
        books = Books("calls", others=others, own=own)
        assert desk.raise_(books) == (used != "42")
        account = desk.hash(desk.account)
        assert (account["o:calls"], account["u:calls"]) == (opening, used)
        assert desk.raise_(books) == 0
        assert desk.hash(desk.account) == account

    def test_level_takes_over_the_other_epochs(self, desk: Desk) -> None:
        desk.open(Books("storage", "l", others=40))
        desk.consume(Line("l", "storage", 5))
        desk.consume(Line("l", "storage", -3))
        assert desk.raise_(Books("storage", "l", others=30, own=1, removed=9)) == 1
        tenant = desk.hash(keys.tenant(desk.tenant))
        assert [tenant[f"{part}:storage"] for part in "oar"] == ["30", "5", "9"]
        assert desk.raise_(Books("storage", "l", others=30, own=1, removed=9)) == 0

    def test_distinct_counts_the_members_that_were_added(self, desk: Desk) -> None:
        desk.open(Books("users", "d"))
        desk.consume(Line("d", "users", member="ada"))
        desk.server.sadd(desk.members("users"), "ada", "bob", "cy")
        assert [desk.raise_(Books("users", "d")) for _ in range(2)] == [1, 0]
        assert desk.hash(desk.account)["u:users"] == "3"

    def test_corrects_each_metric_by_itself(self, desk: Desk) -> None:
        desk.open(*ALL, Books("jobs"))
        desk.server.sadd(desk.members("users"), "ada")
        assert desk.raise_(*ALL, Books("jobs", others=4)) == 2
        assert desk.consume(Line("p", "jobs", 0), Line("p", "users", 0)).used == [4, 1]

    def test_never_touches_another_epoch(self, desk: Desk) -> None:
        desk.open(*ALL, epoch=2)
        before = desk.everything()
        assert desk.raise_(Books("calls", others=9), Books("storage", "l", others=9), epoch=1) == 0
        assert desk.everything() == before

    def test_members_count_whatever_the_epoch(self, desk: Desk) -> None:
        desk.open(Books("users", "d"), epoch=2)
        desk.server.sadd(desk.members("users"), "ada")
        assert desk.raise_(Books("users", "d"), epoch=1) == 1
        assert desk.hash(desk.account)["u:users"] == "1"

    def test_never_creates_a_metric(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        before = desk.everything()
        assert desk.raise_(Books("jobs", others=9), Books("disk", "l", others=9), Books("users", "d")) == 0
        assert desk.everything() == before

    def test_loses_no_digit(self, desk: Desk) -> None:
        desk.open(Books("calls"), Books("storage", "l"))
        large = 2_123_456_789_012_345
        desk.raise_(Books("calls", others=large, own=1), Books("storage", "l", own=large))
        assert desk.consume(Line("p", "calls", 0), Line("p", "storage", 0)).used == [large + 1, large]


class TestCollectAndSettle:
    def test_reads_everything_together_and_changes_nothing_but_the_mark(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(Line("s", "calls", 2, "GET"), Line("l", "storage", 5), Line("d", "users", member="ada"))
        before = desk.everything()
        tenant, newcomers, (score, hour, account) = desk.collect()
        assert pairs(tenant)["a:storage"] == "5"
        assert newcomers == [b"2026-11-01|users|ada"]
        assert int(score) == desk.micro
        assert pairs(hour)["u:calls:GET"] == "2"
        assert pairs(account)["u:calls"] == "2"
        assert before[desk.account].pop(b"hour") == str(desk.second // 3600).encode()
        assert desk.everything() == before

    def test_of_what_comes_after_it_knows_at_the_next_time(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL, CALL)
        first, *_ = desk.collect()[2]
        desk.tick(0.001)
        desk.consume(CALL)
        desk.settle(first)  # of what was read before
        score, hour, _ = desk.collect()[2]
        assert int(score) > int(first)
        assert pairs(hour)["u:calls:"] == "3"

    def test_reads_no_more_newcomers_than_asked(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(*(Line("d", "users", member=f"user {number}") for number in range(9)))
        assert len(desk.collect(most=4)[1]) == 4

    def test_score_keeps_every_microsecond(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.tick(0.123_457)
        desk.consume(CALL)
        assert desk.collect()[2][0] == str(desk.micro).encode()

    def test_takes_off_what_did_not_move(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL, Line("d", "users", member="ada"))
        _, newcomers, (score, _, _) = desk.collect()
        assert desk.settle(score, *newcomers) == 1
        assert not desk.server.exists(keys.dirty(desk.tenant), keys.newcomers(desk.tenant))
        assert 7_190 < desk.server.ttl(keys.hour(desk.tenant, desk.hour)) <= 7_200
        assert desk.collect()[2][0] == b""

    def test_leaves_what_moved_meanwhile(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(Line("d", "users", member="ada"))
        _, newcomers, (score, _, _) = desk.collect()
        desk.tick(0.000_001)
        desk.consume(Line("d", "users", member="bob"))
        assert desk.settle(score, *newcomers) == 0
        assert desk.server.ttl(keys.hour(desk.tenant, desk.hour)) == -1
        assert desk.server.smembers(keys.newcomers(desk.tenant)) == {b"2026-11-01|users|bob"}

    def test_settling_twice_takes_nothing_more(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL)
        score = desk.collect()[2][0]
        assert [desk.settle(score), desk.settle(score)] == [1, 0]
