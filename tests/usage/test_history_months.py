"""Hours go by the month, after their time and not before days have them; pages don't notice."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tenants.models import Tenant
from tests.usage.alerting import at_once
from tests.usage.days import (
    AT,
    DAY,
    TODAY,
    Book,
    before,
    code,
    days,
    hour,
    months,
    shown,
    stale,
    wait_until_blocked,
)
from usage.metering import flush as flushing
from usage.metering import history, ledger
from usage.metering.history import drop_months, roll_up_days
from usage.metering.ledger import Counts
from usage.models import StaleDay, UsageDay, UsageHour
from usage.reports import dashboard
from usage.reports.metric import metric_report
from usage.reports.readings import reading
from usage.reports.windows import Asked

FEBRUARY = hour(date(2021, 2, 11))
GOES = hour(date(2021, 3, 1), 0) + settings.HEADROOM_KEEP_HOURS


@pytest.mark.django_db
class TestDropping:
    @pytest.fixture(autouse=True)
    def _winter(self, tenant: Tenant, book: Book) -> None:
        """Use in January, February and March."""
        for back in (0, 31, -20):
            book.use(tenant, FEBRUARY - back * DAY, 7 + back)
        storage = code("storage")
        book.write(Counts(level_hours=[(tenant.pk, storage, FEBRUARY, 1, 40, 9, 140, 131)]))
        book.write(Counts(refusals=[(tenant.pk, storage, FEBRUARY, "limit", 1, 3)]))

    def test_waits_until_the_whole_month_has_had_its_time(self) -> None:
        roll_up_days(GOES - timedelta(seconds=1))
        assert months() == {"2021-02", "2021-03"}
        roll_up_days(GOES)
        assert months() == {"2021-03"}

    def test_keeps_everything_of_it_in_days(self, book: Book) -> None:
        roll_up_days(AT)
        assert not UsageHour.objects.filter(hour__lt=hour(date(2021, 3, 1), 0)).exists()
        assert (stale(), days()) == (0, book.days())

    def test_leaves_a_month_of_which_a_day_is_stale(
        self, tenant: Tenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(history, "add_up", lambda: 0)
            roll_up_days(AT)
        assert months() == {"2021-01", "2021-02", "2021-03"}
        roll_up_days(AT)
        StaleDay.objects.create(tenant=tenant, day=date(2021, 2, 28))
        drop_months(AT)
        assert months() == {"2021-02", "2021-03"}
        roll_up_days(AT + DAY)
        assert (months(), days()) == ({"2021-03"}, book.days())

    def test_leaves_a_month_that_was_never_closed(self) -> None:
        drop_months(AT)
        assert months() == {"2021-01", "2021-02", "2021-03"}

    def test_comes_once_a_day(self) -> None:
        roll_up_days(GOES - timedelta(seconds=1))
        roll_up_days(GOES)
        ledger.make_partitions([date(2021, 1, 1)])
        roll_up_days(GOES + timedelta(hours=23, minutes=59))
        assert months() == {"2021-01", "2021-03"}
        roll_up_days(GOES + DAY)
        assert months() == {"2021-03"}

    def test_keeps_as_long_as_is_set(self, settings: Settings) -> None:
        settings.HEADROOM_KEEP_HOURS = timedelta(days=200)
        roll_up_days(AT)
        assert months() == {"2021-01", "2021-02", "2021-03"}


@pytest.mark.django_db
class TestHoursOfADroppedMonth:
    """They come three months late: never counted twice, nothing ever less."""

    @pytest.fixture(autouse=True)
    def _dropped(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, FEBRUARY, 500)
        book.use(tenant, FEBRUARY + timedelta(hours=1), 80)
        book.write(Counts(level_hours=[(tenant.pk, code("storage"), FEBRUARY, 1, 40, 9, 140, 131)]))
        roll_up_days(AT)
        assert months() == set()

    def test_that_were_added_up_already_change_nothing(self, tenant: Tenant, book: Book) -> None:
        was = days()
        book.use(tenant, FEBRUARY, 501)
        book.write(Counts(level_hours=[(tenant.pk, code("storage"), FEBRUARY, 2, 1, 0, 1, 1)]))
        assert roll_up_days(AT) == 2
        assert (stale(), days()) == (0, was)

    def test_under_a_label_that_is_new_are_added(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, FEBRUARY, 30, label="PUT")
        roll_up_days(AT)
        assert dict(UsageDay.objects.values_list("label", "quantity")) == {"GET": 580, "PUT": 30}

    def test_go_again_on_the_next_day(self, tenant: Tenant, book: Book) -> None:
        book.use(tenant, FEBRUARY, 30, label="PUT")
        roll_up_days(AT + timedelta(minutes=10))
        assert months() == {"2021-02"}
        roll_up_days(AT + DAY)
        assert months() == set()

    def test_find_their_month_made_anew_by_a_flush_that_once_knew_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flushing, "_months", {date(2021, 2, 1)})
        flushing._ensure_months({FEBRUARY}, AT)
        assert months() == {"2021-02"}


@pytest.mark.usefixtures("lasting")
class TestReaders:
    def test_of_hours_make_the_drop_give_up_until_the_next_day(
        self, tenant: Tenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "PATIENCE", "50ms")
        book.use(tenant, FEBRUARY, 5)
        with transaction.atomic():
            assert UsageHour.objects.filter(tenant=tenant).count() == 1
            at_once(1, _roll_up)
            assert months() == {"2021-02"}
        roll_up_days(AT + DAY)
        assert (months(), days()) == (set(), book.days())

    def test_writers_are_waited_for_and_lose_nothing(
        self, tenant: Tenant, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "PATIENCE", "10s")
        book.use(tenant, FEBRUARY, 5)
        roll_up_days(GOES - DAY)
        dropper = threading.Thread(target=at_once, args=[1, _drop])
        with transaction.atomic():
            ledger.keep(Counts(hours=[(tenant.pk, code("api_calls"), FEBRUARY, "PUT", 9, 400)]))
            dropper.start()
            wait_until_blocked()
        dropper.join(10)
        assert months() == {"2021-02"}
        roll_up_days(AT + DAY)
        assert months() == set()
        assert dict(UsageDay.objects.values_list("label", "quantity")) == {"GET": 5, "PUT": 400}


def _roll_up() -> None:
    roll_up_days(AT)


def _drop() -> None:
    drop_months(AT)


@pytest.mark.django_db
class TestPages:
    @pytest.fixture(autouse=True)
    def _spring(self, tenant: Tenant, book: Book) -> None:
        book.live(tenant, 70)

    def test_show_the_same_from_hours_and_from_days(self, tenant: Tenant, book: Book) -> None:
        was = shown(tenant)
        assert was[0][code("api_calls")][before(40)]
        roll_up_days(AT)
        assert shown(tenant) == was
        _lose_hours(until=TODAY)
        assert shown(tenant) == was

    def test_show_the_same_before_and_after_a_month_goes(
        self, tenant: Tenant, book: Book, settings: Settings
    ) -> None:
        settings.HEADROOM_KEEP_HOURS = timedelta(days=10)
        was = shown(tenant)
        roll_up_days(AT)
        assert months() == {"2021-06"}
        assert shown(tenant) == was

    def test_show_late_hours_before_they_are_added_up(self, tenant: Tenant, book: Book) -> None:
        roll_up_days(AT)
        book.use(tenant, hour(before(30)), 9_000, label="PUT")
        was = shown(tenant)
        assert was[0][code("api_calls")][before(30)]["PUT"] == 9_000
        roll_up_days(AT)
        assert shown(tenant) == was

    def test_show_days_where_late_hours_are_all_that_is_left(
        self, tenant: Tenant, book: Book, settings: Settings
    ) -> None:
        settings.HEADROOM_KEEP_HOURS = timedelta(days=10)
        roll_up_days(AT)
        was = shown(tenant)
        book.use(tenant, hour(before(40)), 1)
        assert shown(tenant) == was

    def test_show_all_days_while_none_is_closed_for_days(self, tenant: Tenant, book: Book) -> None:
        was = shown(tenant)
        roll_up_days(AT - 5 * DAY)
        assert shown(tenant) == was

    @pytest.mark.parametrize("metric", ["api_calls", "storage"])
    def test_draw_sixty_days_from_days(self, tenant: Tenant, metric: str) -> None:
        def drawn() -> Any:
            read = reading(tenant, AT, with_money=False)
            meter = next(one for one in read.meters if one.metric.code == metric)
            asked = Asked(range="custom", first=before(59), last=TODAY)
            report = metric_report(read, meter, asked)
            return report.chart, report.table.rows, report.labels, report.meter.trend

        was = drawn()
        roll_up_days(AT)
        _lose_hours(until=TODAY)
        shown(tenant)  # forgets what the pages remember
        assert drawn() == was
        assert len(was[1]) == 60

    def test_cost_as_many_queries_as_from_hours(self, tenant: Tenant) -> None:
        dashboard(tenant, AT)  # some things are read once in a process
        shown(tenant)
        with CaptureQueriesContext(connection) as hours:
            dashboard(tenant, AT)
        roll_up_days(AT)
        shown(tenant)
        with CaptureQueriesContext(connection) as of_days:
            dashboard(tenant, AT)
        assert len(of_days) == len(hours) <= 12


def _lose_hours(*, until: date) -> None:
    with connection.cursor() as cursor:
        for table in ledger.HOURLY:
            cursor.execute(f"DELETE FROM {table} WHERE hour < %s", [hour(until, 0)])
