"""Redis refuses, hangs, is slow, flaps or cuts its answers: requests go on, and each is counted once afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from billing.models import Metric
from tenants.keys import create_key
from tenants.models import Tenant
from tests.conftest import LONG_AGO, MakeTenant
from tests.usage.counting import flush, kept, live
from tests.usage.outages import Load, median_of, recovered, redis_behind_proxy, until
from tests.usage.proxy import Mode, Proxy
from usage.metering import (
    Charge,
    CountsUnavailable,
    catalogue,
    consume,
    decisions,
    held,
    measure,
    outage,
    record,
)
from usage.metering.accounts import Opening, look
from usage.metering.breaker import LEAST

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.counting,
    pytest.mark.urls("tests.usage.quota_urls"),
]

AWAY: list[Mode] = ["refuse", "hang", "slow"]


@pytest.fixture
def proxy(redis_db: object) -> Iterator[Proxy]:
    with redis_behind_proxy() as found:
        yield found


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    """One with room for a load, and an account that is open."""
    return make_tenant("acme", "enterprise")


@pytest.fixture
def key(tenant: Tenant, proxy: Proxy) -> str:
    call(tenant)
    return create_key(tenant, name="load", at=LONG_AGO).secret


def call(tenant: Tenant, *charges: Charge) -> bool:
    """Consume, one API call where nothing is given; whether it was counted at once."""
    return consume(tenant, *(charges or [Charge("api_calls")]), at=timezone.now()).is_counted


def away(proxy: Proxy, mode: Mode, tenant: Tenant) -> int:
    """Break Redis and call until the breaker is open; returns how many calls that took."""
    proxy.be(mode)
    calls = 0
    while not outage.breaker.is_open:
        assert calls < 50
        call(tenant)
        calls += 1
    return calls


def counted(tenant: Tenant, code: str = "api_calls") -> int:
    """Units in PostgreSQL after everything was handed over and flushed; Redis says the same."""
    recovered()
    flush(timezone.now())
    units = kept(tenant, code)
    assert live(tenant, code, timezone.now()) == units
    return units


class TestLoad:
    @pytest.mark.parametrize("mode", AWAY)
    def test_goes_on_and_is_counted_once(self, proxy: Proxy, tenant: Tenant, key: str, mode: Mode) -> None:
        with Load(key) as load:
            for behaviour in ("on", mode, "on"):
                proxy.be(behaviour)
                time.sleep(1)
        assert set(load.statuses) == {200}
        assert counted(tenant) == 1 + load.statuses[200]

    def test_of_a_flapping_redis(self, proxy: Proxy, tenant: Tenant, key: str) -> None:
        def flap() -> bool:
            for behaviour in ("cut", "on", "refuse", "on", "hang", "on"):
                proxy.be(behaviour)
                time.sleep(0.12)
            return proxy.cuts > 3

        with Load(key) as load:
            for _ in range(3):
                flap()
            until(flap)
        assert set(load.statuses) == {200}
        assert counted(tenant) == 1 + load.statuses[200]

    @pytest.mark.parametrize("mode", AWAY)
    def test_is_refused_where_the_metric_says_so(
        self, proxy: Proxy, tenant: Tenant, key: str, mode: Mode
    ) -> None:
        Metric.objects.filter(code="api_calls").update(on_outage="refuse")
        catalogue.forget()
        with Load(key) as load:
            until(lambda: load.statuses[200])
            proxy.be(mode)
            until(lambda: load.statuses[503])
        assert set(load.statuses) == {200, 503}


class TestTime:
    @pytest.mark.parametrize("mode", AWAY)
    def test_of_a_call_is_bounded_by_the_deadline(self, proxy: Proxy, tenant: Tenant, mode: Mode) -> None:
        call(tenant)
        proxy.be(mode)
        begun = time.perf_counter()
        call(tenant)
        assert time.perf_counter() - begun < 3 * settings.HEADROOM_REDIS_DEADLINE  # 1, and a busy machine

    @pytest.mark.parametrize("mode", AWAY)
    def test_of_a_call_is_nothing_once_the_breaker_is_open(
        self, proxy: Proxy, tenant: Tenant, mode: Mode
    ) -> None:
        call(tenant)
        assert away(proxy, mode, tenant) < 2 * LEAST  # a window may end between them
        begun = time.perf_counter()
        assert median_of(500, lambda: call(tenant)) < settings.HEADROOM_REDIS_DEADLINE / 20
        # Not one of them has waited for Redis: what looks whether it is back runs beside them.
        assert time.perf_counter() - begun < 500 * settings.HEADROOM_REDIS_DEADLINE / 20

    def test_of_a_cold_account_is_bounded_when_redis_hangs_half_way(
        self, proxy: Proxy, tenant: Tenant, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first call is answered `cold`; nothing after it is."""
        call(tenant)

        def hang_and_look(*given: Any) -> Opening:
            proxy.be("hang")
            return look(*given)

        with monkeypatch.context() as patch:
            patch.setattr(decisions, "look", hang_and_look)
            begun = time.perf_counter()
            assert not call(make_tenant("cold"))
            assert time.perf_counter() - begun < 10 * settings.HEADROOM_REDIS_DEADLINE


class TestRecovery:
    def test_counts_each_kind_as_if_nothing_had_been(self, proxy: Proxy, tenant: Tenant) -> None:
        call(tenant, Charge("storage", 50))
        away(proxy, "refuse", tenant)
        for member in ("ada", "bob", "ada"):
            call(tenant, Charge("users", member=member), Charge("storage", 10, "PUT /files"))
        record(tenant, Charge("bandwidth", 7), at=timezone.now())
        call(tenant, Charge("storage", -15, "DELETE /files"))
        proxy.be("on")
        assert counted(tenant, "users") == 2
        assert [kept(tenant, code) for code in ("storage", "bandwidth")] == [65, 7]

    def test_measured_level_stands_between_what_came_before_and_after(
        self, proxy: Proxy, tenant: Tenant
    ) -> None:
        call(tenant, Charge("storage", 50))
        away(proxy, "refuse", tenant)
        for amount in (100, 200):
            call(tenant, Charge("storage", 5))
            measure(tenant, "storage", amount, at=timezone.now())
        call(tenant, Charge("storage", 3))
        proxy.be("on")
        assert counted(tenant, "storage") == 203

    def test_counts_what_redis_had_refused_and_nobody_heard(
        self, proxy: Proxy, make_tenant: MakeTenant
    ) -> None:
        full = make_tenant("full", "free")
        assert call(full, Charge("api_calls", 1_000))
        proxy.be("cut")
        assert not call(full)  # was let pass
        proxy.be("on")
        assert counted(full) == 1_001

    def test_goes_on_where_the_hour_has_changed(
        self, proxy: Proxy, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call(tenant)
        time.sleep(2 * settings.HEADROOM_REDIS_DEADLINE)  # the account was not opened just now
        proxy.be("hang")
        call(tenant)
        earlier = timezone.now() - timedelta(hours=1)
        monkeypatch.setattr("usage.metering.outage.timezone.now", lambda: earlier)
        proxy.be("refuse")  # what hung is gone
        proxy.be("on")
        recovered()
        monkeypatch.undo()
        assert counted(tenant) == 2

    def test_survives_a_second_outage_while_it_counts(self, proxy: Proxy, tenant: Tenant) -> None:
        call(tenant)
        before = away(proxy, "hang", tenant)
        for number in range(300):
            call(tenant, Charge("api_calls", label=f"GET /{number}"))
        for mode in ("on", "hang", "on", "refuse", "on", "cut", "on"):
            proxy.be(mode)
            time.sleep(0.3)
        assert counted(tenant) == 1 + before + 300


class TestBounds:
    def test_refuse_what_can_not_be_held(
        self, proxy: Proxy, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call(tenant)
        before = away(proxy, "refuse", tenant)
        monkeypatch.setattr(held, "MOST", len(outage.held) + 3)
        for number in range(3):
            call(tenant, Charge("api_calls", label=f"GET /{number}"))
        with pytest.raises(CountsUnavailable, match="wait to be counted"):
            call(tenant, Charge("api_calls", label="GET /more"))
        proxy.be("on")
        assert counted(tenant) == 1 + before + 3

    def test_of_calls_of_unknown_fate(
        self, proxy: Proxy, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call(tenant)
        monkeypatch.setattr(held, "MOST_DOUBTFUL", 0)
        proxy.be("cut")
        with pytest.raises(CountsUnavailable, match="unknown fate"):
            call(tenant)

    def test_do_not_hold_for_what_is_put_back(
        self, proxy: Proxy, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call(tenant)
        before = away(proxy, "refuse", tenant)
        monkeypatch.setattr(held, "MOST", 0)
        with pytest.raises(CountsUnavailable):
            call(tenant)
        proxy.be("on")
        assert counted(tenant) == 1 + before
