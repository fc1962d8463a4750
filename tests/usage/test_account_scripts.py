"""open and rewrite by themselves: repeated, late or lost, each changes what it must."""

from __future__ import annotations

import pytest

from tests.usage.scripting import COLD, COUNTED, Books, Desk, Line
from usage.metering import keys

CALL = Line("s", "calls")
ALL = Books("calls"), Books("storage", "l"), Books("users", "d")


class TestOpen:
    def test_sets_up_every_kind_from_postgresql(self, desk: Desk) -> None:
        desk.server.sadd(desk.members("users"), "ada", "bob")
        opened = desk.open(
            Books("calls", others=40, own=2, refused=3, limit=50, stop=60, cap=70, burst=80),
            Books("storage", "l", others=9, own=5, removed=4),
            Books("users", "d", others=2),
        )
        assert opened == 1
        assert desk.hash(keys.tenant(desk.tenant)) == {
            "life": "life",
            "epoch": "1",
            "opened": str(desk.micro),
            "o:storage": "9",
            "a:storage": "5",
            "r:storage": "4",
        }
        account = desk.hash(desk.account)
        assert [account[f"{part}:calls"] for part in "ouxlscbg"] == [
            "40",
            "42",
            "3",
            "50",
            "60",
            "70",
            "80",
            "0",
        ]
        assert (account["u:users"], account["plan"], account["version"], account["epoch"]) == (
            "2",
            "5",
            "1",
            "1",
        )
        assert "u:storage" not in account

    def test_keeps_the_account_as_long_as_asked(self, desk: Desk) -> None:
        desk.open(*ALL, kept=1_000)
        assert 990 < desk.server.ttl(desk.account) <= 1_000
        assert desk.server.ttl(keys.tenant(desk.tenant)) == -1

    def test_writing_it_twice_changes_nothing(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL, Line("l", "storage", 5), Line("d", "users", member="ada"))
        before = desk.everything()
        assert desk.open(*ALL, before="1") == 1
        assert desk.everything() == before

    def test_second_opener_of_a_new_tenant_does_nothing(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL)
        before = desk.everything()
        assert desk.open(Books("calls", others=100), epoch=2) == 0
        assert desk.everything() == before

    def test_second_opener_after_a_loss_does_nothing(self, desk: Desk) -> None:
        desk.open(*ALL, life="former")
        assert desk.open(*ALL, before="1", epoch=2) == 1
        desk.consume(CALL)
        before = desk.everything()
        assert desk.open(*ALL, before="1", epoch=3) == 0
        assert desk.everything() == before

    def test_opener_who_saw_the_former_life_alive_does_nothing(self, desk: Desk) -> None:
        desk.open(*ALL, epoch=2)
        assert desk.open(*ALL, before="2", epoch=3) == 0

    @pytest.mark.parametrize("before", ["", "7"])
    def test_opener_who_saw_something_else_leaves_what_came_back(self, desk: Desk, before: str) -> None:
        """It was not flushed yet: an older Redis came back after the opener had looked."""
        desk.open(*ALL, life="former")
        desk.tick(3_600)
        held = desk.everything()
        assert desk.open(*ALL, before=before, epoch=2) == 0
        assert desk.everything() == held

    def test_new_life_begins_anew(self, desk: Desk) -> None:
        desk.open(*ALL, life="former")
        desk.server.hset(keys.tenant(desk.tenant), "o:gone", 5)
        assert desk.open(Books("calls", others=7), Books("storage", "l", others=8), before="1", epoch=2) == 1
        assert desk.hash(desk.account)["u:calls"] == "7"
        tenant = desk.hash(keys.tenant(desk.tenant))
        assert (tenant["life"], tenant["epoch"], tenant["o:storage"]) == ("life", "2", "8")
        assert "o:gone" not in tenant
        assert desk.consume(CALL).used == [8]

    def test_new_life_waits_until_former_counts_are_kept(self, desk: Desk) -> None:
        desk.open(*ALL, life="former")
        desk.consume(CALL, life="former")
        before = desk.everything()
        assert desk.open(*ALL, before="1", epoch=2) == 0
        assert desk.everything() == before
        desk.settle(desk.collect()[2][0])
        assert desk.open(*ALL, before="1", epoch=2) == 1
        assert desk.counts() == {}

    def test_next_period_continues_the_level(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL, Line("l", "storage", 30))
        desk.period = desk.period.replace(month=12)
        assert desk.open(*ALL, before="1") == 1
        assert desk.consume(CALL, Line("l", "storage", 5)).used == [1, 35]

    def test_members_that_came_to_the_set_are_counted_by_every_opener(self, desk: Desk) -> None:
        desk.open(Books("users", "d"))
        desk.server.sadd(desk.members("users"), "ada", "bob")
        desk.open(Books("users", "d"), before="1")
        assert desk.hash(desk.account)["u:users"] == "2"

    def test_metric_that_came_later_joins_an_open_account(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=9))
        desk.consume(CALL)
        later = Books("calls", limit=9), Books("seats", limit=4), Books("disk", "l", others=6)
        assert desk.open(*later, before="1") == 1
        answer = desk.consume(CALL, Line("s", "seats"), Line("l", "disk", 1))
        assert (answer.used, [one.limit for one in answer.gauges]) == ([2, 1, 7], [9, 4, -1])

    @pytest.mark.parametrize(
        ("version", "until", "is_newer"), [(0, 999, False), (1, 500, False), (1, 501, True), (2, 100, True)]
    )
    def test_only_newer_limits_replace_those_of_an_open_account(
        self, desk: Desk, version: int, until: int, is_newer: bool
    ) -> None:
        desk.open(Books("calls", limit=10, stop=10), version=1, until=500)
        desk.open(Books("calls", limit=20, stop=20), before="1", version=version, until=until)
        account = desk.hash(desk.account)
        assert (account["l:calls"], account["s:calls"]) == (("20", "20") if is_newer else ("10", "10"))
        assert account["until"] == str(until if is_newer else 500)

    def test_loses_no_digit(self, desk: Desk) -> None:
        desk.open(Books("calls", others=123_456_789_012_345, own=2_000_000_000_000_000))
        assert desk.hash(desk.account)["u:calls"] == "2123456789012345"


class TestRewrite:
    def test_brings_limits_and_leaves_counts(self, desk: Desk) -> None:
        desk.open(*ALL)
        desk.consume(CALL)
        before = desk.hash(desk.account)
        assert desk.rewrite(("calls", 9, 8, 7, 6), version=2, until=2**52, plan=3) == 1
        changed = {"l:calls": "9", "s:calls": "8", "c:calls": "7", "b:calls": "6"}
        head = {"version": "2", "until": str(2**52), "plan": "3"}
        assert desk.hash(desk.account) == {**before, **changed, **head}

    def test_never_creates_an_account(self, desk: Desk) -> None:
        assert desk.rewrite(("calls", 9, 8, 7, 6), version=2) == 0
        assert desk.everything() == {}

    def test_never_creates_a_metric(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        assert desk.rewrite(("seats", 9, 8, 7, 6), ("calls", 5, 5, -1, -1), version=2) == 1
        assert not [field for field in desk.hash(desk.account) if field.endswith("seats")]
        assert desk.consume(Line("s", "seats")).status == COLD

    @pytest.mark.parametrize(("version", "until"), [(2, 900), (3, 500), (3, 499)])
    def test_older_or_equal_changes_nothing(self, desk: Desk, version: int, until: int) -> None:
        desk.open(*ALL, version=3, until=500)
        before = desk.everything()
        assert desk.rewrite(("calls", 9, 8, 7, 6), version=version, until=until) == 0
        assert desk.everything() == before

    def test_versions_are_compared_as_numbers(self, desk: Desk) -> None:
        desk.open(*ALL, version=9)
        assert desk.rewrite(("calls", 1, 1, -1, -1), version=10) == 1
        assert desk.rewrite(("calls", 2, 2, -1, -1), version=9) == 0

    def test_is_enforced_by_the_next_call(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=5, stop=5))
        desk.consume(Line("s", "calls", 5))
        assert desk.consume(CALL).rest[2] == 1
        desk.rewrite(("calls", 6, 6, -1, -1), version=2)
        assert [desk.consume(CALL).status for _ in range(2)] == [COUNTED, 1]
