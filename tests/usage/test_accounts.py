"""Accounts open by themselves on the first request, heal after a loss, and follow periods, anchors and plans."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection

from billing.models import Allowance, Metric, Plan
from tenants.anchors import change_anchor
from tenants.models import Tenant
from tests.usage.counting import Clock, another_life, flush, kept, live
from usage.metering import (
    Charge,
    catalogue,
    consume,
    keys,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

LOSSES = {
    "flushed": lambda server: server.flushdb(),
    "counts lost": lambda server: server.delete(*server.keys("hr:*")),
}


def calls(amount: int = 1, label: str = "") -> Charge:
    return Charge("api_calls", amount, label)


def accounts_in(server: redis.Redis) -> list[bytes]:
    return list(server.scan_iter("*:account:*"))


class TestOpening:
    def test_first_call_opens_and_counts(self, tenant: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        decision = consume(tenant, calls(3), at=clock.now)
        assert (decision.allowed, decision.remaining, decision.is_counted) == (True, 997, True)
        assert len(accounts_in(redis_db)) == 1

    def test_account_lasts_35_days_past_its_period(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        consume(tenant, calls(), at=clock.now)
        seconds = redis_db.ttl(keys.account(tenant.pk, "2026-11-01"))
        ends = datetime.fromisoformat("2027-01-05T00:00:00Z")
        assert abs(seconds - (ends - clock.now).total_seconds()) < 60

    def test_many_threads_open_one_account(self, tenant: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        barrier, allowed = threading.Barrier(16), []

        def count() -> None:
            barrier.wait()
            for _ in range(5):
                allowed.append(consume(tenant, calls(), Charge("storage", 2), at=clock.now).is_counted)
            connection.close()

        threads = [threading.Thread(target=count) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert allowed == [True] * 80
        assert len(accounts_in(redis_db)) == 1
        assert [live(tenant, code, clock.now) for code in ("api_calls", "storage")] == [80, 160]
        flush(clock.now)
        assert [kept(tenant, code) for code in ("api_calls", "storage")] == [80, 160]

    def test_clocks_of_workers_do_not_matter(self, tenant: Tenant, clock: Clock) -> None:
        for hours in (-1_000, -1, 1, 1_000):
            decision = consume(tenant, calls(), at=clock.now + timedelta(hours=hours))
            assert (decision.is_counted, decision.period.first.isoformat()) == (True, "2026-11-01")
        assert live(tenant, "api_calls", clock.now) == 4
        assert live(tenant, "api_calls", clock.now - timedelta(hours=1_000)) == 4

    def test_metric_the_plan_lacks_is_refused(self, tenant: Tenant, clock: Clock) -> None:
        Metric.objects.create(code="seats", name="Seats", noun="seats", kind=Metric.Kind.SUM)
        decision = consume(tenant, Charge("seats"), at=clock.now)
        assert decision.refused
        assert (decision.refused.gauge.limit, decision.gauges[0].used) == (0, 0)

    def test_metric_added_to_an_open_account_is_counted(
        self, tenant: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(catalogue, "UNKNOWN_SECONDS", 0)
        consume(tenant, calls(), at=clock.now)
        seats = Metric.objects.create(code="seats", name="Seats", noun="seats", kind=Metric.Kind.LEVEL)
        Allowance.objects.create(plan=Plan.objects.get(slug="free"), metric=seats, included=4)
        assert consume(tenant, Charge("seats", 4), calls(), at=clock.now).allowed
        assert consume(tenant, Charge("seats", 1), at=clock.now).refused
        assert live(tenant, "api_calls", clock.now) == 2


class TestHealing:
    @pytest.mark.parametrize("loss", LOSSES)
    def test_goes_on_from_what_was_flushed(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis, loss: str
    ) -> None:
        for charge in (
            calls(600),
            Charge("storage", 80),
            Charge("storage", -30),
            Charge("users", member="ada"),
        ):
            consume(tenant, charge, at=clock.now)
        flush(clock.now)
        consume(tenant, calls(7), Charge("storage", 9), at=clock.now)  # not flushed: lost
        LOSSES[loss](redis_db)
        clock.move_to(clock.now)
        consume(tenant, calls(1), Charge("storage", 1), Charge("users", member="bob"), at=clock.now)
        flush(clock.now)
        for amounts in (
            [live(tenant, code, clock.now) for code in ("api_calls", "storage", "users")],
            [kept(tenant, code) for code in ("api_calls", "storage", "users")],
        ):
            assert amounts == [601, 51, 2]
        assert consume(tenant, calls(400), at=clock.now).refused
        assert consume(tenant, Charge("users", member="ada"), at=clock.now).gauges[0].used == 2

    def test_another_life_brings_what_survived_to_postgresql_first(
        self, tenant: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        consume(tenant, calls(600), Charge("storage", 80), Charge("users", member="ada"), at=clock.now)
        with another_life(monkeypatch, "next"):
            assert consume(tenant, calls(1), at=clock.now).remaining == 399
            assert [kept(tenant, code) for code in ("api_calls", "storage", "users")] == [600, 80, 1]
            assert live(tenant, "storage", clock.now) == 80
            flush(clock.now)
        assert kept(tenant, "api_calls") == 601

    def test_older_copy_of_redis_counts_nothing_twice(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        consume(tenant, calls(100), Charge("storage", 80), at=clock.now)
        copy: dict[bytes, Any] = {name: redis_db.dump(name) for name in redis_db.scan_iter("hr:*")}
        consume(tenant, calls(50), Charge("storage", -60), at=clock.now)
        flush(clock.now)
        redis_db.flushdb()
        for name, content in copy.items():
            redis_db.restore(name, 0, content)
        clock.tick(seconds=1)
        with another_life(monkeypatch, "next"):
            consume(tenant, calls(1), Charge("storage", 1), at=clock.now)
            flush(clock.now)
            assert [live(tenant, code, clock.now) for code in ("api_calls", "storage")] == [151, 21]
        assert [kept(tenant, code) for code in ("api_calls", "storage")] == [151, 21]

    def test_counts_of_a_tenant_that_was_forgotten_are_kept_before_they_go(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        consume(tenant, calls(600), at=clock.now)
        redis_db.delete(keys.tenant(tenant.pk))
        clock.tick(hours=1)
        assert consume(tenant, calls(1), at=clock.now).remaining == 399


class TestPeriods:
    def test_sum_and_distinct_begin_again_and_a_level_carries_over(
        self, tenant: Tenant, clock: Clock
    ) -> None:
        clock.move_to(datetime.fromisoformat("2026-11-30T23:59:59Z"))
        everything = calls(1_000), Charge("storage", 60), Charge("users", member="ada")
        assert consume(tenant, *everything, at=clock.now).allowed
        assert consume(tenant, calls(), at=clock.now).refused
        late = clock.now
        clock.tick(seconds=1)
        decision = consume(tenant, calls(), Charge("storage", 1), Charge("users", member="ada"), at=late)
        assert [gauge.used for gauge in decision.gauges] == [1, 61, 1]
        assert decision.period.first.isoformat() == "2026-12-01"
        flush(clock.now)
        assert [kept(tenant, "api_calls", period=f"2026-{month}-01") for month in (11, 12)] == [1_000, 1]

    def test_new_anchor_acts_from_the_next_period(self, tenant: Tenant, clock: Clock) -> None:
        consume(tenant, calls(400), at=clock.now)
        change_anchor(tenant, 15, clock.now)
        tenant.save()
        assert consume(tenant, calls(1), at=clock.now).remaining == 599
        for day, remaining in (("2026-12-01", 999), ("2026-12-14", 998), ("2026-12-15", 999)):
            clock.move_to(datetime.fromisoformat(f"{day}T10:00:00Z"))
            decision = consume(tenant, calls(1), at=clock.now)
            assert (day, decision.remaining) == (day, remaining)

    def test_process_that_remembers_the_former_anchor_counts_in_the_right_period(
        self, tenant: Tenant, clock: Clock
    ) -> None:
        remembered = Tenant.objects.get(pk=tenant.pk)
        change_anchor(tenant, 15, clock.now)
        tenant.save()
        clock.move_to(datetime.fromisoformat("2026-12-16T10:00:00Z"))
        assert consume(remembered, calls(1), at=clock.now).period.first.isoformat() == "2026-12-15"
        assert consume(tenant, calls(1), at=clock.now).remaining == 998
