"""/metrics: what was decided, how long it took, what waits; for who may read it, and never by tenant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from billing.models import Metric
from tenants.models import Tenant, User
from tests.usage.outages import median_of, recovered, redis_behind_proxy
from usage.metering import Charge, CountsUnavailable, catalogue, consume
from usage.metering.charges import pack
from usage.metering.tally import KEY, Tally, report, reporter, tally
from usage.models import Alert, Delivery, Heartbeat
from usage.reports.vitals import quantile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

TOKEN = "a token of its own"


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.HEADROOM_METRICS_TOKEN = TOKEN
    tally.begin()


def samples(client: Client) -> dict[str, float]:
    """Name and labels -> value, as a parser of the format reads them."""
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response["Content-Type"].startswith("application/openmetrics-text")
    found = {}
    read: Callable[[str], Iterator[Any]] = text_string_to_metric_families
    for family in read(response.content.decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = float(sample.value)
    return found


def use(tenant: Tenant, *charges: Charge) -> None:
    consume(tenant, *charges, at=timezone.now())


class TestDecisions:
    def test_are_summed_by_outcome_and_metric(self, client: Client, tenant: Tenant) -> None:
        use(tenant, Charge("api_calls"), Charge("storage", 5))
        use(tenant, Charge("api_calls"))
        use(tenant, Charge("storage", 10**12), Charge("api_calls"))
        report()
        found = samples(client)
        assert found["headroom_decisions_total{metric=api_calls,outcome=allowed}"] == 2
        assert found["headroom_decisions_total{metric=storage,outcome=allowed}"] == 1
        assert found["headroom_decisions_total{metric=storage,outcome=refused}"] == 1
        assert found["headroom_check_seconds_count{}"] == found["headroom_check_seconds_bucket{le=+Inf}"] == 3
        assert 0 < found["headroom_check_seconds_sum{}"] < 10

    def test_of_several_processes_add_up(self, client: Client, tenant: Tenant) -> None:
        use(tenant, Charge("api_calls"))
        report()
        tally.begin()
        use(tenant, Charge("api_calls"))
        report()
        assert samples(client)["headroom_decisions_total{metric=api_calls,outcome=allowed}"] == 2

    def test_name_no_tenant(self, client: Client, tenant: Tenant) -> None:
        use(tenant, Charge("api_calls", label="GET /northwind"))
        report()
        body = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
        assert "northwind" not in body.lower()

    def test_cost_next_to_nothing(self) -> None:
        """Much less than a microsecond; a busy machine may take more."""
        own, packed = Tally(), [pack(Charge("api_calls"))]
        assert median_of(2_000, lambda: own.note("allowed", packed, 0.0004)) < 20e-6

    def test_of_many_threads_are_all_counted(self) -> None:
        own, packed = Tally(), [pack(Charge("api_calls"))]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: own.note("allowed", packed, 0.0004), range(20_000)))
        counts = own.take()
        assert (counts["allowed:api_calls"], counts["le:0"], own.take()) == (20_000, 20_000, {})


@pytest.mark.django_db(transaction=True)
class TestOutage:
    def test_is_told_when_it_is_over(self, client: Client, tenant: Tenant) -> None:
        use(tenant, Charge("api_calls"))
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            use(tenant, Charge("api_calls"))
            Metric.objects.filter(code="api_calls").update(on_outage="refuse")
            catalogue.forget()
            with pytest.raises(CountsUnavailable):
                use(tenant, Charge("api_calls"))
            assert not report()
            during = samples(client)
            assert during["headroom_redis_up{}"] == 0
            assert "headroom_dirty_hours{}" not in during
            proxy.be("on")
            recovered()
            assert report()
        found = samples(client)
        assert found["headroom_redis_up{}"] == 1
        for outcome in ("allowed", "uncounted", "unavailable"):
            assert found[f"headroom_decisions_total{{metric=api_calls,outcome={outcome}}}"] == 1

    def test_shows_what_processes_hold(self, client: Client) -> None:
        now = timezone.now()
        for number, ago in ((1, 1), (2, 2), (3, 60)):
            detail = {"held": 10, "is_open": number == 1}
            Heartbeat.objects.create(
                name=f"outage web:{number}", at=now - timedelta(seconds=ago), detail=detail
            )
        found = samples(client)
        assert (found["headroom_held{}"], found["headroom_breakers_open{}"]) == (20, 1)


class TestWhatWaits:
    def test_is_measured(self, client: Client, tenant: Tenant, redis_db: redis.Redis) -> None:
        now = timezone.now()
        use(tenant, Charge("api_calls"))
        Heartbeat.objects.create(name="flush", at=now - timedelta(seconds=4))
        run = {"found": 2}
        Heartbeat.objects.create(name="reconcile", at=now - timedelta(minutes=3), detail={"runs": [run]})
        alert = Alert.objects.create(
            tenant=tenant,
            metric=Metric.objects.get(code="api_calls"),
            period="2026-11-01",
            used=1,
            is_sent=True,
            at=now,
        )
        for number, due in enumerate((-30, -10, 600)):
            Delivery.objects.create(
                tenant=tenant,
                alert=alert,
                channel="email",
                target=f"{number}@x.example",
                due_at=now + timedelta(seconds=due),
                created_at=now,
            )
        found = samples(client)
        assert found["headroom_dirty_hours{}"] == 1
        assert 4 <= found["headroom_flush_lag_seconds{}"] < 60
        assert 30 <= found["headroom_queue_age_seconds{}"] < 90
        assert (found["headroom_queue_due{}"], found["headroom_queue_waiting{}"]) == (2, 1)
        assert found["headroom_deliveries_last_day{channel=email,outcome=waiting}"] == 3
        assert found["headroom_reconcile_differences{}"] == 2
        assert found["headroom_limit_change_age_seconds{}"] == 0


class TestReaders:
    def test_bring_the_token_or_are_staff(
        self, client: Client, client_for: Callable[[User], Client], owner: User, staff: User, settings: Any
    ) -> None:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 401
        assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client_for(owner).get("/metrics").status_code == 401
        assert client_for(staff).get("/metrics").status_code == 200
        settings.HEADROOM_METRICS_TOKEN = ""
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


class TestReport:
    def test_runs_beside_the_requests(
        self, tenant: Tenant, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reporter, "_pause", 0.05)
        use(tenant, Charge("api_calls"))
        deadline = time.monotonic() + 20
        while not redis_db.hexists(KEY, "allowed:api_calls"):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def test_quantiles_are_upper_ends_of_buckets(self) -> None:
        assert quantile([0] * 10, 0.99) is None
        assert quantile([99, 0, 1, 0, 0, 0, 0, 0, 0, 0], 0.99) == 0.0005
        assert quantile([98, 0, 2, 0, 0, 0, 0, 0, 0, 0], 0.99) == 0.002
        assert quantile([0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 0.5) == 0.25
