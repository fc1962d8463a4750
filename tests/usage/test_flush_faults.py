"""The flush among faults: counts of a lost epoch that arrive late, months without a table, death at any step."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime

import pytest
import redis
from django.db import connection, transaction

from billing.models import Metric
from tenants.models import Tenant
from tests.usage.counting import NOON, Clock, collect, flush, keep, kept, live, settle
from usage.metering import Charge, chores, consume, keys, ledger, links
from usage.metering import flush as flushing
from usage.metering.accounts import look

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]


def calls(amount: int = 1, label: str = "") -> Charge:
    return Charge("api_calls", amount, label)


class TestRaising:
    def test_late_counts_of_a_lost_epoch_reach_redis(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        consume(tenant, calls(400), Charge("storage", 70), Charge("users", member="ada"), at=clock.now)
        late = collect(tenant)
        redis_db.flushdb()
        clock.tick(seconds=1)
        consume(tenant, calls(5), Charge("storage", 3), Charge("users", member="bob"), at=clock.now)
        keep(late)
        clock.tick(seconds=1)
        consume(tenant, calls(1), at=clock.now)
        flush(clock.now)
        assert [live(tenant, code, clock.now) for code in ("api_calls", "storage", "users")] == [406, 73, 2]
        assert [kept(tenant, code) for code in ("api_calls", "storage", "users")] == [406, 73, 2]
        assert consume(tenant, calls(595), at=clock.now).refused
        assert consume(tenant, calls(594), at=clock.now).allowed

    def test_count_of_members_is_never_behind_their_set(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        """Members that came late to the set without being counted would let others pass the limit."""
        consume(tenant, Charge("users", member="ada"), Charge("users", member="cy"), at=clock.now)
        late = collect(tenant)
        redis_db.flushdb()
        clock.tick(seconds=1)
        consume(tenant, Charge("users", member="bob"), at=clock.now)
        flush(clock.now)
        keep(late)
        settle(late)
        assert live(tenant, "users", clock.now) == 3
        assert consume(tenant, Charge("users", member="dan"), at=clock.now).refused

    def test_redis_that_lost_counts_of_the_same_epoch_is_raised(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        consume(tenant, calls(400), Charge("storage", 70), at=clock.now)
        flush(clock.now)
        account = keys.account(tenant.pk, "2026-11-01")
        redis_db.hset(account, "u:api_calls", 10)
        redis_db.hset(keys.tenant(tenant.pk), "a:storage", 7)
        clock.tick(seconds=1)
        consume(tenant, calls(1), at=clock.now)
        flush(clock.now)
        assert [live(tenant, code, clock.now) for code in ("api_calls", "storage")] == [400, 70]


class TestPartitions:
    """Months without a table: beat makes them ahead, an old Redis may bring older ones."""

    MONTH = date(2027, 3, 1)

    @pytest.fixture(autouse=True)
    def _no_table(self, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
        monkeypatch.setattr(flushing, "_months", set())
        with connection.cursor() as cursor:
            for table in ("usagehour", "levelhour", "refusalhour"):
                cursor.execute(f"DROP TABLE IF EXISTS usage_{table}_{self.MONTH:%Y%m}")

    def test_are_made_by_the_flush_that_needs_them(self, tenant: Tenant, clock: Clock) -> None:
        clock.move_to(datetime.fromisoformat("2027-03-31T23:59:59Z"))
        consume(tenant, calls(2, "GET"), Charge("storage", 5), at=clock.now)
        consume(tenant, calls(5_000), at=clock.now)
        flush(clock.now)
        assert kept(tenant, "api_calls") == 2

    def test_are_made_ahead_for_three_months(self) -> None:
        assert [chores.make_partitions(datetime(2027, 1, 31, tzinfo=UTC)) for _ in range(2)] == [3, 3]
        for table in ledger.HOURLY:
            assert self.MONTH in ledger.partitions(table)

    def test_making_them_waits_for_no_other_flush(self, tenant: Tenant, clock: Clock) -> None:
        """Else two flushes wait for each other: one for rows, one for the table that is being made."""
        clock.move_to(datetime.fromisoformat("2027-03-10T00:00:00Z"))
        consume(tenant, calls(2, "GET"), at=clock.now)
        metric, epoch = Metric.objects.get(code="api_calls").pk, look(links.bulk(), tenant.pk).epoch
        ledger.make_partitions([date(2026, 11, 1)])
        with transaction.atomic():
            ledger.keep(ledger.Counts(periods=[(tenant.pk, metric, self.MONTH, epoch, 1, 0)]))
            flusher = threading.Thread(target=_flush_and_close, args=[clock.now])
            flusher.start()
            _wait_until_blocked()
            ledger.keep(ledger.Counts(hours=[(tenant.pk, metric, NOON, "GET", epoch, 1)]))
        flusher.join(10)
        assert kept(tenant, "api_calls") == 2


def _flush_and_close(at: datetime) -> None:
    flush(at)
    connection.close()


def _wait_until_blocked() -> None:
    """Until another transaction waits for a lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nothing waits")
