"""Asks for pages as bench/pages.py measures them: through the WSGI application, and once over a real connection."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from config.processes import Group
from config.serve import web, web_environment
from tenants.models import User

HOST = "127.0.0.1"
IS_CPU = os.environ.get("CLOCK") == "cpu"
SEEN = re.compile(r'id="seen" name="seen" value="([\w-]+)"')
ASSET = re.compile(r'<(?:link|script|img)[^>]*?(?:href|src)="(/[^"]+)"')
BOUNDS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")  # of transactions: no queries
ENCODINGS = "gzip, deflate, br, zstd"  # what Chromium accepts


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what for, in whose session, and whether by HTMX."""

    path: str
    cookie: str
    is_htmx: bool = False

    @property
    def headers(self) -> dict[str, str]:
        htmx = {"HX-Request": "true"} if self.is_htmx else {}
        return {
            "Cookie": f"sessionid={self.cookie}",
            "Host": "localhost",
            "Accept-Encoding": ENCODINGS,
            **htmx,
        }


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one page, and its most queries."""

    median: float
    p95: float
    queries: int


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes of bodies as they are sent, and how many requests they took."""

    bytes: int
    requests: int


class Watch:
    """How long it is since; with CLOCK=cpu how long this process and its PostgreSQL were at work.

    That is for a machine with other things to do, on Linux and with a PostgreSQL of its own.
    """

    def __init__(self) -> None:
        connection.ensure_connection()
        self.server = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
        self.begun = self._now()

    def milliseconds(self) -> float:
        return (self._now() - self.begun) * 1000

    def _now(self) -> float:
        if not IS_CPU:
            return time.perf_counter()
        return time.process_time() + int(self.server.read_text().split()[0]) / 10**9


def forget() -> None:
    """What pages remember for a minute; `clear` would empty the Redis that counts, too."""
    pages: Any = cache
    pages.delete_pattern("*")


def session_of(user: User) -> str:
    """The cookie of a browser in which `user` signed in."""
    browser = Client()
    browser.force_login(user)
    return browser.cookies["sessionid"].value


class Application:
    """The application that granian serves, called in this process."""

    def __init__(self) -> None:
        self.run = get_wsgi_application()
        connection.settings_dict["CONN_MAX_AGE"] = None  # none of them ends of age while it is watched

    def ask(self, asked: Asked) -> tuple[int, str]:
        """Status and text of the answer."""
        statuses: list[int] = []

        def start(status: str, _headers: object, _error: object = None, /) -> Callable[[bytes], object]:
            statuses.append(int(status[:3]))
            return len  # for a body that is written by hand, as nobody does

        headers = {name: value for name, value in asked.headers.items() if name != "Accept-Encoding"}
        request = RequestFactory().get(asked.path, headers=headers)
        answer: Any = self.run(request.environ, start)
        body = b"".join(answer)
        answer.close()
        return statuses[0], body.decode()

    def poll(self, page: Asked) -> Asked:
        """A poll from a page that shows what is true now: nothing has changed."""
        found = SEEN.search(self.ask(page)[1])
        if found is None:
            raise LookupError(f"{page.path} shows no version.")
        return Asked(f"{page.path}?seen={found[1]}", page.cookie, is_htmx=True)

    def measure(self, asked: Sequence[Asked], turns: int, *, is_unchanged: bool) -> Times:
        """Ask for each in turn; of `turns` the first begins with nothing remembered, as once a minute."""
        for one in asked[:2]:
            self.ask(one)
        taken, queries = [], 0
        for page in asked:
            one = self.poll(page) if is_unchanged else page
            forget()
            for _ in range(turns):
                watch = Watch()
                status = self.ask(one)[0]
                taken.append(watch.milliseconds())
                if status >= http.client.MULTIPLE_CHOICES:
                    raise LookupError(f"{one.path} answered {status}.")
        for one in asked[:4]:
            self.ask(one)  # what a process asks every few seconds, whatever it shows, is no page's query
            forget()
            with CaptureQueriesContext(connection) as captured:
                self.ask(one)
            queries = max(queries, sum(not query["sql"].startswith(BOUNDS) for query in captured))
        return Times(statistics.median(taken), statistics.quantiles(taken, n=20)[18], queries)


@contextmanager
def served(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The web server as `make run` starts it; yields its port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    with Group(folder) as group:
        group.start("web", web(HOST, port), {**web_environment(), **environment})
        deadline = time.monotonic() + 60
        while not _answers(port):
            if group.ended() or time.monotonic() > deadline:
                raise RuntimeError(group.log_of("web").read_text())
            time.sleep(0.1)
        yield port


def _answers(port: int) -> bool:
    try:
        return _get(port, "/healthz", {"Host": "localhost"})[0] == http.client.OK
    except OSError:
        return False


def fetch(port: int, asked: Asked, *, is_first: bool) -> Sent:
    """A page over a connection; the first one brings everything that the browser has to have for it."""
    status, size, text = _get(port, asked.path, asked.headers)
    if status >= http.client.BAD_REQUEST:
        raise LookupError(f"{asked.path} answered {status}.")
    assets = sorted(set(ASSET.findall(text))) if is_first else []
    for path in assets:
        size += _get(port, path, asked.headers)[1]
    return Sent(size, 1 + len(assets))


def _get(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, int, str]:
    """Status, bytes as sent, and the text."""
    line = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        line.request("GET", path, headers=dict(headers))
        answer = line.getresponse()
        body = answer.read()
    finally:
        line.close()
    is_gzipped = answer.headers.get("Content-Encoding") == "gzip"
    text = (gzip.decompress(body) if is_gzipped else body).decode(errors="replace")
    return answer.status, len(body), text
