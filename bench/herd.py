"""Redis emptied while everybody calls: `make bench BENCH=herd`.

TENANTS=100000 with open accounts are called one after the other in random order by PROCESSES=2 of THREADS=8, as many
at once as the web server of `make run` lets in, RATE=1000 times a second in all; beat, flusher and worker run, too.
After SECONDS=5 comes FLUSHALL: from then on each tenant's account has to be opened anew, by its first call or by the
chore `reopen` (REOPEN=0 leaves that out). A call that was let pass uncounted, or answered 503, is made again later;
once each tenant has had a counted one, all are warm. PostgreSQL's connections are looked at ten times a second.
Exits with 1 where they are more than there are threads and programs, or where somebody is not warm after 15 minutes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ.setdefault(
    "HEADROOM_LOG_LEVEL", "CRITICAL"
)  # a warning for each call that was let pass would be the load
django.setup()

from crowd import crowd, forget_all, machine, open_all, running, say  # noqa: E402  # after Django: reads the settings
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from billing.models import Plan  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from usage.metering import Charge, CountsUnavailable, consume  # noqa: E402
from usage.metering.links import bulk  # noqa: E402

TENANTS = int(os.environ.get("TENANTS", "100000"))
PROCESSES = int(os.environ.get("PROCESSES", "2"))
THREADS = int(os.environ.get("THREADS", "8"))
RATE = float(os.environ.get("RATE", "1000"))
SECONDS = float(os.environ.get("SECONDS", "5"))
PROGRAMS = ("flusher", "worker") if os.environ.get("REOPEN", "1") == "1" else ("flusher",)
MORE = 10  # connections of these programs, and of this bench
PATIENCE = 900.0
COUNTED, PASSED, REFUSED = "counted", "let pass", "503"

# Of each process in turn: what its calls took (milliseconds) and how they were answered.
Answers = list[tuple[float, str]]


def call(tenant: Tenant, answers: Answers) -> bool:
    """One call; whether it was counted."""
    begun = time.perf_counter()
    try:
        decision = consume(tenant, Charge("api_calls", 1, "GET /bench"), at=timezone.now())
        outcome = COUNTED if decision.is_counted else PASSED
    except CountsUnavailable:
        outcome = REFUSED
    answers.append(((time.perf_counter() - begun) * 1_000, outcome))
    return outcome == COUNTED


def turns() -> Iterator[float]:
    """A thread's share of the load: returns the time at each turn; what took too long is not made up for."""
    pause, until = PROCESSES * THREADS / RATE, time.monotonic() + PATIENCE
    due = time.monotonic() + random.random() * pause
    while (now := time.monotonic()) < until:
        time.sleep(max(0.0, due - now))
        due = max(due, now) + pause
        yield now


def until_flushed(tenants: Sequence[Tenant], is_flushed: Any, answers: Answers) -> None:
    """Warm calls of anybody."""
    for _ in turns():
        if is_flushed.is_set():
            return
        call(random.choice(tenants), answers)


def until_warm(rest: list[Tenant], answers: Answers) -> None:
    """Call those that are left until nobody is; threads share the list."""
    for _ in turns():
        try:
            tenant = rest.pop()
        except IndexError:
            return
        if not call(tenant, answers):
            rest.insert(0, tenant)


def work(ids: Sequence[int], is_flushed: Any, line: Any) -> None:
    """A process of callers: sends the answers before and after, and when it was done."""
    gc.set_threshold(700, 10, 10)  # a web server's: bench/flush.py set what workers have
    tenants = list(Tenant.objects.filter(pk__in=ids))
    random.shuffle(tenants)
    rest, before, after = list(tenants), Answers(), Answers()

    def run() -> None:
        until_flushed(tenants, is_flushed, before)
        until_warm(rest, after)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line.send((before, after, time.monotonic(), len(rest)))


class Watch(threading.Thread):
    """Looks at PostgreSQL: how many connections there were at most, and how many of them at work."""

    connections = active = 0

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ends = threading.Event()

    def run(self) -> None:
        with connection.cursor() as cursor:
            while not self.ends.wait(0.1):
                cursor.execute(
                    "SELECT count(*), count(*) FILTER (WHERE state = 'active') FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                everybody, active = cursor.fetchone()
                self.connections, self.active = max(self.connections, everybody), max(self.active, active)
        connection.close()


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    watch.start()
    yield watch
    watch.ends.set()
    watch.join()


def herd(ids: Sequence[int]) -> tuple[Answers, Answers, float, int]:
    """The answers before and after the flush, seconds until the last tenant was warm, and how many never were."""
    connection.close()
    context = multiprocessing.get_context("fork")
    is_flushed, lines, jobs = context.Event(), [], []
    for number in range(PROCESSES):
        mine, theirs = context.Pipe()
        jobs.append(
            context.Process(target=work, args=(ids[number::PROCESSES], is_flushed, theirs), daemon=True)
        )
        jobs[-1].start()
        lines.append(mine)
    time.sleep(SECONDS)
    say("FLUSHALL")
    begun = time.monotonic()
    bulk().flushall()
    is_flushed.set()
    found = [line.recv() for line in lines]
    for job in jobs:
        job.join()
    before, after = ([answer for one in found for answer in one[part]] for part in (0, 1))
    return before, after, max(one[2] for one in found) - begun, sum(one[3] for one in found)


def show(name: str, answers: Answers, seconds: float) -> None:
    taken, outcomes = sorted(one for one, _ in answers), Counter(outcome for _, outcome in answers)
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    print(
        f"{name:16}{len(taken):9,}{len(taken) / seconds:10,.0f}{p50:9.1f}{p99:9.1f}{taken[-1]:9.1f}", end=""
    )
    print(f"{outcomes[COUNTED]:10,}{outcomes[PASSED]:10,}{outcomes[REFUSED]:8,}")


def main() -> int:
    call_command("migrate", verbosity=0)
    forget_all()
    tenants = crowd(TENANTS, Plan.objects.get(slug="enterprise"), timezone.now())
    open_all(tenants)
    ids = [one.pk for one in tenants]
    say(f"{PROCESSES} processes of {THREADS} threads call")
    with running(*PROGRAMS, chore="flush"), watched() as watch:
        before, after, seconds, left = herd(ids)
    print(f"{machine()}, {TENANTS:,} tenants, {PROCESSES} processes of {THREADS} threads\n")
    heads = ("calls", "a second", "p50 ms", "p99 ms", "most ms", COUNTED, PASSED, REFUSED)
    widths = (9, 10, 9, 9, 9, 10, 10, 8)
    print(" " * 16 + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    show("before", before, SECONDS)
    show("after FLUSHALL", after, seconds)
    most = PROCESSES * THREADS + MORE
    print(
        f"\nall warm after {seconds:.1f} s: {(TENANTS - left) / seconds:,.0f} accounts opened a second, {left} not"
    )
    print(
        f"PostgreSQL: {watch.connections} connections at most (bound {most}), {watch.active} at work at once"
    )
    return 0 if watch.connections <= most and not left else 1


if __name__ == "__main__":
    sys.exit(main())
