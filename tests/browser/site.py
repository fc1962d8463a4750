"""The real programs, as `make run` starts them, on the test's own database and Redis."""

from __future__ import annotations

import http.client
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from config.processes import Group
from config.serve import background, web, web_environment
from tests.browser.world import World

HOST = "127.0.0.1"
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b")
WITHIN = 60.0  # seconds; a busy machine may take its time, nobody waits longer than needed


@dataclass(frozen=True, slots=True)
class Site:
    """Where the programs answer, and what is in their database."""

    port: int
    world: World
    group: Group

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start_background(self) -> None:
        """Workers and beat: what flushes, brings limits to where they are felt, and tells."""
        assert self.group.logs
        for name, command in background(self.group.logs / "schedule").items():
            self.group.start(name, command, _environment(self))

    def status(self, path: str, key: str = "") -> int:
        """What a program with this key is answered."""
        asked = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            asked.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            return asked.getresponse().status
        finally:
            asked.close()

    def put(self, key: str, path: str, size: int) -> int:
        """Store a file of so many bytes; the status of the answer."""
        asked = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
            asked.request("PUT", path, body=bytes(size), headers=headers)
            return asked.getresponse().status
        finally:
            asked.close()

    def ping(self, key: str) -> int:
        """One API call."""
        return self.status("/demo/api/ping", key)


def eventually(check: Callable[[], object], within: float = WITHIN) -> None:
    """Return as soon as it is true."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not within {within:.0f} s"
        time.sleep(0.05)


@contextmanager
def running(world: World, folder: Path) -> Iterator[Site]:
    """The web server, until the end of the block; nothing that was started may end before, or log an error."""
    with Group(folder) as group:
        site = Site(_unused_port(), world, group)
        group.start("web", web(HOST, site.port), {**web_environment(), **_environment(site)})
        eventually(lambda: group.ended() or _answers(site))
        yield site
        assert group.ended() is None
    said = [line for log in folder.glob("*.log") for line in log.read_text(errors="replace").splitlines()]
    wrong = next((number for number, line in enumerate(said) if ERROR.search(line)), None)
    assert wrong is None, "\n".join(said[wrong : wrong + 60])


def are_alone() -> bool:
    """Whether nobody else uses the database: a server learns a moment late that a client has gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return bool(cursor.fetchone() == (0,))


def _environment(site: Site) -> dict[str, str]:
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DATABASE_URL": database.geturl(),
        "REDIS_URL": settings.HEADROOM_REDIS_URL,
        "HEADROOM_BASE_URL": site.url,
        "HEADROOM_MAIL_DIR": f"{site.group.logs}/mail",
        "GRANIAN_WORKERS_KILL_TIMEOUT": "2",
    }


def _answers(site: Site) -> bool:
    try:
        return site.status("/sign-in/") == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # it does not listen yet


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
