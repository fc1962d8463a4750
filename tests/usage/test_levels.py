"""Levels over time: unit-hours above what was included equal those counted hour by hour, kept ones as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from billing.contracts import Contracts
from billing.models import Metric, Override
from billing.periods import period_at
from billing.rates import Rates
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counted import see, use
from usage.metering.ledger import Counts, keep, make_partitions
from usage.models import LevelAccrual, LevelHour, UsageLevel
from usage.money import accruals
from usage.money.bills import bill_so_far, bills, what_if
from usage.money.levels import Mark, Span, amounts_at, excess_of
from usage.money.uses import uses_of

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MB = 10**6
INCLUDED = 50_000 * MB  # of storage, on Pro
# Hour of the period, epochs that wrote in it, and the amounts the level had in it, one after the other.
MOVES = st.lists(
    st.tuples(st.integers(-30, 60), st.integers(1, 2), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
    max_size=8,
    unique_by=lambda move: move[:2],
).map(sorted)


def storage() -> Metric:
    return Metric.objects.get(code="storage")


def write(tenant: Tenant, moves: list[tuple[int, int, list[int]]], start: int = 0, size: int = 1) -> None:
    """The ledger's rows of these moves; `start` is the level before them, `size` the units of an amount."""
    make_partitions([FIRST.date().replace(month=10), FIRST.date()])
    LevelHour.objects.filter(tenant=tenant).delete()
    UsageLevel.objects.filter(tenant=tenant).delete()
    metric, level = storage().pk, start * size
    counts, sums = Counts(), {1: [level, 0], 2: [0, 0]}
    for number, epoch, amounts in moves:
        added = removed = 0
        peak = level
        for amount in amounts:
            step = amount * size - level
            added, removed, level = added + max(0, step), removed + max(0, -step), amount * size
            peak = max(peak, level)
        sums[epoch][0] += added
        sums[epoch][1] += removed
        hour = FIRST + number * HOUR
        counts.level_hours.append((tenant.pk, metric, hour, epoch, added, removed, peak, level))
    counts.levels = [(tenant.pk, metric, epoch, *parts) for epoch, parts in sums.items()]
    keep(counts)


def by_hand(
    moves: list[tuple[int, int, list[int]]], start: int, since: int, until: int, included: int
) -> int:
    """The same, hour by hour, as an accountant would."""
    known: dict[int, list[int]] = {}
    for number, _, amounts in moves:
        known.setdefault(number, []).extend(amounts)
    level, excess = start, 0
    for number in range(-40, until):
        peak = level
        for amount in known.get(number, []):
            level, peak = amount, max(peak, amount)
        if number >= since:
            excess += max(0, peak - included)
    return excess


def rates(tenant: Tenant, at: datetime) -> Rates:
    period = period_at(tenant, at)
    return Contracts([tenant], period.starts).rates(tenant, period, at)


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(plan="pro")


class TestExcess:
    @given(MOVES, st.integers(0, 9), st.integers(0, 30), st.integers(1, 40), st.integers(0, 9))
    @hypothesis_settings(
        max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_is_that_of_every_hour(
        self, tenant: Tenant, moves: Any, start: int, since: int, length: int, included: int
    ) -> None:
        write(tenant, moves, start)
        first, last = FIRST + since * HOUR, FIRST + (since + length) * HOUR
        span = Span(tenant.pk, storage().pk, first, last, included)
        assert excess_of([span]) == [by_hand(moves, start, since, since + length, included)]

    def test_keeps_tenants_and_spans_apart(self, make_tenant: MakeTenant) -> None:
        one, other = make_tenant("one"), make_tenant("other")
        write(one, [(0, 1, [5])])
        write(other, [(1, 1, [9]), (2, 1, [0])])
        spans = [
            Span(tenant.pk, storage().pk, FIRST + since * HOUR, FIRST + until * HOUR, 2)
            for tenant, since, until in ((other, 0, 4), (one, 0, 2), (one, 2, 3), (other, 3, 9))
        ]
        assert excess_of(spans) == [14, 6, 3, 0]
        assert excess_of([]) == []

    def test_of_an_hour_with_two_epochs_takes_the_highest_peak_and_the_last_amount(
        self, tenant: Tenant
    ) -> None:
        write(tenant, [(1, 1, [9, 4]), (1, 2, [5])])
        span = Span(tenant.pk, storage().pk, FIRST, FIRST + 4 * HOUR, 3)
        assert excess_of([span]) == [6 + 2 + 2]

    def test_of_a_tenant_that_was_never_seen_is_nothing(self, tenant: Tenant) -> None:
        assert excess_of([Span(tenant.pk, storage().pk, FIRST, FIRST + DAY, 0)]) == [0]

    def test_of_the_highest_quantities_is_exact(self, tenant: Tenant) -> None:
        write(tenant, [(0, 1, [1])], size=2**53)
        assert excess_of([Span(tenant.pk, storage().pk, FIRST, FIRST + 31 * DAY, 1)]) == [(2**53 - 1) * 744]


def test_the_amount_at_a_moment_is_that_before_later_moves(tenant: Tenant) -> None:
    write(tenant, [(-20, 1, [3]), (2, 1, [7, 4]), (30, 2, [9])], start=1)
    marks = [Mark(tenant.pk, storage().pk, FIRST + number * HOUR) for number in (-25, 0, 3, 31)]
    assert amounts_at(marks) == [1, 3, 4, 9]


def accrued(tenant: Tenant, at: datetime) -> Mapping[tuple[int, int], int]:
    """Of its storage, which has moved some time."""
    return accruals.accrued([rates(tenant, at)], {(tenant.pk, storage().pk)}, at)


class TestAccruals:
    @given(MOVES, st.integers(0, 9), st.lists(st.integers(0, 70), min_size=1, max_size=5).map(sorted))
    @hypothesis_settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_equal_what_is_read_in_full(self, pro: Tenant, moves: Any, start: int, hours: list[int]) -> None:
        LevelAccrual.objects.all().delete()
        for number in hours:
            at = FIRST + number * HOUR + 20 * timedelta(minutes=1)
            write(pro, [move for move in moves if move[0] <= number], start, size=10_000 * MB)
            whole = uses_of([rates(pro, at)], at)[0]["storage"].excess
            assert accrued(pro, at) == {(pro.pk, storage().pk): whole}

    def test_read_hours_that_are_over_only_once(self, pro: Tenant) -> None:
        write(pro, [(0, 1, [6])], size=10_000 * MB)
        accrued(pro, FIRST + 5 * HOUR)
        row = LevelAccrual.objects.get(tenant=pro)
        assert (row.through, row.excess) == (FIRST + 5 * HOUR, Decimal(5 * 10_000 * MB))
        LevelHour.objects.filter(tenant=pro).update(peak=0, closing=0, added=0)
        later = accrued(pro, FIRST + 5 * HOUR)
        assert later[pro.pk, storage().pk] == (5 + 1) * 10_000 * MB  # and the present hour

    def test_are_added_up_anew_after_a_late_hour(self, pro: Tenant) -> None:
        at = FIRST + 5 * HOUR
        write(pro, [(0, 1, [6])], size=10_000 * MB)
        accrued(pro, at)
        write(pro, [(0, 1, [6]), (2, 1, [9])], size=10_000 * MB)
        accruals.forget({pro.pk: FIRST + 2 * HOUR})
        assert accrued(pro, at)[pro.pk, storage().pk] == (2 * 1 + 4 * 4) * 10_000 * MB

    def test_of_what_never_moved_cost_no_query(
        self, pro: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        known = rates(pro, FIRST + 5 * HOUR)
        with django_assert_num_queries(0):
            assert accruals.accrued([known], (), FIRST + 5 * HOUR) == {}

    def test_are_kept_where_only_the_present_hour_moved(self, pro: Tenant) -> None:
        at = FIRST + 5 * HOUR
        accrued(pro, at)
        accruals.forget({pro.pk: at})
        assert LevelAccrual.objects.filter(tenant=pro).exists()

    def test_are_added_up_anew_where_something_else_is_included(self, pro: Tenant) -> None:
        at = FIRST + 5 * HOUR
        write(pro, [(0, 1, [6])], size=10_000 * MB)
        accrued(pro, at)
        Override.objects.create(
            tenant=pro, metric=storage(), units=10_000 * MB, reason="test", starts=FIRST - DAY
        )
        assert accrued(pro, at)[pro.pk, storage().pk] == 0


class TestBills:
    def test_count_a_level_ten_days_over_as_ten_days(self, pro: Tenant) -> None:
        write(pro, [(0, 1, [50_000]), (240, 1, [53_000]), (480, 1, [50_000])], size=MB)
        at = FIRST + 30 * DAY - timedelta(seconds=1)
        # From the start of the 11th to the hour of the 21st in which it fell again: 241 hours.
        whole = bills([(pro, period_at(pro, at))], at)[pro.pk, period_at(pro, at)]
        line = next(line for line in whole.lines if line.metric == "storage")
        assert (line.billable, line.amount) == (Fraction(3_000 * MB * 241, 720), Decimal("50.21"))
        assert whole.total == Decimal("249.21")

    def test_of_ones_own_plan_is_the_bill_so_far(self, pro: Tenant) -> None:
        at = FIRST + 22 * DAY + 14 * HOUR
        use(pro, "api_calls", 600_000, at=at)
        see(pro, "ann", "bob", at=at)
        write(pro, [(100, 1, [60_000])], size=MB)
        so_far, contracts = bill_so_far(pro, at), Contracts([pro], FIRST)
        known = {
            metric.pk: {"api_calls": 600_000, "users": 2, "storage": 60_000 * MB}.get(metric.code, 0)
            for metric in Metric.objects.all()
        }
        plans = contracts.offered(contracts.plan(pro, at))
        assert what_if(contracts, pro, plans, known, at)[2] == so_far
        assert so_far.overage > 100

    def test_grow_by_nothing_once_the_period_is_over(self, pro: Tenant) -> None:
        write(pro, [(0, 1, [60_000])], size=MB)
        period, ends = period_at(pro, FIRST), FIRST + 30 * DAY
        at_its_end = bills([(pro, period)], ends - timedelta(seconds=1))
        use(pro, "api_calls", 700_000, at=ends + HOUR)
        assert bills([(pro, period)], ends + 9 * DAY) == at_its_end
