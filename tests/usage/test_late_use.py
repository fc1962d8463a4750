"""Units that came too late for a statement become an adjustment of it: never lost, never billed twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
import redis
from django.db import connection, transaction

from billing.closings import plan_closings
from billing.models import Closing, Metric, PriceTier, Statement
from billing.statements import issue as write
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import at_once
from tests.usage.billed import (
    CLOSES,
    DAY,
    ENDS,
    FIRST,
    HOUR,
    MB,
    close,
    day,
    example,
    issued,
    store,
    until_blocked,
)
from tests.usage.counted import use
from tests.usage.counting import Clock, flush
from usage.metering import Charge, record
from usage.metering.ledger import Counts, keep
from usage.models import LateUse
from usage.money import late
from usage.money.closing import issue_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MINUTE = timedelta(minutes=1)
LATER = CLOSES + 2 * HOUR


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(plan="pro", created_at=FIRST)


def come_late(tenant: Tenant, at: datetime, units: int = 1_000, epoch: int = 2) -> None:
    """A flush at `at` brings calls of an hour of November."""
    with transaction.atomic():
        use(tenant, "api_calls", units, at=day(30, 22), epoch=epoch)
        LateUse.objects.create(tenant=tenant, period=FIRST.date(), at=at)


class TestMark:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("minutes", "marks"), [(29, 0), (30, 1)])
    def test_is_left_by_a_flush_half_an_hour_after_the_hour(
        self, tenant: Tenant, clock: Clock, minutes: int, marks: int
    ) -> None:
        record(tenant, Charge("api_calls", 5), at=clock.now)
        hour = clock.now.replace(minute=0, second=0, microsecond=0)
        at = hour + HOUR + minutes * MINUTE
        flush(at)
        found = LateUse.objects.values_list("tenant", "period", "at")
        assert list(found) == [(tenant.pk, hour.date().replace(day=1), at)] * marks

    def test_is_dropped_where_nothing_is_issued_yet(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        come_late(pro, day(30, 23))
        assert close(ENDS + 59 * MINUTE) == []
        assert not LateUse.objects.exists()
        assert [one.total for one in close()] == [Decimal(200)]
        assert close(LATER + DAY) == []

    def test_waits_for_a_grace(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        come_late(pro, CLOSES + MINUTE)
        assert close(CLOSES + 60 * MINUTE) == []
        assert [one.kind for one in close(CLOSES + 61 * MINUTE)] == ["adjustment"]

    def test_of_units_that_cost_nothing_changes_nothing(self, pro: Tenant) -> None:
        close()
        come_late(pro, CLOSES)
        assert close(LATER) == []
        assert not LateUse.objects.exists()


class TestAdjustment:
    def test_says_what_differs(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_400, at=day(3))
        close()
        come_late(pro, CLOSES)
        [made] = close(LATER)
        assert (made.number, made.total) == ("HR-2026-11-0002", Decimal(1))
        assert (made.base_fee, made.overage) == (Decimal(0), Decimal(1))
        assert (made.of, made.period, made.until, made.issued_at) == (
            Statement.objects.get(number="HR-2026-11-0001"),
            FIRST.date(),
            ENDS.date(),
            LATER,
        )
        [line] = made.document["lines"]
        assert (line["metric"], line["used"], line["billable"], line["amount"]) == (
            "api_calls",
            1_000,
            "1000",
            "1.00",
        )
        assert made.document["fees"] == []

    def test_counts_what_earlier_ones_have(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        for number in range(1, 4):
            come_late(pro, CLOSES + number * DAY, 1_000 * number, epoch=1 + number)
            close(LATER + number * DAY)
        assert [total for _, _, total in issued(pro)] == [199, 1, 2, 3]

    def test_is_one_for_several_marks(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        for number in range(3):
            come_late(pro, CLOSES + number * MINUTE, epoch=2 + number)
        assert [one.total for one in close(LATER)] == [3]

    def test_goes_by_the_prices_of_the_statement(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        PriceTier.objects.update(price=Decimal(7))
        come_late(pro, CLOSES)
        assert [one.total for one in close(LATER)] == [1]

    def test_has_the_currency_of_the_statement(self, pro: Tenant, settings: Any) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        settings.HEADROOM_CURRENCY = "CHF"
        come_late(pro, CLOSES)
        assert [one.currency for one in close(LATER)] == ["USD"]

    def test_of_a_level_goes_hour_by_hour(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=FIRST)
        example(tenant)
        close()
        metric = Metric.objects.get(code="storage").pk
        rows = [(tenant.pk, metric, day(15), 2, 2_000 * MB, 2_000 * MB, 55_000 * MB, 53_000 * MB)]
        keep(Counts(level_hours=rows))
        LateUse.objects.create(tenant=tenant, period=FIRST.date(), at=CLOSES)
        [made] = close(LATER)
        [line] = made.document["lines"]
        # One hour stood 2 000 MB higher: 2.78 MB of the month's mean at 0.05, beside what 50.21 was rounded off.
        assert (line["billable"], line["amount"]) == (str(Fraction(2_000 * MB, 720)), "0.14")

    def test_may_take_something_off(self, pro: Tenant) -> None:
        """Late hours may say that a level fell earlier than was known."""
        store(pro, (day(10), 60_000))
        [statement] = close()
        assert statement.total > 500
        metric = Metric.objects.get(code="storage").pk
        keep(Counts(level_hours=[(pro.pk, metric, day(11), 2, 0, 60_000 * MB, 60_000 * MB, 0)]))
        LateUse.objects.create(tenant=pro, period=FIRST.date(), at=CLOSES)
        [made] = close(LATER)
        # 25 hours of 10 000 MB over the included ones are left of 504.
        assert (statement.overage, made.total) == (Decimal("350.00"), Decimal("17.36") - Decimal("350.00"))

    def test_comes_for_who_was_closed_since(self, pro: Tenant) -> None:
        use(pro, "api_calls", 500_000, at=day(3))
        plan_closings(day(20))
        Tenant.objects.update(status=Tenant.Status.CLOSED)
        plan_closings(day(20))
        assert [one.total for one in close()] == [199]
        assert not Closing.objects.exists()
        come_late(pro, CLOSES)
        assert [one.total for one in close(LATER)] == [1]


def at_step(step: int, act: Callable[[], None]) -> Any:
    """Let `act` happen in between, in a connection of its own, just before the n-th statement of the block."""
    numbers = count(1)

    def wrapper(execute: Any, *rest: Any) -> Any:
        if next(numbers) == step:
            at_once(1, act)
        return execute(*rest)

    return connection.execute_wrapper(wrapper)


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_of_a_late_flush_and_the_close_loses_and_doubles_nothing(
        self, make_tenant: MakeTenant, redis_db: redis.Redis
    ) -> None:
        """The flush commits before, after, and between any two statements of the close."""
        totals, was_between = set(), True
        step = 0
        while was_between:
            step += 1
            tenant = make_tenant(f"t{step}", plan="pro", created_at=FIRST)
            use(tenant, "api_calls", 500_000, at=day(3))
            came: list[int] = []

            def flush_late(tenant: Tenant = tenant, came: list[int] = came) -> None:
                come_late(tenant, CLOSES + MINUTE)
                came.append(1)

            with at_step(step, flush_late):
                close()
            was_between = bool(came)
            if not came:
                flush_late()
            [(_, _, first)] = issued(tenant)
            totals.add(first)
            close(LATER)
            assert sum(total for _, _, total in issued(tenant)) == 200, f"at step {step}"
            close(LATER + DAY)
            assert len(issued(tenant)) == 1 + (first == 199)
        assert totals == {199, 200}
        assert step > 20

    def test_of_taking_a_mark_while_the_statement_is_written_waits_for_it(self, pro: Tenant) -> None:
        """However long a close takes: who takes the mark does not take its missing statement for none to come."""
        use(pro, "api_calls", 500_000, at=day(3))
        read, go_on = threading.Event(), threading.Event()

        @contextmanager
        def held_before_it_is_written() -> Any:
            def issue(drafts: Any) -> Any:
                read.set()
                assert go_on.wait(30)
                return write(drafts)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("usage.money.closing.issue", issue)
                yield

        with held_before_it_is_written():
            slow = threading.Thread(target=at_once, args=(1, lambda: issue_due(CLOSES)))
            plan_closings(CLOSES)
            slow.start()
            assert read.wait(30)
            come_late(pro, CLOSES)
            made: list[int] = []
            quick = threading.Thread(target=at_once, args=(1, lambda: made.append(late.adjust(LATER))))
            quick.start()
            until_blocked()
            go_on.set()
            slow.join(30)
            quick.join(30)
        assert made == [1]
        assert [(kind, total) for _, kind, total in issued(pro)] == [
            ("statement", Decimal(199)),
            ("adjustment", Decimal(1)),
        ]

    @pytest.mark.parametrize("is_closed", [False, True])
    def test_of_many_who_adjust_counts_nothing_twice(
        self, pro: Tenant, monkeypatch: pytest.MonkeyPatch, is_closed: bool
    ) -> None:
        """Nor where no next period is left to hold: of a tenant that is closed."""
        monkeypatch.setattr(late, "MARKS", 1)
        use(pro, "api_calls", 500_000, at=day(3))
        close()
        if is_closed:
            Closing.objects.all().delete()
        for number in range(8):
            come_late(pro, CLOSES, epoch=2 + number)
        at_once(4, lambda: late.adjust(LATER))
        assert [total for _, _, total in issued(pro)] == [199, 8]
        assert not LateUse.objects.exists()
