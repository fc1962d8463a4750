"""What costs are divided by: the same from days, from hours and from both."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.costs.division import Drivers
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.days import Book, code, hour
from usage.costs.drivers import drivers
from usage.costs.months import Month, month_at
from usage.metering.history import add_up, close_days
from usage.metering.ledger import Counts
from usage.models import UsageHour

pytestmark = pytest.mark.django_db

MAY, JUNE = Month(date(2021, 5, 1)), Month(date(2021, 6, 1))
AT = datetime(2021, 6, 5, 14, 2, tzinfo=UTC)


def day(number: int, month: int = 6) -> date:
    return date(2021, month, number)


def level(tenant: Tenant, *moves: tuple[date, int, int], stands: int | None = None) -> None:
    """Moves of storage at noon: the day, units added and removed; all of them add up to where it stands."""
    amount, found = 0, Counts()
    for on, added, removed in moves:
        amount += added - removed
        found.level_hours.append(
            (tenant.pk, code("storage"), hour(on), 1, added, removed, amount + removed, amount)
        )
    found.levels.append((tenant.pk, code("storage"), 1, amount if stands is None else stands, 0))
    Book().write(found)


def closed(today: date) -> None:
    """Close all days before `today` and add them up."""
    close_days(today)
    while add_up():
        continue


def units(metric: str, month: Month = JUNE, at: datetime = AT) -> dict[int, int]:
    return dict(drivers(month, at).quantities.get(code(metric), {}))


class TestSums:
    @pytest.mark.parametrize("today", [None, day(1), day(3), day(5)])
    def test_are_the_same_whatever_is_closed(self, tenant: Tenant, today: date | None) -> None:
        book = Book()
        for on, calls in ((day(31, 5), 1), (day(1), 2), (day(2), 4), (day(4), 8), (day(5), 16)):
            book.use(tenant, hour(on), calls)
        if today:
            closed(today)
        assert units("api_calls") == {tenant.pk: 30}
        assert units("api_calls", MAY) == {tenant.pk: 1}

    def test_are_true_between_closing_a_day_and_adding_it_up(self, tenant: Tenant) -> None:
        book = Book()
        book.use(tenant, hour(day(1)), 2)
        closed(day(3))
        book.use(tenant, hour(day(1), 13), 3)
        book.use(tenant, hour(day(4)), 4)
        close_days(day(5))
        assert units("api_calls") == {tenant.pk: 9}

    def test_are_kept_when_the_hours_are_gone(self, tenant: Tenant) -> None:
        Book().use(tenant, hour(day(1)), 2)
        closed(day(2))
        UsageHour.objects.all().delete()
        assert units("api_calls") == {tenant.pk: 2}

    def test_end_with_the_month_to_the_hour(self, tenant: Tenant) -> None:
        book = Book()
        for at, calls in (
            (datetime(2021, 5, 31, 23, tzinfo=UTC), 1),
            (datetime(2021, 6, 1, 0, tzinfo=UTC), 2),
            (datetime(2021, 6, 30, 23, tzinfo=UTC), 4),
            (datetime(2021, 7, 1, 0, tzinfo=UTC), 8),
        ):
            book.use(tenant, at, calls)
        later = datetime(2021, 7, 9, tzinfo=UTC)
        assert units("api_calls", at=later) == {tenant.pk: 6}
        closed(day(9, 7))
        assert units("api_calls", at=later) == {tenant.pk: 6}

    def test_add_up_labels_and_epochs_of_each_tenant(self, make_tenant: MakeTenant) -> None:
        one, two = make_tenant("one"), make_tenant("two")
        book = Book()
        for label, epoch in (("GET", 1), ("GET", 2), ("POST", 2)):
            book.use(one, hour(day(2)), 5, label=label, epoch=epoch)
        book.use(two, hour(day(2)), 7)
        assert units("api_calls") == {one.pk: 15, two.pk: 7}


class TestLevels:
    @pytest.mark.parametrize("today", [None, day(1), day(3), day(5)])
    def test_are_the_amounts_at_the_ends_of_days(self, tenant: Tenant, today: date | None) -> None:
        """100 stand when June begins; 150 on the 2nd and 3rd, 120 on the 4th and, so far, on the 5th."""
        level(tenant, (day(20, 5), 100, 0), (day(2), 80, 30), (day(4), 0, 30))
        if today:
            closed(today)
        assert units("storage") == {tenant.pk: 100 + 150 + 150 + 120 + 120}

    @pytest.mark.parametrize("today", [None, day(5)])
    def test_the_last_move_of_a_day_counts(self, tenant: Tenant, today: date | None) -> None:
        where = tenant.pk, code("storage")
        Book().write(
            Counts(
                level_hours=[
                    (*where, hour(day(1), 3), 1, 50, 0, 50, 50),
                    (*where, hour(day(1), 20), 1, 0, 40, 50, 10),
                ],
                levels=[(*where, 1, 50, 40)],
            )
        )
        if today:
            closed(today)
        assert units("storage") == {tenant.pk: 5 * 10}

    def test_who_is_silent_all_month_carries_what_stands(self, tenant: Tenant) -> None:
        level(tenant, stands=70)
        assert units("storage") == {tenant.pk: 5 * 70}

    @pytest.mark.parametrize("today", [None, day(5)])
    def test_a_month_is_what_it_was_before_later_moves(self, tenant: Tenant, today: date | None) -> None:
        """Silent in May, at 100; June's moves don't reach back."""
        level(tenant, (day(20, 4), 100, 0), (day(2), 500, 0))
        if today:
            closed(today)
        assert units("storage", MAY) == {tenant.pk: 31 * 100}

    def test_count_the_days_so_far_and_none_to_come(self, tenant: Tenant) -> None:
        level(tenant, stands=1)
        assert units("storage", at=JUNE.starts) == {tenant.pk: 1}
        assert units("storage", at=JUNE.ends - timedelta(seconds=1)) == {tenant.pk: 30}
        assert units("storage", at=JUNE.ends + timedelta(days=9)) == {tenant.pk: 30}


class TestActive:
    def test_is_who_used_a_unit_of_anything(self, make_tenant: MakeTenant) -> None:
        used, stored, idle = make_tenant("used"), make_tenant("stored"), make_tenant("idle")
        Book().use(used, hour(day(2)), 1)
        Book().write(Counts(hours=[(stored.pk, code("storage"), hour(day(3)), "PUT", 1, 9)]))
        level(idle, stands=70)
        found = drivers(JUNE, AT)
        assert found.active == {used.pk, stored.pk}
        assert found.quantities[code("storage")] == {idle.pk: 350}

    def test_nobody_is_before_anything_was_used(self, tenant: Tenant) -> None:
        assert drivers(JUNE, AT) == Drivers({}, frozenset())


class TestQueries:
    def test_are_three_for_any_number_of_tenants(
        self, make_tenant: MakeTenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(5):
            Book().use(make_tenant(f"t{number}"), hour(day(2)), 1)
        with django_assert_num_queries(3):
            found = drivers(JUNE, AT)
        assert len(found.active) == 5


class TestMonths:
    def test_are_named_by_their_first_day(self) -> None:
        assert month_at(AT) == JUNE
        assert (JUNE.until, Month(date(2021, 12, 1)).until) == (date(2021, 7, 1), date(2022, 1, 1))
        assert (JUNE.is_over(JUNE.ends), JUNE.is_over(JUNE.ends - timedelta(seconds=1))) == (True, False)
