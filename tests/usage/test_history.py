"""Days are the sums of their hours, whoever writes late, whoever dies, however many add up at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC
from itertools import count
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import at_once
from tests.usage.days import (
    AT,
    DAY,
    HOUR,
    TODAY,
    Book,
    Killed,
    before,
    code,
    days,
    hour,
    killed_at,
    months,
    stale,
    wait_until_blocked,
)
from tests.usage.days import forget_days as forget
from tests.usage.days import shown as shown_of
from usage.metering import history, ledger
from usage.metering.history import add_up, close_days, roll_up_days
from usage.metering.ledger import Counts
from usage.models import Daybook, UsageDay


def roll_up() -> None:
    roll_up_days(AT)


def units(tenant: Tenant, day: Any) -> dict[str, int]:
    """What a day has of API calls by label."""
    return dict(UsageDay.objects.filter(tenant=tenant, day=day).values_list("label", "quantity"))


@pytest.mark.django_db
class TestAddingUp:
    def test_sums_hours_and_epochs_by_label(self, tenant: Tenant, book: Book) -> None:
        day = before(3)
        for of_day, epoch, quantity in ((0, 1, 1), (23, 1, 20), (23, 2, 300)):
            book.use(tenant, hour(day, of_day), quantity, epoch=epoch)
        book.use(tenant, hour(day), 4_000, label="POST")
        book.use(tenant, hour(day, 23) + HOUR, 50_000)
        roll_up_days(AT)
        assert units(tenant, day) == {"GET": 321, "POST": 4_000}
        assert units(tenant, day + DAY) == {"GET": 50_000}

    def test_has_all_of_levels_and_refusals(self, tenant: Tenant, book: Book) -> None:
        storage, day = code("storage"), before(1)
        rows = [(9, 1, 70, 20, 90, 80), (17, 1, 5, 60, 85, 25), (17, 2, 1, 0, 26, 26)]
        book.write(Counts(level_hours=[(tenant.pk, storage, hour(day, at), *row) for at, *row in rows]))
        refused = [(9, "limit", 1, 3), (10, "limit", 2, 4), (10, "cap", 2, 5)]
        book.write(Counts(refusals=[(tenant.pk, storage, hour(day, at), *row) for at, *row in refused]))
        roll_up_days(AT)
        assert days() == [
            {},
            {(tenant.pk, day, storage): (30, 76, 80, 90, 26)},
            {(tenant.pk, day, storage, "limit"): 7, (tenant.pk, day, storage, "cap"): 5},
        ]

    def test_leaves_the_day_that_is_not_over(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, hour(TODAY, 0), 7)
        roll_up_days(AT)
        assert not UsageDay.objects.exists()
        roll_up_days(hour(TODAY, 0) + DAY)
        assert units(tenant, TODAY) == {"GET": 7}

    def test_is_the_same_in_many_small_steps(
        self, make_tenant: MakeTenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(4):
            book.live(make_tenant(f"tenant-{number}"), 10, seed=number)
        monkeypatch.setattr(history, "DAYS", 7)
        assert roll_up_days(AT) == 4 * 22  # the first of the month until yesterday
        assert days() == book.days()

    def test_twice_touches_nothing(self, tenant: Tenant, book: Book) -> None:
        book.live(tenant, 5)
        roll_up_days(AT)
        written = _versions()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO usage_staleday (tenant_id, day) SELECT %s, %s", [tenant.pk, before(2)]
            )
        assert roll_up_days(AT) == 1
        assert roll_up_days(AT) == 0
        assert _versions() == written

    def test_is_a_chore(self, tenant: Tenant, book: Book) -> None:
        yesterday = timezone.now().astimezone(UTC).date() - DAY
        Daybook.objects.create(pk=1, open_from=yesterday)
        book.use(tenant, hour(yesterday), 5)
        call_command("chore", "roll_up_days")
        assert units(tenant, yesterday) == {"GET": 5}


def _versions() -> list[Any]:
    """Which transaction wrote each row of days, in which order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmin::text FROM usage_usageday ORDER BY 1")
        return list(cursor.fetchall())


@pytest.mark.django_db
class TestLateHours:
    """An old Redis came back, or a flusher that was down."""

    @pytest.fixture(autouse=True)
    def _closed(self, tenant: Tenant, book: Book) -> None:
        book.live(tenant, 20)
        roll_up_days(AT)

    def test_are_in_their_day_with_the_next_run(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, hour(before(15)), 1_000, epoch=9)
        book.use(tenant, hour(before(15)), 2_000, epoch=9)
        book.use(tenant, hour(before(9), 23), 30, label="DELETE")
        assert stale() == 2
        roll_up_days(AT)
        assert (stale(), days()) == (0, book.days())
        assert units(tenant, before(9))["DELETE"] == 30

    def test_of_levels_and_refusals_are_too(self, tenant: Tenant, book: Book) -> None:
        storage = code("storage")
        book.write(Counts(level_hours=[(tenant.pk, storage, hour(before(4), 23), 9, 500, 0, 9_000, 8_000)]))
        calls, at = code("api_calls"), hour(before(6))
        book.write(
            Counts(refusals=[(tenant.pk, calls, at, cause, 9, 11) for cause in ("limit", "cap", "burst")])
        )
        roll_up_days(AT)
        assert days() == book.days()

    def test_of_today_leave_no_mark(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, AT.replace(minute=0, second=0), 5)
        assert stale() == 0

    def test_of_a_day_written_while_it_is_added_up_come_with_the_next_run(
        self, tenant: Tenant, book: Book
    ) -> None:
        book.use(tenant, hour(before(3)), 10, epoch=8)

        def late(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
            done = execute(sql, *more)
            if sql is history.UNITS and not book.units.get(
                (tenant.pk, code("api_calls"), hour(before(3)), "GET", 9)
            ):
                book.use(tenant, hour(before(3)), 200, epoch=9)
            return done

        with connection.execute_wrapper(late):
            assert add_up() == 1
        assert add_up() == 1
        assert days() == book.days()


@pytest.mark.usefixtures("lasting")
class TestClosing:
    """A day is closed between writers: each has committed before, or knows that its hours come late."""

    def test_waits_for_those_who_write(
        self, tenant: Tenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "PATIENCE", "10s")
        book.live(tenant, 2)
        closer = threading.Thread(target=at_once, args=[1, roll_up])
        with transaction.atomic():
            ledger.keep(Counts(hours=[(tenant.pk, code("api_calls"), hour(before(1)), "PUT", 9, 400)]))
            closer.start()
            wait_until_blocked()
            assert not Daybook.objects.exists()
        closer.join(10)
        assert units(tenant, before(1))["PUT"] == 400

    def test_gives_up_on_one_who_takes_long_and_loses_nothing(
        self, tenant: Tenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "PATIENCE", "50ms")
        book.live(tenant, 2)
        with transaction.atomic():
            ledger.keep(Counts(hours=[(tenant.pk, code("api_calls"), hour(before(1)), "PUT", 9, 400)]))
            at_once(1, roll_up)
            assert not Daybook.objects.exists()
        roll_up_days(AT)
        assert units(tenant, before(1))["PUT"] == 400

    def test_catches_up_after_a_long_rest(self, tenant: Tenant, book: Book) -> None:
        book.live(tenant, 20)
        roll_up_days(AT - 12 * DAY)
        assert days() == book.days(before(12))
        roll_up_days(AT)
        assert days() == book.days()

    def test_never_opens_a_day_again(self, tenant: Tenant, book: Book) -> None:
        book.live(tenant, 2)
        assert close_days(TODAY)
        assert not close_days(before(5))
        assert Daybook.objects.get().open_from == TODAY


@pytest.mark.usefixtures("lasting")
class TestFaults:
    def test_dying_at_any_statement_leaves_nothing_half_done(
        self, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch, redis_db: Any
    ) -> None:
        monkeypatch.setattr(history, "DAYS", 8)
        tenants = [make_tenant(f"tenant-{number}") for number in range(2)]
        for statement in count():
            book = _another_spring(tenants)
            pages = [shown_of(tenant) for tenant in tenants]
            killed = _run_and_die(statement)
            assert [shown_of(tenant) for tenant in tenants] == pages, f"killed at {statement}"
            roll_up_days(AT)
            assert (stale(), days()) == (0, book.days()), f"killed at {statement}"
            assert [shown_of(tenant) for tenant in tenants] == pages, f"killed at {statement}"
            if not killed:
                break
        assert "2021-02" not in months()
        assert statement > 30

    def test_many_at_once_add_up_once(
        self, make_tenant: MakeTenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "DAYS", 5)
        tenants = [make_tenant(f"tenant-{number}") for number in range(6)]
        for number, tenant in enumerate(tenants):
            book.live(tenant, 15, seed=number)
        at_once(4, roll_up)
        assert (stale(), days()) == (0, book.days())

    def test_many_at_once_while_hours_come_late(
        self, make_tenant: MakeTenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "DAYS", 3)
        tenants = [make_tenant(f"tenant-{number}") for number in range(3)]
        for number, tenant in enumerate(tenants):
            book.live(tenant, 8, seed=number)
        numbers, calls = count(10), code("api_calls")

        def work() -> None:
            for _ in range(6):
                epoch = next(numbers)
                rows = [(one.pk, calls, hour(before(epoch % 7)), "GET /a", epoch, epoch) for one in tenants]
                book.write(Counts(hours=rows))
                roll_up_days(AT)

        at_once(3, work)
        roll_up_days(AT)
        assert (stale(), days()) == (0, book.days())


def _another_spring(tenants: list[Tenant]) -> Book:
    """Hours of today, of days that are not closed yet and of some that are, and of a month that may go."""
    forget()
    Daybook.objects.create(pk=1, open_from=before(2))
    book = Book()
    for number, tenant in enumerate(tenants):
        book.use(tenant, hour(before(140)), 5)
        book.live(tenant, 8, seed=number)
    return book


def _run_and_die(statement: int) -> bool:
    """Whether the run died at this statement, and did not end before."""
    try:
        with killed_at(statement):
            roll_up_days(AT)
    except Killed:
        return True
    return False
