"""From a crossing to its receiver, with the real programs: `python -m config.embedded run --throwaway -- …`.

Run it as `make bench BENCH=alerts` does. Some processes count together about RATE calls a second for TENANTS tenants;
each tenant crosses its thresholds at times of its own. Flusher, courier and beat run as in production, and a receiver
here notes when each signed webhook arrives. A crossing is the moment at which the call that made it was answered.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ["HEADROOM_WEBHOOK_ALLOW_PRIVATE"] = "1"  # the receiver is on this machine
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from config.processes import Group  # noqa: E402
from config.serve import background  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from usage.alerts.setup import add_endpoint  # noqa: E402
from usage.metering import Charge, chores, consume  # noqa: E402
from usage.metering.links import bulk  # noqa: E402

RATE = int(os.environ.get("RATE", "1000"))  # calls a second, of all processes together
SECONDS = int(os.environ.get("SECONDS", "24"))
PROCESSES = 2
TENANTS = 24  # each is free to use 1 000 calls a month
LIMIT, PERCENTS = 1_000, (80, 90, 95, 100)
LATEST = 20.0  # seconds to wait for what is still on its way
GOAL = 5.0

Marks = dict[tuple[str, int], float]  # (tenant, percent) -> wall clock


class Receiver(ThreadingHTTPServer):
    """Notes when each alert arrives for the first time, and how many came twice."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: Marks = {}
        self.repeated = 0

    def note(self, at: float, data: dict[str, object]) -> None:
        key = (str(data["tenant"]), int(str(data["percent"] or 0)))
        self.repeated += key in self.arrived
        self.arrived.setdefault(key, at)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        at = time.time()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Receiver)
        self.server.note(at, body["data"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The table says it all."""


def make_tenants(url: str) -> list[str]:
    """Tenants on the default plan, each with a webhook."""
    at, slugs = timezone.now(), []
    for number in range(TENANTS):
        tenant = Tenant.objects.create(slug=f"bench-{number}", name=f"Bench {number}")
        add_endpoint(tenant, kind="webhook", url=url, name="", person=None, at=at)
        slugs.append(tenant.slug)
    return slugs


def call(slugs: list[str], rate: float, until: float, pipe: Connection) -> None:
    """One process: call for its tenants in turn at an even rate; sends home the crossings and how many calls."""
    tenants = [Tenant.objects.get(slug=slug) for slug in slugs]
    # Some use their calls faster than others, so that they don't all cross at the same moment.
    turns = [one for number, one in enumerate(tenants) for _ in range(3 + number % 4)]
    lines = {LIMIT * percent // 100: percent for percent in PERCENTS}
    crossed: Marks = {}
    due, count = time.time(), 0
    while (now := time.time()) < until:
        if now < due:
            time.sleep(due - now)
        due, tenant, count = due + 1 / rate, turns[count % len(turns)], count + 1
        answer = consume(tenant, Charge("api_calls", label="GET /bench"), at=timezone.now())
        used = answer.gauges[0].used if answer.allowed else 0
        if used in lines:
            crossed[tenant.slug, lines[used]] = time.time()
    pipe.send((crossed, count))


def count_calls(slugs: list[str]) -> tuple[Marks, int, float]:
    """Let all processes call; returns the crossings, the calls made and how long that took."""
    connection.close()
    context, begun, jobs = multiprocessing.get_context("fork"), time.time(), []
    for number in range(PROCESSES):
        mine, theirs = context.Pipe(duplex=False)
        asked = (slugs[number::PROCESSES], RATE / PROCESSES, begun + SECONDS, theirs)
        job = context.Process(target=call, args=asked)
        job.start()
        jobs.append((job, mine))
    found = [pipe.recv() for _job, pipe in jobs]
    for job, _pipe in jobs:
        job.join()
    crossed = {key: at for marks, _count in found for key, at in marks.items()}
    return crossed, sum(count for _marks, count in found), time.time() - begun


def wait_for(receiver: Receiver, crossed: Marks) -> None:
    """Until the last of every tenant has arrived, or nobody waits any more."""
    last = {slug: max(percent for other, percent in crossed if other == slug) for slug, _percent in crossed}
    end = time.time() + LATEST
    while time.time() < end and not all(key in receiver.arrived for key in last.items()):
        time.sleep(0.05)


@contextmanager
def programs(folder: Path) -> Iterator[None]:
    """Flusher, courier, limiter and beat, as `make run` starts them; a mail server is not needed."""
    wanted = background(folder / "schedule")
    mail = {"HEADROOM_MAIL_DIR": str(folder / "mail"), "HEADROOM_LOG_LEVEL": "WARNING"}
    with Group(folder) as group:
        for name in ("flusher", "limiter", "courier", "beat"):
            group.start(name, wanted[name], mail)
        time.sleep(6)  # they load Django
        yield


def show(crossed: Marks, receiver: Receiver, calls: int, seconds: float) -> bool:
    """Print the table; True where 99 of 100 arrived in time."""
    # A jump over several thresholds between two flushes sends the highest only: no message is missing then.
    told = {key for key in crossed if key in receiver.arrived}
    taken = sorted(receiver.arrived[key] - crossed[key] for key in told)
    info = bulk().info("server")
    server = "Valkey" if "valkey_version" in info else "Redis"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Django", end=" "
    )
    print(
        f"{django.get_version()}, PostgreSQL {postgres}, {server} {info.get('valkey_version', info['redis_version'])}"
    )
    print(
        f"{TENANTS} tenants, {PROCESSES} processes, {calls:,} calls in {seconds:.1f} s: {calls / seconds:,.0f}/s\n"
    )
    quantiles = statistics.quantiles(taken, n=100)
    print(f"{'crossings':>10}{'told':>8}{'twice':>8}{'p50':>9}{'p90':>9}{'p99':>9}{'most':>9}")
    figures = (quantiles[49], quantiles[89], quantiles[98], taken[-1])
    print(
        f"{len(crossed):>10}{len(told):>8}{receiver.repeated:>8}",
        "".join(f"{one:7.2f} s" for one in figures),
        sep="",
    )
    return quantiles[98] <= GOAL


def main() -> int:
    call_command("migrate", verbosity=0)
    chores.make_partitions(timezone.now())
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
    slugs = make_tenants(f"http://127.0.0.1:{receiver.server_address[1]}/")
    with tempfile.TemporaryDirectory() as folder, programs(Path(folder)):
        crossed, calls, seconds = count_calls(slugs)
        wait_for(receiver, crossed)
    is_good = show(crossed, receiver, calls, seconds)
    print(f"\np99 {'within' if is_good else 'beyond'} {GOAL:.0f} s")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
