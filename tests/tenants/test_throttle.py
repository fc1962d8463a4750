"""Attempts are counted per window, in a cache that may be away."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.core.cache import caches
from django.test import RequestFactory
from pytest_django import Settings

from tenants.throttle import Door, Throttle, network_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a window of 15 minutes begins here
THREE = Throttle("three", 3)


@pytest.mark.usefixtures("redis_db")
class TestThrottle:
    def test_lets_as_many_pass_as_it_says_then_names_the_wait(self) -> None:
        at = NOON + timedelta(minutes=5)
        assert [THREE.count("ann", at) for _ in range(5)] == [0, 0, 0, 600, 600]

    def test_begins_anew_with_the_next_window(self) -> None:
        for _ in range(5):
            THREE.count("ann", NOON)
        assert THREE.count("ann", NOON + timedelta(minutes=15)) == 0

    def test_counts_each_subject_by_itself(self) -> None:
        for _ in range(5):
            THREE.count("ann", NOON)
        assert THREE.count("bob", NOON) == 0

    def test_what_is_given_back_counts_no_more(self) -> None:
        for _ in range(20):
            assert THREE.count("ann", NOON) == 0
            THREE.give_back("ann", NOON)

    def test_giving_back_in_the_next_window_does_nothing(self) -> None:
        THREE.count("ann", NOON)
        later = NOON + timedelta(minutes=15)
        THREE.give_back("ann", later)
        assert [THREE.count("ann", later) for _ in range(4)] == [0, 0, 0, 900]

    def test_parallel_attempts_share_the_limit(self) -> None:
        def attempt(_: int) -> int:
            try:
                return THREE.count("ann", NOON)
            finally:
                caches.close_all()

        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(attempt, range(40)))
        assert waits.count(0) == 3


class TestWithoutCache:
    def test_allows_and_says_so_in_the_log(
        self, settings: Settings, unused_port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{unused_port}/0"}
        }
        with caplog.at_level(logging.WARNING):
            assert [THREE.count("ann", NOON) for _ in range(5)] == [0] * 5
        THREE.give_back("ann", NOON)
        assert "attempts at three are not throttled" in caplog.text


@pytest.mark.usefixtures("redis_db")
class TestDoor:
    def test_stops_one_person_early_and_a_whole_network_later(self) -> None:
        door = Door(Throttle("person", 2), Throttle("network", 5))
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
        elsewhere = RequestFactory().get("/", REMOTE_ADDR="192.0.2.2")
        assert [door.knock(request, "Ann@x.example ", NOON) for _ in range(3)] == [0, 0, 900]
        assert door.knock(elsewhere, "ann@x.example", NOON) == 0
        names = count()
        assert [door.knock(request, f"{next(names)}@x.example", NOON) for _ in range(3)] == [0, 0, 900]


class TestNetworkOf:
    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            ("", "unknown"),
            ("unix:", "unknown"),
        ],
    )
    def test_is_what_one_customer_can_not_change_at_will(self, address: str, network: str) -> None:
        assert network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == network

    @pytest.mark.parametrize(("behind", "network"), [(False, "192.0.2.1"), (True, "198.51.100.7")])
    def test_believes_the_last_forwarded_address_only_behind_a_proxy(
        self, settings: Settings, behind: bool, network: str
    ) -> None:
        settings.HEADROOM_BEHIND_PROXY = behind
        request = RequestFactory().get(
            "/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "203.0.113.5, 198.51.100.7"}
        )
        assert network_of(request) == network
