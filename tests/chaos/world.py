"""A whole Headroom that may be broken: servers behind proxies, all programs, tenants, and a receiver of webhooks."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.load import ask
from tests.chaos.parties import SIZE, Party
from tests.chaos.programs import Fleet
from tests.chaos.servers import Servers, eventually, servers
from tests.usage.mailserver import free_port
from tests.usage.receivers import Receiver

SAID = 2.0  # seconds in which a process that holds something says so
HELD = "SELECT 1 FROM usage_heartbeat WHERE name LIKE 'outage %%' AND at > now() - make_interval(secs => %s)"
BACKGROUND = ("worker", "courier", "flusher", "limiter", "beat")


class World:
    """What faults are done to. The web server is at `port`; `take()` gives tenants nobody has used yet."""

    def __init__(self, servers: Servers, fleet: Fleet, hook: Receiver, parties: Sequence[Party]) -> None:
        self.servers, self.fleet, self.hook = servers, fleet, hook
        self.parties = parties
        self._rest = iter(parties)
        self.port = free_port()

    def take(self) -> list[Party]:
        """The tenants of the next round; the first is the one with a limit."""
        return [next(self._rest) for _ in range(SIZE)]

    def start(self, *names: str) -> None:
        """Start what does not run of all programs, or those named; returns when the web server answers."""
        for name in names or ("web", *BACKGROUND):
            if name in self.fleet.names:
                continue
            if name == "web":
                self.fleet.start_web(self.port)
            else:
                self.fleet.start(name)
        eventually(self.answers, "the web server answers")

    def answers(self) -> bool:
        return ask(self.port, "GET", "/healthz", b"", {})[0] == 200

    def counted_to(self) -> float:
        """All that was counted before this time (seconds since 1970) is in PostgreSQL."""
        with self.servers.sql() as books:
            row = books.execute("SELECT extract(epoch FROM at) FROM usage_heartbeat WHERE name = 'flush'")
            found = row.fetchone()
        return float(str(found[0])) if found else 0.0

    def flushed(self) -> None:
        """Wait for the next flush."""
        now = time.time()
        eventually(lambda: self.counted_to() > now, "a flush")

    def recovered(self) -> None:
        """Wait until counting reaches Redis again, and nothing is held."""
        time.sleep(SAID)
        eventually(lambda: not self._is_held(), "what was held is counted")
        self.flushed()

    def caught_up(self) -> None:
        """Wait until nothing waits in Redis."""
        self.recovered()
        eventually(lambda: not self._is_dirty(), "all is flushed")

    def _is_held(self) -> bool:
        with self.servers.sql() as books:
            return bool(books.execute(HELD, [SAID]).fetchone())

    def _is_dirty(self) -> bool:
        with self.servers.ask_redis() as counts:
            return any(counts.scan_iter("hr:*:dirty", count=1_000))

    def page_of(self, party: Party) -> str:
        """What its owner sees."""
        cookie = {"Cookie": f"sessionid={party.session}"}
        return ask(self.port, "GET", f"/t/{party.slug}/", b"", cookie)[1]


@contextmanager
def world(folder: Path, rounds: int) -> Iterator[World]:
    """All of it, running; tenants for so many rounds."""
    with servers() as ours, Receiver() as hook:
        environment = {**_environment(folder), **ours.environment}
        _run(environment, "manage.py", "migrate", "--verbosity", "0")
        seeded = _run(environment, "-m", "tests.chaos.seed", str(rounds), hook.url())
        parties = [Party(**one) for one in json.loads(seeded)]
        with Fleet(folder / "logs", environment) as fleet:
            found = World(ours, fleet, hook, parties)
            found.start()
            eventually(found.counted_to, "the first flush")
            yield found


def _environment(folder: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "HEADROOM_DEMO": "1",
        "HEADROOM_EMBEDDED": "1",
        "HEADROOM_SECRET_KEY": secrets.token_hex(32),
        "HEADROOM_MAIL_DIR": str(folder / "mail"),
        "HEADROOM_LOG_LEVEL": "WARNING",
        # A busy machine is no outage.
        "HEADROOM_REDIS_DEADLINE_MS": "3000",
        "HEADROOM_WEBHOOK_ALLOW_PRIVATE": "1",
    }


def _run(environment: dict[str, str], *command: str) -> str:
    ran = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ran.stdout
