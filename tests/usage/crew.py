"""Eight processes that race: started once for all races of a module, each told its share of a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from tenants.models import Tenant

RACERS = 8


def own_environment(**more: str) -> dict[str, str]:
    """What a process of its own needs to count in this test's databases."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database.geturl(),
        "REDIS_URL": settings.HEADROOM_REDIS_URL,
        "HEADROOM_REDIS_DEADLINE_MS": "20000",  # 64 threads share two cores: slow is no fault here
        "HEADROOM_LOG_LEVEL": "ERROR",
        **more,
    }


class Race:
    """A job that runs; `join` waits for all shares and returns their tallies together."""

    def __init__(self, processes: list[subprocess.Popen[str]], job: dict[str, Any]) -> None:
        self._processes = processes
        for number, process in enumerate(processes):
            assert process.stdin
            process.stdin.write(json.dumps({**job, "racer": number, "racers": len(processes)}) + "\n")
            process.stdin.flush()

    def join(self) -> Counter[str]:
        together: Counter[str] = Counter()
        for process in self._processes:
            assert process.stdout
            tally = Counter(json.loads(process.stdout.readline()))
            most = max(together.pop("most", 0), tally.pop("most"))
            together += tally
            together["most"] = most
        return together


class Crew:
    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def start(
        self, kind: str, tenant: Tenant, at: datetime, total: int = 10_000, *, is_clocked: bool = False
    ) -> Race:
        """Begin a race of `total` calls, divided among all threads of all processes."""
        job = {"kind": kind, "tenant": tenant.pk, "at": at.isoformat(), "total": total}
        return Race(self._processes, {**job, "is_clocked": is_clocked})


@contextmanager
def crew() -> Iterator[Crew]:
    command = [sys.executable, "-m", "tests.usage.racer"]
    processes = [
        subprocess.Popen(
            command, env=own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(RACERS)
    ]
    try:
        yield Crew(processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
