"""Connections over a real socket: a lost answer is asked for once more, and counted once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from django.utils import timezone

from billing.models import Metric
from tenants.models import Tenant
from tests.usage.counting import flush, kept, live
from tests.usage.outages import recovered, redis_behind_proxy
from tests.usage.proxy import Proxy
from usage.metering import Charge, CountsUnavailable, catalogue, consume, keys, links, outage, scripts
from usage.metering.links import Link, Unanswered

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

DEADLINE = 1.5


@pytest.fixture
def proxy(redis_db: redis.Redis, tenant: Tenant) -> Iterator[Proxy]:
    """Redis is behind it, and the tenant's account has been open for long."""
    with redis_behind_proxy(DEADLINE) as found:
        call(tenant)
        redis_db.hset(keys.tenant(tenant.pk), "opened", 0)
        call(tenant)
        yield found


def call(tenant: Tenant) -> bool:
    """One API call and a byte of storage; whether they were counted at once."""
    return consume(tenant, Charge("api_calls"), Charge("storage", 1), at=timezone.now()).is_counted


def units(tenant: Tenant) -> set[int]:
    """What Redis and PostgreSQL say of both metrics, which is the same."""
    recovered()
    flush(timezone.now())
    codes = "api_calls", "storage"
    return {live(tenant, one, timezone.now()) for one in codes} | {kept(tenant, one) for one in codes}


class TestLostAnswers:
    @pytest.mark.parametrize("loss", ["cut", "nothing"])
    @pytest.mark.parametrize("times", [1, 2])
    def test_are_asked_for_again_and_counted_once(
        self, proxy: Proxy, tenant: Tenant, loss: str, times: int
    ) -> None:
        proxy.losses = [loss] * times  # type: ignore[list-item]
        assert call(tenant)
        assert not proxy.losses
        assert units(tenant) == {3}

    def test_that_stay_lost_are_counted_once_afterwards(self, proxy: Proxy, tenant: Tenant) -> None:
        proxy.losses = ["cut"] * 3
        assert not call(tenant)
        assert len(outage.held) == 1
        assert units(tenant) == {3}

    def test_of_a_call_that_was_never_executed_are_counted_once_afterwards(
        self, proxy: Proxy, tenant: Tenant
    ) -> None:
        """It hangs on the way, and its line ends there."""
        proxy.be("hang")
        assert not call(tenant)
        proxy.be("refuse")
        proxy.be("on")
        assert units(tenant) == {3}


class TestRefusedConnections:
    def test_execute_nothing(self, proxy: Proxy) -> None:
        proxy.be("refuse")
        with links.links().one() as link, pytest.raises(Unanswered) as caught:
            link.call(scripts.CONSUME, bytes)
        assert not caught.value.is_executed
        assert link.age == 0

    def test_follow_the_metrics_policy(self, proxy: Proxy, tenant: Tenant) -> None:
        proxy.be("refuse")
        decision = consume(tenant, Charge("api_calls"), at=timezone.now())
        assert (decision.allowed, decision.is_counted, decision.remaining) == (True, False, None)
        Metric.objects.filter(code="storage").update(on_outage="refuse")
        catalogue.forget()
        with pytest.raises(CountsUnavailable, match="storage"):
            call(tenant)
        proxy.be("on")
        recovered()
        assert live(tenant, "api_calls", timezone.now()) == 3
        assert live(tenant, "storage", timezone.now()) == 2


class TestLink:
    def test_closed_by_the_server_meanwhile_is_made_anew_before_it_is_used(
        self, proxy: Proxy, tenant: Tenant, redis_db: redis.Redis
    ) -> None:
        proxy.be("refuse")  # ends all lines
        proxy.be("on")
        assert call(tenant)
        assert units(tenant) == {3}

    def test_loads_a_script_that_redis_does_not_know(
        self, proxy: Proxy, tenant: Tenant, redis_db: redis.Redis
    ) -> None:
        redis_db.script_flush()
        assert call(tenant)
        assert units(tenant) == {3}

    def test_knows_which_life_of_redis_it_speaks_to(self, proxy: Proxy, redis_db: redis.Redis) -> None:
        server, replication = redis_db.info("server"), redis_db.info("replication")
        with links.links().one() as link:
            life = link.life().decode()
        assert life == f"{server['run_id'][:16]}.{replication['master_replid'][:16]}"

    def test_looks_again_which_life_it_is(self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[bytes] = []
        ask = Link.ask

        def listen(link: Link, *command: bytes) -> object:
            asked.append(command[0])
            return ask(link, *command)

        monkeypatch.setattr(Link, "ask", listen)
        with links.links().one() as link:
            link.life(fresh=True)
            link.life()
            assert asked == [b"INFO", b"INFO"]
            monkeypatch.setattr(links, "LIFE_SECONDS", 0)
            link.life()
        assert len(asked) == 4

    def test_there_are_as_many_as_threads_ask_for(self, proxy: Proxy) -> None:
        with ExitStack() as stack:
            held = [stack.enter_context(links.links().one()) for _ in range(150)]
            assert len({link.actor for link in held}) == 150
            assert held[-1].ask(b"PING") == b"PONG"
