"""Which lines of a spend cap are crossed: 80 and 100 % of each amount, once, the highest of a step."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.caps import Caps
from tests.usage.alerting import NOTIFY, STOP, spending
from usage.alerts.crossings import Crossing, Line, Told
from usage.alerts.spending import Spending, spend_crossings

TOLD: Mapping[Line, Told] = {}


def sent(one: Spending, told: Mapping[Line, Told] = TOLD) -> list[tuple[int, int | None, str]]:
    """Percent, amount in cents and what happens there, of what is to be sent."""
    return [
        (found.line.percent, found.line.limit, found.beyond)
        for found in spend_crossings(one, told)
        if found.is_sent
    ]


def after(*steps: Spending) -> dict[Line, Told]:
    """What was told once all of these were judged, one after the other."""
    told: dict[Line, Told] = {}
    for one in steps:
        for found in spend_crossings(one, told):
            told[found.line] = Told(found.is_sent, found.beyond)
    return told


class TestSpendCrossings:
    @pytest.mark.parametrize(
        ("one", "wanted"),
        [
            (spending("79.99"), []),
            (spending("80.00"), [(80, 10_000, STOP)]),
            (spending("99.99"), [(80, 10_000, STOP)]),
            (spending("100.00"), [(100, 10_000, STOP)]),
            (spending("250.00"), [(100, 10_000, STOP)]),
            (spending("80.00", None, "100"), [(80, 10_000, NOTIFY)]),
            (spending("100.00", None, "100"), [(100, 10_000, NOTIFY)]),
            (spending("80.00", "100", "50"), [(100, 5_000, NOTIFY), (80, 10_000, STOP)]),
            (spending("0.80", "1.00", is_stopped=True), [(100, 100, STOP)]),
            (spending("0.00", "0"), []),
            (spending("0.01", "0"), [(100, 0, STOP)]),
            (spending("0.01", None, "0"), [(100, 0, NOTIFY)]),
        ],
    )
    def test_tell_the_highest_of_each_amount(self, one: Spending, wanted: list[tuple[int, int, str]]) -> None:
        assert sent(one) == wanted

    def test_are_told_once(self) -> None:
        told = after(spending("80.00"), spending("99.00"), spending("100.00"), spending("120.00"))
        assert {line.percent: past.is_sent for line, past in told.items()} == {80: True, 100: True}
        assert spend_crossings(spending("130.00"), told) == []

    def test_what_was_jumped_over_is_kept_and_not_sent(self) -> None:
        assert {line.percent: past.is_sent for line, past in after(spending("100.00")).items()} == {
            80: False,
            100: True,
        }

    def test_arm_again_with_another_amount(self) -> None:
        told = after(spending("100.00"))
        assert sent(spending("159.99", "200", before="100"), told) == []
        assert sent(spending("160.00", "200", before="159"), told) == [(80, 20_000, STOP)]

    def test_of_a_raised_cap_that_was_passed_before_are_no_news(self) -> None:
        told = after(spending("85.00"))
        assert sent(spending("85.00", "105", before="85"), told) == []
        assert (
            sent(spending("250.00", None, "200", before="250"), after(spending("250.00", None, "100"))) == []
        )

    def test_of_a_cap_that_stops_now_are_always_sent(self) -> None:
        told = after(spending("250.00", None, "100"))
        assert sent(spending("250.00", "200", before="250"), told) == [(100, 20_000, STOP)]

    def test_of_a_lowered_cap_are_sent(self) -> None:
        told = after(spending("85.00"))
        assert sent(spending("85.00", "50", before="85"), told) == [(100, 5_000, STOP)]

    def test_concern_operations_where_it_is_reached(self) -> None:
        assert [one.is_urgent for one in spend_crossings(spending("80.00"), {})] == [False]
        assert [one.is_urgent for one in spend_crossings(spending("100.00"), {})] == [False, True]

    @given(st.lists(st.integers(0, 30_000), min_size=1, max_size=8).map(sorted), st.integers(0, 20_000))
    def test_tell_each_line_of_an_amount_at_most_once_whatever_the_steps(
        self, steps: list[int], amount: int
    ) -> None:
        stop = Decimal(amount).scaleb(-2)
        told: dict[Line, Told] = {}
        news: list[Crossing] = []
        for spent in steps:
            one = Spending(Caps(stop), Decimal(spent).scaleb(-2), Decimal(0))
            for found in spend_crossings(one, told):
                told[found.line] = Told(found.is_sent, found.beyond)
                news += [found] if found.is_sent else []
        lines = [one.line for one in news]
        assert len(lines) == len(set(lines)) <= 2
        assert [line.percent for line in lines] == sorted(line.percent for line in lines)
        assert any(line.percent == 100 for line in lines) == (steps[-1] >= amount and steps[-1] > 0)
