"""What a process holds when it ends or forks, and what goes on while PostgreSQL is away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tenants import memory
from tenants.keys import create_key
from tenants.models import Tenant
from tests.conftest import LONG_AGO, MakeTenant
from tests.usage.counting import flush, kept, live
from tests.usage.outages import Load, postgres_behind_proxy, recovered, redis_behind_proxy, until
from tests.usage.proxy import Mode, Proxy
from usage.metering import Charge, CountsUnavailable, catalogue, consume

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.counting,
    pytest.mark.urls("tests.usage.quota_urls"),
]


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant("acme", "enterprise")


def now_live(tenant: Tenant) -> int:
    return live(tenant, "api_calls", timezone.now())


class TestProcess:
    """A process of its own reaches Redis through the proxy; this one does not need to."""

    @pytest.fixture
    def proxy(self, redis_db: object, tenant: Tenant) -> Iterator[Proxy]:
        consume(tenant, Charge("api_calls"), at=timezone.now())
        direct = settings.HEADROOM_REDIS_URL
        with redis_behind_proxy() as found:
            self.through_proxy, settings.HEADROOM_REDIS_URL = settings.HEADROOM_REDIS_URL, direct
            yield found

    @contextmanager
    def started(self, how: str, tenant: Tenant) -> Iterator[tuple[IO[str], Callable[[], float]]]:
        """What the process says, and a function that lets it end and returns how many seconds that took."""
        ear, mouth = os.pipe()
        place = connection.settings_dict
        database = f"postgresql://{place['USER']}:{place['PASSWORD']}@/{place['NAME']}?host={place['HOST']}"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.usage.ending", how, tenant.slug, str(ear)],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": f"{database}&port={place['PORT']}",
                "REDIS_URL": self.through_proxy,
                "HEADROOM_REDIS_DEADLINE_MS": "100",
            },
            pass_fds=[ear],
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(ear)

        def end() -> float:
            os.close(mouth)
            begun = time.monotonic()
            assert process.wait(20) == 0
            return time.monotonic() - begun

        with process:
            assert process.stdout
            yield process.stdout, end

    @pytest.mark.parametrize("how", ["itself", "child"])
    def test_hands_over_what_it_holds_when_it_ends(self, proxy: Proxy, tenant: Tenant, how: str) -> None:
        proxy.be("refuse")
        with self.started(how, tenant) as (said, end):
            assert said.readline() == "1 False\n"
            proxy.be("on")
            end()
        assert now_live(tenant) == 6

    def test_ends_in_seconds_when_it_can_not(self, proxy: Proxy, tenant: Tenant) -> None:
        proxy.be("hang")
        with self.started("itself", tenant) as (said, end):
            said.readline()
            assert end() < 10

    def test_forked_holds_nothing_of_its_parent(self, proxy: Proxy, tenant: Tenant) -> None:
        proxy.be("refuse")
        with self.started("fork", tenant) as (said, end):
            assert [said.readline(), said.readline()] == ["1 False\n", "0 True\n"]
            proxy.be("on")
            end()
        assert now_live(tenant) == 6


class TestPostgresAway:
    @pytest.fixture(autouse=True)
    def _soon_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is read is fresh for a moment only, so that a short outage is a long one."""
        monkeypatch.setattr(memory, "FRESH", timedelta(seconds=0.2))
        monkeypatch.setattr(memory, "PAUSE", timedelta(seconds=0.1))
        monkeypatch.setattr(catalogue, "SECONDS", 0.2)

    @pytest.fixture
    def key(self, tenant: Tenant, redis_db: object) -> str:
        consume(tenant, Charge("api_calls"), at=timezone.now())
        return create_key(tenant, name="load", at=LONG_AGO).secret

    @pytest.mark.parametrize("mode", ["refuse", "hang"])
    def test_open_accounts_go_on_and_nothing_is_lost(self, tenant: Tenant, key: str, mode: Mode) -> None:
        with postgres_behind_proxy() as proxy, Load(key) as load:
            until(lambda: load.statuses[200] > 50)
            proxy.be(mode)
            begun, before = time.monotonic(), load.statuses[200]
            # None waits for it, also when all that was read before is stale.
            until(lambda: time.monotonic() > begun + 2 and load.statuses[200] > before + 100)
            proxy.be("on")
            after = load.statuses[200]
            until(lambda: load.statuses[200] > after + 50)
        assert set(load.statuses) == {200}
        recovered()
        assert now_live(tenant) == 1 + load.statuses[200]
        flush(timezone.now())
        assert kept(tenant, "api_calls") == 1 + load.statuses[200]

    def test_cold_accounts_follow_their_policy(self, tenant: Tenant, key: str, redis_db: object) -> None:
        other = Tenant.objects.create(slug="cold", name="Cold")
        with postgres_behind_proxy() as proxy:
            proxy.be("refuse")
            assert not consume(other, Charge("api_calls"), at=timezone.now()).is_counted
            for metric in catalogue.catalogue().metrics.values():
                metric.on_outage = "refuse"
            with pytest.raises(CountsUnavailable):
                consume(other, Charge("api_calls"), at=timezone.now())
            proxy.be("on")
            recovered()
        assert now_live(other) == 1
