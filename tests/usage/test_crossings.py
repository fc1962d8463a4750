"""Which lines a metric crosses from one judging to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.entitlements import Limit
from tests.usage.alerting import BILL, NOTIFY, STOP, limit
from usage.alerts.crossings import (
    BILLED,
    REFUSED,
    THRESHOLD,
    Case,
    Crossing,
    Judged,
    Line,
    Told,
    crossings,
    is_quiet,
)

DEFAULT = (80, 90, 95, 100)


@dataclass
class World:
    """One metric judged again and again, remembering what the tables would."""

    percents: Sequence[int] = DEFAULT
    judged: Judged | None = None
    told: dict[Line, Told] = field(default_factory=dict)

    def judge(self, used: int, of: Limit | int | None, refused: int = 0) -> list[Crossing]:
        """All lines newly recorded by this step."""
        case = Case(of if isinstance(of, Limit) else limit(of), used, refused, self.percents, self.judged)
        found = crossings(case, self.told)
        for one in found:
            assert one.line not in self.told
            self.told[one.line] = Told(one.is_sent, one.beyond)
        if case.is_worth_keeping:
            self.judged = case.judged_now
        return found

    def sent(self, used: int, of: Limit | int | None, refused: int = 0) -> list[tuple[str, int]]:
        """Kind and percent of what this step tells."""
        return [(one.line.kind, one.line.percent) for one in self.judge(used, of, refused) if one.is_sent]


@pytest.fixture
def world() -> World:
    return World()


SMALL = st.integers(0, 12)
LIMITS = st.builds(
    lambda included, beyond, hard: limit(included, beyond, included + hard if included is not None else None),
    st.none() | SMALL,
    st.sampled_from([STOP, BILL, NOTIFY]),
    SMALL,
)
PERCENTS = st.lists(st.sampled_from([1, 50, 80, 100, 150]), max_size=3, unique=True)
JUDGED = st.builds(Judged, st.none() | SMALL, st.none() | SMALL, SMALL, SMALL)


class TestQuiet:
    @given(LIMITS, SMALL, SMALL, PERCENTS, JUDGED, st.booleans())
    def test_means_that_nothing_was_crossed_and_nothing_is_news(
        self, of: Limit, used: int, refused: int, percents: list[int], judged: Judged, is_same: bool
    ) -> None:
        if is_same:
            judged = judged._replace(limit=of.size, included=of.included)
        case = Case(of, used, refused, percents, judged)
        if is_quiet(of, used, refused, percents, judged):
            assert crossings(case, {}) == []
            assert not case.is_worth_keeping

    def test_is_what_moves_far_below_its_limit(self) -> None:
        assert is_quiet(limit(1000), 500, 0, DEFAULT, Judged(1000, 1000, 0, 400))
        assert not is_quiet(limit(1000), 500, 0, DEFAULT, Judged(900, 900, 0, 400))


class TestThresholds:
    def test_are_passed_at_the_percent_and_not_before(self, world: World) -> None:
        assert world.sent(799, 1000) == []
        assert world.sent(800, 1000) == [(THRESHOLD, 80)]
        assert world.sent(801, 1000) == []

    def test_are_told_once_each(self, world: World) -> None:
        told = [world.sent(used, 1000) for used in range(0, 1001, 25)]
        assert [one for step in told for one in step] == [(THRESHOLD, percent) for percent in DEFAULT]

    def test_jump_tells_the_highest_and_records_the_others(self, world: World) -> None:
        assert [(one.line.percent, one.is_sent) for one in world.judge(960, 1000)] == [
            (80, False),
            (90, False),
            (95, True),
        ]

    def test_level_that_falls_and_rises_again_tells_nothing_new(self, world: World) -> None:
        world.judge(900, 1000)
        assert world.sent(100, 1000) == []
        assert world.sent(900, 1000) == []

    def test_huge_quantities_are_exact(self, world: World) -> None:
        size = 2**53
        line = -(-size * 80 // 100)
        assert world.sent(line - 1, size) == []
        assert world.sent(line, size) == [(THRESHOLD, 80)]

    def test_above_one_hundred_percent_are_told_where_use_goes_on(self) -> None:
        world = World(percents=(100, 150))
        assert world.sent(1_000, limit(1_000, NOTIFY)) == [(THRESHOLD, 100)]
        assert world.sent(1_500, limit(1_000, NOTIFY)) == [(THRESHOLD, 150)]

    def test_unlimited_has_none(self, world: World) -> None:
        assert world.judge(10**9, None) == []

    def test_limit_of_nothing_is_no_news_until_something_is_refused(self, world: World) -> None:
        assert world.judge(0, 0) == []
        assert world.sent(0, 0, refused=1) == [(REFUSED, 0)]

    def test_lower_threshold_added_later_is_recorded_only(self, world: World) -> None:
        world.judge(920, 1000)
        world.percents = (85, 91, 95)
        assert world.sent(930, 1000) == [(THRESHOLD, 91)]
        assert Line(THRESHOLD, 85, 1000) in world.told

    @pytest.mark.parametrize(
        ("used", "is_urgent"), [(800, False), (950, False), (1_000, True), (1_300, True)]
    )
    def test_concern_operations_from_one_hundred_percent(self, used: int, is_urgent: bool) -> None:
        world = World(percents=(80, 95, 100, 120))
        assert [one.is_urgent for one in world.judge(used, limit(1_000, NOTIFY)) if one.is_sent] == [
            is_urgent
        ]

    def test_above_one_hundred_percent_concern_owners_only(self) -> None:
        world = World(percents=(100, 120))
        world.judge(1_000, limit(1_000, BILL))
        assert [one.is_urgent for one in world.judge(1_200, limit(1_000, BILL)) if one.is_sent] == [False]


class TestLimits:
    def test_raised_past_records_without_telling(self, world: World) -> None:
        world.judge(1_000, 1_000)
        assert world.sent(1_000, 1_100) == []
        assert {line.percent for line in world.told if line.limit == 1_100} == {80, 90}
        assert world.sent(1_045, 1_100) == [(THRESHOLD, 95)]

    def test_raised_and_crossed_in_one_step_is_told(self, world: World) -> None:
        world.judge(1_000, 1_000)
        assert world.sent(1_010, 1_010) == [(THRESHOLD, 100)]

    def test_raised_while_far_below_and_crossed_in_one_step_is_told(self, world: World) -> None:
        world.judge(500, 1_000)
        assert world.sent(1_800, 2_000) == [(THRESHOLD, 90)]

    def test_raised_past_what_came_little_by_little_records_without_telling(self, world: World) -> None:
        for used in range(0, 901, 50):
            world.judge(used, 1_000)
        assert world.sent(900, 1_100) == []

    def test_level_that_fell_before_the_limit_was_raised_is_told(self, world: World) -> None:
        world.judge(1_000, 1_000)
        world.judge(100, 1_000)
        assert world.sent(1_000, 1_100) == [(THRESHOLD, 90)]

    def test_lowered_tells(self, world: World) -> None:
        world.judge(500, 1_000)
        assert world.sent(500, 600) == [(THRESHOLD, 80)]

    def test_lowered_from_unlimited_tells(self, world: World) -> None:
        world.judge(950, None)
        assert world.sent(950, 1_000) == [(THRESHOLD, 95)]

    def test_raised_to_unlimited_tells_nothing(self, world: World) -> None:
        world.judge(900, 1_000)
        assert world.judge(900, None) == []

    def test_back_to_an_earlier_limit_tells_nothing_twice(self, world: World) -> None:
        world.judge(900, 1_000)
        world.judge(900, 2_000)
        assert world.sent(900, 1_000) == []

    def test_first_judged_in_a_period_tells(self, world: World) -> None:
        assert world.sent(900, 1_000) == [(THRESHOLD, 90)]


class TestRefusals:
    def test_first_is_told_short_of_the_limit(self, world: World) -> None:
        assert world.sent(500, 1_000, refused=1) == [(REFUSED, 0)]
        assert world.sent(500, 1_000, refused=2) == []

    def test_concerns_operations(self, world: World) -> None:
        assert [one.is_urgent for one in world.judge(500, 1_000, refused=1)] == [True]

    @pytest.mark.parametrize("together", [True, False])
    def test_is_recorded_only_where_the_limit_was_told(self, world: World, together: bool) -> None:
        if not together:
            assert world.sent(1_000, 1_000) == [(THRESHOLD, 100)]
        world.judge(1_000, 1_000, refused=3)
        assert [line for line, past in world.told.items() if past.is_sent] == [Line(THRESHOLD, 100, 1_000)]
        assert not world.told[Line(REFUSED, 0, 1_000)].is_sent

    def test_is_told_where_the_tenant_wants_no_threshold(self) -> None:
        assert World(percents=()).sent(1_000, 1_000, refused=1) == [(REFUSED, 0)]

    def test_of_a_burst_is_told_where_nothing_limits_the_period(self, world: World) -> None:
        assert world.sent(70, None, refused=1) == [(REFUSED, 0)]

    def test_of_a_burst_is_told_where_the_hundred_percent_did_not_stop_anything(self, world: World) -> None:
        world.judge(1_000, limit(1_000, BILL))
        assert world.sent(1_000, limit(1_000, BILL), refused=1) == [(REFUSED, 0)]

    def test_is_armed_again_by_another_limit_for_later_refusals(self, world: World) -> None:
        world.judge(1_000, 1_000, refused=5)
        assert world.sent(1_000, 50_000, refused=5) == []
        assert world.sent(2_000, 50_000, refused=5) == []
        assert world.sent(2_000, 50_000, refused=6) == [(REFUSED, 0)]


class TestBilling:
    def test_beginning_is_told_where_a_hard_limit_lies_beyond(self, world: World) -> None:
        plan = limit(1_000, BILL, hard_limit=5_000)
        assert world.sent(1_000, plan) == []
        assert world.sent(1_001, plan) == [(BILLED, 0)]
        assert world.sent(1_002, plan) == []

    @pytest.mark.parametrize("together", [True, False])
    def test_is_recorded_only_where_the_hundred_percent_said_so(self, world: World, together: bool) -> None:
        plan = limit(1_000, BILL)
        if not together:
            assert world.sent(1_000, plan) == [(THRESHOLD, 100)]
        world.judge(1_001, plan)
        assert [line for line, past in world.told.items() if past.is_sent] == [Line(THRESHOLD, 100, 1_000)]
        assert not world.told[Line(BILLED, 0, 1_000)].is_sent

    def test_is_told_where_the_hundred_percent_said_that_it_stops(self, world: World) -> None:
        world.judge(1_000, limit(1_000, STOP))
        assert world.sent(1_001, limit(1_000, BILL)) == [(BILLED, 0)]

    def test_from_the_first_unit_is_told(self, world: World) -> None:
        assert world.sent(0, limit(0, BILL)) == []
        assert world.sent(1, limit(0, BILL)) == [(BILLED, 0)]

    def test_is_recorded_only_where_the_included_amount_was_raised_below_the_use(self, world: World) -> None:
        for used in (500, 1_500):
            world.judge(used, limit(1_000, BILL, hard_limit=9_000))
        assert world.sent(1_500, limit(1_200, BILL, hard_limit=9_000)) == []
        assert Line(BILLED, 0, 1_200) in world.told

    def test_does_not_begin_where_use_goes_on_unpriced(self, world: World) -> None:
        assert World(percents=()).judge(1_500, limit(1_000, NOTIFY)) == []


STEPS = st.lists(
    st.tuples(
        st.integers(0, 260),  # used
        st.sampled_from([None, 0, 50, 100, 101, 120, 200]),  # included
        st.sampled_from([STOP, BILL, NOTIFY]),
        st.sampled_from([None, 20, 100]),  # the hard limit lies so far beyond
        st.booleans(),  # whether something is refused
    ),
    max_size=12,
)


class TestAnySequence:
    @given(STEPS, st.sets(st.integers(1, 200), max_size=5))
    def test_tells_each_crossing_once_and_none_silently(
        self, steps: list[tuple[int, int | None, str, int | None, bool]], percents: set[int]
    ) -> None:
        world, refused, before, old = World(sorted(percents)), 0, 0, None
        for used, included, beyond, further, is_refused in steps:
            hard = None if further is None or included is None else included + further
            now = limit(included, beyond, hard)
            refused += is_refused
            known = set(world.told)
            found = world.judge(used, now, refused)
            size = now.size
            told = [one.line.percent for one in found if one.is_sent and one.line.kind == THRESHOLD]
            passed = [p for p in percents if size and used * 100 >= p * size]
            assert len(told) <= 1
            assert all((Line(THRESHOLD, p, size) in world.told) for p in passed)
            crossed = [
                p
                for p in passed
                if Line(THRESHOLD, p, size) not in known
                and (old is None or _is_lowered(old, now) or before * 100 < p * (size or 0))
            ]
            highest = max((line.percent for line in known if line[::2] == (THRESHOLD, size)), default=0)
            assert told == [p for p in [max(crossed, default=0)] if p > highest]
            if is_refused and old is not None and old.size == size:
                assert any(_says_stopped(line, past, size) for line, past in world.told.items())
            before, old = used, now


def _is_lowered(old: Limit, new: Limit) -> bool:
    return new.size is not None and (old.size is None or new.size < old.size)


def _says_stopped(line: Line, past: Told, size: int | None) -> bool:
    is_about_it = line.kind == REFUSED or (line.kind == THRESHOLD and line.percent >= 100)
    return past.is_sent and is_about_it and line.limit == size and past.beyond == STOP
