"""System checks refuse to deploy what is only meant for the demo."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from config import checks

GOOD = "a-long-random-value-that-nobody-else-has-0123456789"


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


class TestProduction:
    @pytest.fixture(autouse=True)
    def _own_servers(self, settings: Settings) -> None:
        settings.IS_EMBEDDED = False
        settings.DATABASE_URL = "postgresql://db.example/headroom"
        settings.REDIS_URL = "redis://redis.example/0"
        settings.SECRET_KEY = GOOD

    def test_may_use_servers_and_a_secret_of_its_own(self) -> None:
        assert checks.production_brings_its_own() == []

    def test_may_not_use_the_embedded_servers(self, settings: Settings) -> None:
        settings.IS_EMBEDDED = True
        assert ids(checks.production_brings_its_own()) == ["headroom.E001", "headroom.E002"]

    def test_must_name_its_redis(self, settings: Settings) -> None:
        settings.REDIS_URL = ""
        assert ids(checks.production_brings_its_own()) == ["headroom.E002"]

    def test_may_not_use_the_demos_secret(self, settings: Settings) -> None:
        settings.SECRET_KEY = "not-a-secret-only-for-demo-and-tests"
        assert ids(checks.production_brings_its_own()) == ["headroom.E003"]


class TestHeaders:
    def test_an_unknown_kind_is_named(self, settings: Settings) -> None:
        settings.HEADROOM_RATELIMIT_HEADERS = "etf"
        (found,) = checks.quota_headers_are_known()
        assert "'etf'" in found.msg
        assert found.id == "headroom.E004"


class TestHours:
    @pytest.mark.parametrize(("days", "found"), [(35, []), (34, ["headroom.E005"])])
    def test_are_kept_for_a_period_and_some_days(
        self, settings: Settings, days: int, found: list[str]
    ) -> None:
        settings.HEADROOM_KEEP_HOURS = timedelta(days=days)
        assert ids(checks.hours_are_kept_for_a_period()) == found


class TestGrace:
    @pytest.mark.parametrize(("minutes", "found"), [(60, []), (59, ["headroom.E006"])])
    def test_lasts_as_long_as_calls_are_replayed(
        self, settings: Settings, minutes: int, found: list[str]
    ) -> None:
        settings.HEADROOM_CLOSE_GRACE = timedelta(minutes=minutes)
        assert ids(checks.periods_close_after_replays()) == found
