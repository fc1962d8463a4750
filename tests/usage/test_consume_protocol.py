"""consume.lua among others: repeated calls, cold accounts, clocks that differ, labels, the list of refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.usage.scripting import COLD, COUNTED, MOVED, REFUSED, STALE, Books, Desk, Line
from usage.metering import keys

CALL = Line("s", "calls")


class TestResend:
    def test_repeated_number_answers_the_same_and_changes_nothing(self, desk: Desk) -> None:
        desk.open(Books("calls"), Books("storage", "l"), Books("users", "d"))
        charges = CALL, Line("l", "storage", 5), Line("d", "users", member="ada")
        first = desk.consume(*charges, number=1)
        before = desk.everything()
        assert desk.consume(*charges, number=1, age=50_000) == first
        assert desk.everything() == before

    def test_repeated_refusal_is_counted_once(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=0, stop=0))
        assert desk.consume(CALL, number=1) == desk.consume(CALL, number=1)
        assert desk.hash(desk.account)["x:calls"] == "1"

    def test_answers_the_first_reply_also_in_the_next_hour(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.tick(3_599.9)
        first = desk.consume(CALL, number=1)
        desk.tick(0.2)
        assert desk.consume(CALL, number=1) == first

    def test_late_copy_of_a_call_answers_as_before_and_changes_nothing(self, desk: Desk) -> None:
        """Its resend was answered first, so it comes as if nothing was known of it."""
        desk.open(Books("calls"))
        first = desk.consume(CALL, number=1)
        before = desk.everything()
        assert desk.consume(CALL, number=1) == first
        assert desk.everything() == before

    def test_older_number_is_stale_and_changes_nothing(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.consume(CALL, number=1)
        desk.consume(CALL, number=2)
        before = desk.everything()
        assert desk.consume(CALL, number=1).status == STALE
        assert desk.everything() == before

    def test_numbers_are_compared_as_numbers(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        assert [desk.consume(CALL, number=number).used for number in (9, 10, 11)] == [[1], [2], [3]]

    def test_actors_do_not_mix(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        used = [desk.consume(CALL, number=1, actor=actor).used for actor in ("a", "b", "a")]
        assert used == [[1], [2], [1]]

    def test_reply_is_kept_for_an_hour(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.consume(CALL, number=1)
        assert 3_590 < desk.server.ttl(keys.caller(desk.tenant, "actor")) <= 3_600

    def test_call_without_a_number_keeps_no_reply(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.consume(Line("p", "calls", 0))
        assert not desk.server.exists(keys.caller(desk.tenant, "actor"))

    def test_resend_is_not_counted_in_counts_opened_after_it_was_first_sent(self, desk: Desk) -> None:
        """The first sending may have been counted, flushed and lost with the former counts."""
        desk.open(Books("calls"))
        desk.tick(0.05)
        assert desk.consume(CALL, number=1, age=60_000).status == COLD
        assert desk.consume(CALL, number=1, age=40_000).status == COUNTED

    def test_resend_is_counted_where_the_first_was_not(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.tick(5)
        assert desk.consume(CALL, number=1, age=60_000).used == [1]


class TestCold:
    @pytest.mark.parametrize(
        "cause",
        [
            pytest.param(lambda desk: desk.server.delete(keys.tenant(desk.tenant)), id="no tenant"),
            pytest.param(lambda desk: desk.server.delete(desk.account), id="no account"),
            pytest.param(
                lambda desk: desk.server.hset(desk.account, "epoch", 2), id="account of another epoch"
            ),
            pytest.param(
                lambda desk: desk.server.hset(desk.account, "until", desk.micro), id="limits have ended"
            ),
            pytest.param(
                lambda desk: desk.server.hdel(desk.account, "s:calls"), id="no limits of the metric"
            ),
            pytest.param(lambda desk: desk.server.hdel(desk.account, "u:calls"), id="no count of the metric"),
            pytest.param(
                lambda desk: desk.server.hdel(keys.tenant(desk.tenant), "o:storage"),
                id="no amount of the level",
            ),
            pytest.param(
                lambda desk: desk.server.hset(keys.hour(desk.tenant, desk.hour), "epoch", 2),
                id="hour of another epoch",
            ),
            pytest.param(
                lambda desk: desk.server.hset(keys.tenant(desk.tenant), "life", "former"), id="another life"
            ),
        ],
    )
    def test_counts_nothing_and_says_when(self, desk: Desk, cause: Callable[[Desk], object]) -> None:
        desk.open(Books("calls"), Books("storage", "l"))
        cause(desk)
        before = desk.everything()
        answer = desk.consume(CALL, Line("l", "storage", 1), number=1)
        assert (answer.status, answer.rest) == (COLD, (desk.second, 0))
        assert desk.everything() == before

    @pytest.mark.parametrize("life", ["former", None])
    def test_account_of_another_life_is_cold_without_a_look_at_the_tenant(
        self, desk: Desk, life: str | None
    ) -> None:
        """None: it was opened by a version that did not write the life down."""
        desk.open(Books("calls"))
        desk.server.hset(desk.account, "life", life) if life else desk.server.hdel(desk.account, "life")
        assert desk.consume(CALL).status == COLD
        assert desk.open(Books("calls"), before="1") == 1
        assert desk.consume(CALL).used == [1]

    def test_limits_hold_until_the_moment_they_end(self, desk: Desk) -> None:
        desk.open(Books("calls"), until=desk.micro + 2_500_000)
        desk.tick(2.499_999)
        assert desk.consume(CALL).status == COUNTED
        desk.tick(0.000_001)
        answer = desk.consume(CALL)
        assert (answer.status, answer.rest) == (COLD, (desk.second, 500_000))

    def test_metric_that_came_later_is_cold_for_those_who_ask_for_it(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        assert desk.consume(CALL, Line("s", "seats")).status == COLD
        assert desk.consume(CALL).status == COUNTED


class TestMoved:
    @pytest.mark.parametrize("hours", [-1, 1, 24])
    def test_answers_its_own_time_and_counts_nothing(self, desk: Desk, hours: int) -> None:
        desk.open(Books("calls"))
        before = desk.everything()
        answer = desk.consume(CALL, number=1, hours=desk.second // 3600 + hours)
        assert (answer.status, answer.rest) == (MOVED, (desk.second, 0))
        assert desk.everything() == before

    def test_turns_with_the_hour(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        hours = desk.second // 3600
        desk.tick(3_599.999)
        assert desk.consume(CALL, hours=hours).status == COUNTED
        desk.tick(0.001)
        assert desk.consume(CALL, hours=hours).status == MOVED


class TestLabels:
    def test_more_than_fifty_an_hour_go_under_other(self, desk: Desk) -> None:
        desk.open(Books("calls"), Books("bytes"))
        for number in range(53):
            desk.consume(Line("s", "calls", 2, f"label {number}"))
        desk.consume(Line("s", "calls", 5, "label 3"), Line("s", "bytes", 1, "label 99"))
        counts = desk.counts()
        labels = {key.split(":", 2)[2]: int(counts[key]) for key in counts if key.startswith("u:calls:")}
        assert labels == {**{f"label {n}": 2 for n in range(50)}, "label 3": 7, "other": 6}
        assert counts["u:bytes:label 99"] == "1"

    def test_label_called_other_is_counted_there(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        for number in range(60):
            desk.consume(Line("s", "calls", 1, f"label {number}"))
        desk.consume(Line("s", "calls", 1, "other"))
        assert desk.counts()["u:calls:other"] == "11"

    def test_units_of_a_new_label_equal_to_what_is_there_are_no_new_label(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        for _ in range(3):
            desk.consume(Line("s", "calls", 4, "same"))
        assert desk.counts()["n:calls"] == "1"


class TestRefusals:
    def test_changes_nothing_but_the_refusals(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=2, stop=2, burst=60), Books("storage", "l"))
        desk.consume(Line("l", "storage", 5), Line("s", "calls", 2))
        desk.settle(desk.collect()[2][0])  # so that it is not dirty
        before = desk.everything("refusals", "hour")
        assert desk.consume(CALL).status == REFUSED
        after = desk.everything("refusals", "hour")
        assert after.pop(keys.dirty(desk.tenant)) == [(desk.dirty_name.encode(), desk.micro)]
        assert after[desk.account].pop(b"hour") == str(desk.second // 3600).encode()
        assert after[desk.account].pop(b"x:calls") == b"1"
        assert before[desk.account].pop(b"x:calls") == b"0"
        assert after == before
        assert desk.counts()["x:calls:1"] == "1"

    def test_are_counted_by_metric_and_cause(self, desk: Desk) -> None:
        desk.open(
            Books("calls", limit=1, stop=1), Books("bytes", cap=0), Books("jobs", burst=1), Books("mails")
        )
        for line in (
            CALL,
            CALL,
            CALL,
            Line("s", "bytes"),
            Line("s", "jobs"),
            Line("s", "jobs"),
            Line("s", "mails"),
        ):
            desk.consume(line)
        counts = desk.counts()
        assert {key: counts[key] for key in counts if key[:2] == "x:"} == {
            "x:calls:1": "2",
            "x:bytes:2": "1",
            "x:jobs:3": "1",
        }
        account = desk.hash(desk.account)
        assert [account[f"x:{metric}"] for metric in ("calls", "bytes", "jobs", "mails")] == [
            "2",
            "1",
            "1",
            "0",
        ]

    def test_last_fifty_are_listed_newest_first(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=0, stop=0))
        for number in range(60):
            desk.consume(Line("s", "calls", 1, f"label {number}"))
        listed = desk.server.lrange(keys.refusals(desk.tenant), 0, -1)
        assert len(listed) == 50
        assert listed[0] == b"%d|calls|1|request|label 59" % desk.second

    def test_begin_an_hour_that_nothing_was_counted_in(self, desk: Desk) -> None:
        desk.open(Books("calls", limit=0, stop=0))
        desk.consume(CALL)
        assert desk.counts() == {"epoch": "1", "x:calls:1": "1"}


class TestClean:
    def test_flushed_hour_that_is_used_again_is_kept(self, desk: Desk) -> None:
        desk.open(Books("calls"))
        desk.consume(CALL)
        hour = keys.hour(desk.tenant, desk.hour)
        assert desk.settle(desk.collect()[2][0]) == 1
        assert 0 < desk.server.ttl(hour) <= 7_200
        desk.tick(1)
        desk.consume(CALL)
        assert desk.server.ttl(hour) == -1
