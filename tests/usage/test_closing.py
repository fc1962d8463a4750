"""Periods that are over become statements: once, numbered without a gap, by the prices and counts of their end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import redis
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from billing.models import Closing, Metric, Override, Plan, PriceTier, Statement
from billing.periods import period_at
from billing.subscriptions import subscribe
from tenants.anchors import change_anchor
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import at_once
from tests.usage.billed import CLOSES, DAY, ENDS, FIRST, HOUR, MB, close, day, example, issued, store
from tests.usage.counted import use
from tests.usage.outages import redis_behind_proxy
from usage.metering import Charge, chores, consume, keys
from usage.models import Heartbeat
from usage.money.bills import bills

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

SECOND = timedelta(seconds=1)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    """One that was made with November."""
    return make_tenant(created_at=FIRST)


class TestStatement:
    def test_is_what_was_worked_out_by_hand(self, tenant: Tenant) -> None:
        """Starter 21.27, Pro 53.07; 1 500 calls 1.50; 50 MB 1.00; 3 000 MB for 241 of 720 hours 50.21."""
        example(tenant)
        [statement] = close()
        assert (statement.number, statement.tenant, statement.kind) == (
            "HR-2026-11-0001",
            tenant,
            "statement",
        )
        assert (statement.period, statement.until) == (date(2026, 11, 1), date(2026, 12, 1))
        assert statement.issued_at == CLOSES
        amounts = {line["metric"]: line["amount"] for line in statement.document["lines"]}
        assert amounts == {"api_calls": "1.50", "storage": "50.21", "users": "0.00", "bandwidth": "1.00"}
        assert [(fee["plan"], fee["days"], fee["amount"]) for fee in statement.document["fees"]] == [
            ("Starter", 22, "21.27"),
            ("Pro", 8, "53.07"),
        ]
        sums = (statement.base_fee, statement.overage, statement.total)
        assert sums == (Decimal("74.34"), Decimal("52.71"), Decimal("127.05"))

    def test_rounds_begun_packages_up(self, tenant: Tenant) -> None:
        subscribe(tenant, Plan.objects.get(slug="pro"), at=FIRST, actor=None, reason="test")
        PriceTier.objects.filter(allowance__plan__slug="pro", allowance__metric__code="api_calls").update(
            price=Decimal("0.40"), per=1_000, rounds_up=True
        )
        use(tenant, "api_calls", 502_001, at=day(3))
        [statement] = close()
        [line] = [one for one in statement.document["lines"] if one["metric"] == "api_calls"]
        assert (line["billable"], line["amount"], statement.total) == ("2001", "1.20", Decimal("200.20"))
        assert line["tiers"] == [
            {
                "above": 0,
                "up_to": None,
                "price": "0.4",
                "per": 1_000,
                "rounds_up": True,
                "units": "2001",
                "amount": "1.20",
            }
        ]

    def test_is_the_estimate_of_the_last_second(self, tenant: Tenant) -> None:
        example(tenant)
        period = period_at(tenant, FIRST)
        last = bills([(tenant, period)], ENDS - SECOND)[tenant.pk, period]
        [statement] = close()
        assert statement.total == last.total
        assert [line["amount"] for line in statement.document["lines"]] == [
            f"{line.amount:.2f}" for line in last.lines
        ]

    def test_says_what_was_in_force_at_the_end(self, tenant: Tenant) -> None:
        example(tenant)
        metric = Metric.objects.get(code="api_calls")
        for units, starts, ends in ((7, FIRST, day(20)), (1_000, day(25), None), (50_000, ENDS, None)):
            Override.objects.create(
                tenant=tenant, metric=metric, units=units, reason="test", starts=starts, ends=ends
            )
        tenant.name = "Northwind as it was"
        tenant.save()
        [statement] = close()
        Tenant.objects.update(name="Another name")
        document = statement.document
        assert document["tenant"] == {"slug": "northwind", "name": "Northwind as it was"}
        assert document["plan"] == {"slug": "pro", "name": "Pro"}
        assert document["limits"][0] == {
            "metric": "api_calls",
            "name": "API calls",
            "unit": "count",
            "included": 501_000,
            "stop": None,
            "burst": None,
            "beyond": "bill",
        }

    def test_comes_also_where_nothing_is_owed(self, tenant: Tenant) -> None:
        assert [one.total for one in close()] == [Decimal(0)]

    def test_has_the_currency_it_was_issued_in(self, tenant: Tenant, settings: Settings) -> None:
        settings.HEADROOM_CURRENCY = "CHF"
        assert [one.currency for one in close()] == ["CHF"]

    def test_does_not_change_with_prices_that_are_edited_later(self, tenant: Tenant) -> None:
        example(tenant)
        close()
        PriceTier.objects.update(price=99)
        assert close(CLOSES + DAY) == []
        assert issued(tenant) == [("HR-2026-11-0001", "statement", Decimal("127.05"))]


class TestWhen:
    def test_is_a_grace_after_the_end(self, tenant: Tenant) -> None:
        assert close(CLOSES - SECOND) == []
        assert len(close(CLOSES)) == 1
        assert close(CLOSES) == []

    def test_is_later_with_a_longer_grace(self, tenant: Tenant, settings: Settings) -> None:
        settings.HEADROOM_CLOSE_GRACE = timedelta(hours=3)
        assert close(ENDS + 2 * HOUR) == []
        assert len(close(ENDS + 3 * HOUR)) == 1

    def test_is_never_while_hours_of_the_period_wait_in_redis(
        self, make_tenant: MakeTenant, redis_db: redis.Redis
    ) -> None:
        waits, goes, both = (make_tenant(slug, created_at=FIRST) for slug in ("waits", "goes", "both"))
        for tenant, hour, period in (
            (waits, "2026113023", "2026-11-01"),
            (goes, "2026120100", "2026-12-01"),
            (both, "2026120100", "2026-12-01"),
            (both, "2026103123", "2026-10-01"),
        ):
            redis_db.zadd(keys.dirty(tenant.pk), {keys.dirty_name(tenant.pk, hour, period): 1})
        assert [one.tenant for one in close()] == [goes]
        redis_db.flushdb()
        assert {one.tenant for one in close()} == {waits, both}

    @pytest.mark.django_db(transaction=True)
    def test_is_not_while_redis_is_away(
        self, make_tenant: MakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        make_tenant(created_at=FIRST)
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            assert close() == []
            assert "no period is closed" in caplog.text
        assert len(close()) == 1

    @pytest.mark.django_db(transaction=True)
    def test_counts_what_was_used_in_redis_until_the_end(self, tenant: Tenant) -> None:
        """The real way: counted, flushed, closed."""
        now = timezone.now()
        Tenant.objects.update(created_at=now)
        tenant.refresh_from_db()
        consume(tenant, Charge("api_calls", 3), at=now)
        period = period_at(tenant, now)
        assert close(period.ends + HOUR) == []
        chores.flush(now)
        [statement] = close(period.ends + HOUR)
        assert statement.document["lines"][0]["used"] == 3


class TestOrder:
    def test_is_by_tenant_without_a_gap_in_each_month(self, make_tenant: MakeTenant) -> None:
        for number in range(4):
            make_tenant(f"t{number}", created_at=FIRST, anchor_day=1 + number % 2)
        assert [
            (one.tenant.slug, one.number) for one in sorted(close(CLOSES + DAY), key=lambda one: one.pk)
        ] == [
            ("t1", "HR-2026-10-0001"),  # from 2 October to 2 November, so due first
            ("t3", "HR-2026-10-0002"),
            ("t0", "HR-2026-11-0001"),
            ("t2", "HR-2026-11-0002"),
            ("t1", "HR-2026-11-0003"),
            ("t3", "HR-2026-11-0004"),
        ]

    def test_of_missed_periods_is_one_after_the_other(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro", created_at=datetime(2026, 8, 20, tzinfo=UTC), anchor_day=15)
        made = close(datetime(2026, 11, 15, 1, tzinfo=UTC))
        assert [(one.period, one.until, one.number) for one in made] == [
            (date(2026, 8, 15), date(2026, 9, 15), "HR-2026-08-0001"),
            (date(2026, 9, 15), date(2026, 10, 15), "HR-2026-09-0001"),
            (date(2026, 10, 15), date(2026, 11, 15), "HR-2026-10-0001"),
        ]
        assert Closing.objects.get(tenant=tenant).period == date(2026, 11, 15)

    def test_goes_over_a_changed_anchor_without_a_gap(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=FIRST)
        change_anchor(tenant, 20, day(10))
        tenant.save()
        made = close(datetime(2027, 1, 20, 1, tzinfo=UTC))
        assert [(one.period, one.until) for one in made] == [
            (date(2026, 11, 1), date(2026, 12, 1)),
            (date(2026, 12, 1), date(2026, 12, 20)),
            (date(2026, 12, 20), date(2027, 1, 20)),
        ]


class TestCost:
    def test_does_not_grow_with_the_tenants(
        self, make_tenant: MakeTenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(12):
            tenant = make_tenant(f"t{number}", plan="pro", created_at=FIRST)
            store(tenant, (day(5), 50_000 + number))
        with django_assert_max_num_queries(45):
            assert len(close()) == 12


class TestChore:
    def test_runs_by_name_and_leaves_a_sign_of_life(self, tenant: Tenant) -> None:
        call_command("chore", "close_periods")
        assert Heartbeat.objects.get(pk="close_periods").detail["count"] >= 0
        assert Closing.objects.get().tenant == tenant


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    def test_four_at_once_issue_each_statement_once(
        self, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("usage.money.closing.BATCH", 3)
        for number in range(20):
            make_tenant(f"t{number}", plan="pro", created_at=FIRST)
        at_once(4, lambda: chores.close_periods(CLOSES))
        close()  # what was locked when the others looked
        numbers = sorted(Statement.objects.values_list("number", flat=True))
        assert numbers == [f"HR-2026-11-{number:04}" for number in range(1, 21)]
        assert Statement.objects.values("tenant").distinct().count() == 20
        assert not Closing.objects.exclude(period=ENDS.date()).exists()
        assert connection.is_usable()


def test_a_mean_that_is_no_whole_number_is_written_exactly(tenant: Tenant) -> None:
    """Exact where the mean is no whole number: 1 MB over for two of 720 hours."""
    subscribe(tenant, Plan.objects.get(slug="pro"), at=FIRST, actor=None, reason="test")
    store(tenant, (day(5), 50_001), (day(5, 1), 0))
    [statement] = close()
    [line] = [one for one in statement.document["lines"] if one["metric"] == "storage"]
    assert (line["billable"], line["hours"], line["amount"]) == (str(Fraction(2 * MB, 720)), 720, "0.00")
