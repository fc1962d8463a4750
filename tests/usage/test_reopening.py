"""Redis is emptied or another: the accounts of active tenants are open again before they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
import redis
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from billing.models import EntitlementChange, Override
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import Clock, flush, live
from usage.metering import Charge, accounts, chores, consume, keys, record, reopening
from usage.models import UsagePeriod

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

Edit = Callable[..., None]


def calls(amount: int = 1) -> Charge:
    return Charge("api_calls", amount)


def active(tenants: list[Tenant], clock: Clock) -> None:
    """Let them have used something of each kind, all of it written down."""
    for tenant in tenants:
        record(tenant, calls(7), Charge("storage", 5_000), Charge("users", member="ann"), at=clock.now)
    flush(clock.now)


def empty(server: redis.Redis, clock: Clock) -> None:
    server.flushdb()
    clock.move_to(clock.now)  # the test's own time goes with the rest


class TestReopen:
    def test_lets_the_first_request_find_an_open_account(
        self, make_tenant: MakeTenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        tenants = [make_tenant(slug) for slug in ("one", "two")]
        active(tenants, clock)
        empty(redis_db, clock)
        assert chores.reopen(clock.now) == 2
        for tenant in tenants:
            with CaptureQueriesContext(connection) as queries:
                decision = consume(
                    tenant, calls(), Charge("storage", 1), Charge("users", member="ann"), at=clock.now
                )
            assert len(queries) == 0
            assert [gauge.used for gauge in decision.gauges] == [8, 5_001, 1]

    def test_is_done_once_in_each_life_of_redis(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        active([tenant], clock)
        empty(redis_db, clock)
        assert [chores.reopen(clock.now) for _ in range(2)] == [1, 0]
        empty(redis_db, clock)
        assert chores.reopen(clock.now) == 1

    def test_passes_over_who_was_opened_by_a_request(
        self, make_tenant: MakeTenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        first, second = (make_tenant(slug) for slug in ("first", "second"))
        active([first, second], clock)
        empty(redis_db, clock)
        consume(first, calls(), at=clock.now)
        assert chores.reopen(clock.now) == 1
        assert [live(tenant, "api_calls", clock.now) for tenant in (first, second)] == [8, 7]

    def test_leaves_out_who_is_closed_or_was_silent_for_a_week(
        self, make_tenant: MakeTenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        silent, closed, busy = (make_tenant(slug) for slug in ("silent", "closed", "busy"))
        active([silent, closed], clock)
        clock.tick(days=6)
        active([busy], clock)
        Tenant.objects.filter(pk=closed.pk).update(status=Tenant.Status.CLOSED)
        clock.tick(days=1, seconds=1)
        empty(redis_db, clock)
        assert chores.reopen(clock.now) == 1
        assert redis_db.exists(keys.tenant(busy.pk))

    def test_opens_those_used_last_first(
        self, make_tenant: MakeTenant, clock: Clock, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        early, late = (make_tenant(slug) for slug in ("early", "late"))
        active([early], clock)
        clock.tick(seconds=5)
        active([late], clock)
        empty(redis_db, clock)
        seen: list[int] = []
        opens = reopening._open

        def note(bulk: redis.Redis, ids: Sequence[int], life: bytes, at: datetime) -> int:
            seen.extend(ids)
            return opens(bulk, ids, life, at)

        monkeypatch.setattr(reopening, "CHUNK", 1)
        monkeypatch.setattr(reopening, "_open", note)
        assert chores.reopen(clock.now) == 2
        assert seen == [late.pk, early.pk]

    def test_keeps_what_survived_under_a_former_life(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        active([tenant], clock)
        consume(tenant, calls(3), at=clock.now)  # not flushed yet
        redis_db.hset(keys.tenant(tenant.pk), "life", "former")
        assert chores.reopen(clock.now) == 1
        assert live(tenant, "api_calls", clock.now) == 10
        assert sum(UsagePeriod.objects.filter(metric__code="api_calls").values_list("used", flat=True)) == 10

    def test_knows_overrides(self, tenant: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        active([tenant], clock)
        metric = UsagePeriod.objects.filter(metric__code="api_calls").get().metric
        Override.objects.create(
            tenant=tenant, metric=metric, units=5, reason="x", starts=clock.now - timedelta(days=1)
        )
        empty(redis_db, clock)
        chores.reopen(clock.now)
        assert consume(tenant, calls(999), at=clock.now).refused
        assert consume(tenant, calls(998), at=clock.now).allowed

    def test_an_edit_meanwhile_is_enforced(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The drain finds no account to rewrite, and limits read before the edit are written."""
        active([tenant], clock)
        empty(redis_db, clock)
        execute = accounts.execute

        def edit_first(*arguments: object) -> object:
            edit("free", included=8)
            chores.take_over_changes(clock.now)
            return execute(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("usage.metering.reopening.execute", edit_first)
        assert chores.reopen(clock.now) == 1
        assert EntitlementChange.objects.filter(felt_at=None).count() == 0
        assert consume(tenant, calls(2), at=clock.now).refused

    def test_is_tried_again_where_postgresql_was_away(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        active([tenant], clock)
        empty(redis_db, clock)

        def away(*_: object) -> None:
            raise OperationalError("away")

        with monkeypatch.context() as patch:
            patch.setattr(reopening, "entitlements_of", away)
            with pytest.raises(OperationalError):
                chores.reopen(clock.now)
        assert chores.reopen(clock.now) == 1
