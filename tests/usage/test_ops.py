"""What load balancers ask: alive, and ready or what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.usage.outages import redis_behind_proxy
from usage.models import Heartbeat

pytestmark = pytest.mark.usefixtures("redis_db")


def flushed(**ago: float) -> None:
    Heartbeat.objects.create(name="flush", at=timezone.now() - timedelta(**ago))


class TestAlive:
    def test_asks_no_server(self, client: Client) -> None:
        """Without the fixture of a database every query would fail."""
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            response = client.get("/healthz")
        assert (response.status_code, response.content) == (200, b"ok\n")
        assert "no-store" in response["Cache-Control"]

    def test_is_not_sent_to_tls(self, client: Client, settings: object) -> None:
        settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]
        assert client.get("/healthz").status_code == 200
        assert client.get("/sign-in/").status_code == 301


@pytest.mark.django_db(transaction=True)
class TestReady:
    def test_where_all_is_well(self, client: Client) -> None:
        flushed(seconds=1)
        response = client.get("/readyz")
        assert response.status_code == 200
        told = response.json()
        assert (told["status"], set(told["checks"].values())) == ("ready", {"ok"})
        assert 1 <= told["flush_lag_seconds"] < 20

    def test_not_while_redis_is_away(self, client: Client) -> None:
        flushed(seconds=1)
        with redis_behind_proxy() as proxy:
            proxy.be("hang")
            response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"] == {
            "postgresql": "ok",
            "redis": "Redis does not answer: see REDIS_URL.",
            "flush": "ok",
        }

    def test_not_while_postgresql_is_away(
        self, client: Client, postgres_away: Callable[[], AbstractContextManager[None]]
    ) -> None:
        with postgres_away():
            response = client.get("/readyz")
        assert response.status_code == 503
        checks = response.json()["checks"]
        assert checks["postgresql"].startswith("PostgreSQL does not answer")
        assert checks["redis"] == "ok"

    def test_not_while_the_flush_is_stuck(self, client: Client) -> None:
        flushed(minutes=2)
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "120 s ago" in response.json()["checks"]["flush"]

    def test_not_before_anything_was_flushed(self, client: Client) -> None:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "start a Celery worker" in response.json()["checks"]["flush"]

    def test_says_nothing_to_who_posts(self, client: Client) -> None:
        assert client.post("/readyz").status_code == 405
