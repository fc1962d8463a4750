"""What tests of outages share: servers behind a proxy, load from many threads, waiting until all is well again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, connections
from django.test import Client

from tests.usage.proxy import Proxy
from usage.metering import links, outage

THREADS = 16
WITHIN = 30.0
DEADLINE = 0.1  # seconds, as it is by default


@contextmanager
def redis_behind_proxy(deadline: float = DEADLINE) -> Iterator[Proxy]:
    """Counting reaches Redis through the proxy; what is held is counted, or dropped, before the end."""
    url = urlsplit(settings.HEADROOM_REDIS_URL)
    with Proxy((str(url.hostname), url.port or 6379)) as proxy:
        login = f":{url.password}@" if url.password else ""
        before, settings.HEADROOM_REDIS_DEADLINE = settings.HEADROOM_REDIS_DEADLINE, deadline
        settings.HEADROOM_REDIS_URL = f"redis://{login}127.0.0.1:{proxy.port}{url.path}"
        links.forget()
        try:
            yield proxy
            proxy.be("on")
            recovered()
        finally:
            settings.HEADROOM_REDIS_URL = url.geturl()
            settings.HEADROOM_REDIS_DEADLINE = before
            outage.begin()
            links.forget()


@contextmanager
def postgres_behind_proxy() -> Iterator[Proxy]:
    """New connections of all threads reach PostgreSQL through the proxy."""
    place = connections.settings["default"]
    direct = {name: place[name] for name in ("HOST", "PORT")}
    port = place["PORT"] or 5432
    is_socket = str(place["HOST"]).startswith("/")
    target = f"{place['HOST']}/.s.PGSQL.{port}" if is_socket else (str(place["HOST"]), int(port))
    with Proxy(target) as proxy:
        connection.close()
        place.update(HOST="127.0.0.1", PORT=proxy.port)
        try:
            yield proxy
        finally:
            connection.close()
            place.update(direct)


def recovered() -> None:
    """Wait until nothing is held and Redis is asked again."""
    outage.recover()
    until(lambda: not outage.held and not outage.breaker.is_open)


def until(is_so: Callable[[], object]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WITHIN
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Load:
    """Threads that ask for one address again and again; a context. `statuses` counts the answers."""

    def __init__(self, secret: str, path: str = "/one", threads: int = THREADS) -> None:
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._path = path
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(WITHIN)
            assert not thread.is_alive()

    def _ask(self) -> None:
        client = Client(raise_request_exception=False)
        while not self._ends.wait(0.02):
            begun = time.perf_counter()
            status = client.get(self._path, headers=self._headers).status_code
            with self._lock:
                self.statuses[status] += 1
                self.seconds.append(time.perf_counter() - begun)
        connection.close()


def median_of(times: int, do: Callable[[], object]) -> float:
    """Seconds that doing it takes, the middle of so many times."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[times // 2]
