"""Which period a moment lies in, over changes of the anchor day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.anchors import change_anchor, period_of
from tenants.models import Tenant

DAYS = st.integers(1, 28)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))
CHANGES = st.lists(st.tuples(DAYS, st.integers(0, 90)), max_size=5)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def changed(first_day: int, at: datetime, changes: list[tuple[int, int]]) -> tuple[Tenant, datetime]:
    """A tenant after changes, each some days after the one before; and the time of the last."""
    tenant = Tenant(anchor_day=first_day)
    for day, later in changes:
        at += timedelta(days=later)
        change_anchor(tenant, day, at)
    return tenant, at


class TestPeriodOf:
    @pytest.mark.parametrize(
        ("anchor", "at", "period"),
        [
            (1, datetime(2026, 11, 23, 8, tzinfo=UTC), (date(2026, 11, 1), date(2026, 12, 1))),
            (1, datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), (date(2026, 12, 1), date(2027, 1, 1))),
            (15, datetime(2026, 1, 14, 23, 59, tzinfo=UTC), (date(2025, 12, 15), date(2026, 1, 15))),
            (15, datetime(2026, 1, 15, tzinfo=UTC), (date(2026, 1, 15), date(2026, 2, 15))),
            (28, datetime(2026, 3, 1, tzinfo=UTC), (date(2026, 2, 28), date(2026, 3, 28))),
        ],
    )
    def test_is_the_month_from_one_anchor_to_the_next(
        self, anchor: int, at: datetime, period: tuple[date, date]
    ) -> None:
        assert period_of(Tenant(anchor_day=anchor), at) == period

    def test_counts_days_in_utc_whatever_the_zone_of_the_moment(self) -> None:
        evening_in_new_york = datetime(2026, 11, 30, 20, tzinfo=timezone(timedelta(hours=-5)))
        assert period_of(Tenant(anchor_day=1), evening_in_new_york)[0] == date(2026, 12, 1)

    @given(first_day=DAYS, start=MOMENTS, changes=CHANGES)
    def test_periods_tile_time_over_any_changes(
        self, first_day: int, start: datetime, changes: list[tuple[int, int]]
    ) -> None:
        tenant, last = changed(first_day, start, changes)
        _, end = period_of(tenant, start - timedelta(days=100))
        while noon(end) < last + timedelta(days=150):
            begins, following = period_of(tenant, noon(end))
            assert begins == end
            assert begins < following <= begins + timedelta(days=31)
            assert period_of(tenant, noon(following - timedelta(days=1))) == (begins, following)
            end = following


class TestChangeAnchor:
    def test_acts_from_the_end_of_the_current_period_with_one_short_period(self) -> None:
        tenant = Tenant(anchor_day=1)
        change_anchor(tenant, 15, datetime(2026, 11, 20, tzinfo=UTC))
        assert [period_of(tenant, noon(date(2026, m, d))) for m, d in [(11, 30), (12, 1), (12, 15)]] == [
            (date(2026, 11, 1), date(2026, 12, 1)),
            (date(2026, 12, 1), date(2026, 12, 15)),
            (date(2026, 12, 15), date(2027, 1, 15)),
        ]

    def test_a_second_change_before_the_first_acts_replaces_it(self) -> None:
        tenant = Tenant(anchor_day=1)
        change_anchor(tenant, 15, datetime(2026, 11, 20, tzinfo=UTC))
        change_anchor(tenant, 10, datetime(2026, 11, 25, tzinfo=UTC))
        assert (tenant.anchor_before, tenant.anchor_since, tenant.anchor_past) == (1, date(2026, 12, 1), [])
        assert period_of(tenant, noon(date(2026, 12, 1))) == (date(2026, 12, 1), date(2026, 12, 10))

    def test_a_change_during_the_short_period_leaves_that_period_as_it_is(self) -> None:
        tenant = Tenant(anchor_day=1)
        change_anchor(tenant, 15, datetime(2026, 11, 20, tzinfo=UTC))
        change_anchor(tenant, 20, datetime(2026, 12, 5, tzinfo=UTC))
        assert [period_of(tenant, noon(date(2026, 12, d))) for d in (5, 16, 20)] == [
            (date(2026, 12, 1), date(2026, 12, 15)),
            (date(2026, 12, 15), date(2026, 12, 20)),
            (date(2026, 12, 20), date(2027, 1, 20)),
        ]

    def test_the_same_day_changes_nothing(self) -> None:
        tenant = Tenant(anchor_day=7)
        change_anchor(tenant, 7, datetime(2026, 11, 20, tzinfo=UTC))
        assert tenant.anchor_since is None

    @given(first_day=DAYS, start=MOMENTS, changes=CHANGES, day=DAYS, back=st.integers(0, 400))
    def test_never_moves_the_current_or_a_past_period(
        self, first_day: int, start: datetime, changes: list[tuple[int, int]], day: int, back: int
    ) -> None:
        tenant, at = changed(first_day, start, changes)
        then = at - timedelta(days=back)
        current, past = period_of(tenant, at), period_of(tenant, then)
        change_anchor(tenant, day, at)
        assert (period_of(tenant, at), period_of(tenant, then)) == (current, past)
