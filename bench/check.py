"""One quota check beside a bare GET and beside other ways to do it: `make bench`.

In each set of processes and threads all ways take turns, TURNS=20 times SECONDS=0.05 each, so that a noisy machine
disturbs all alike, and each finds its own code warm. The table shows the median, what eight of ten turns' medians lay
between, the 99th percentile, how many calls a second all threads made together, and the median beside redis-py's GET.

Threads of a process share Python's interpreter lock: only a wait for Redis runs beside another thread's Python. Some
threads add calls a second until the lock is never free; from there on more of them only make each call wait longer,
for every way alike, and no limit is checked less exactly. What adds calls then is another process, as long as there is
a core for it and for Redis.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ["HEADROOM_REDIS_DEADLINE_MS"] = "5000"  # a busy machine is no outage
django.setup()

from check_ways import GET, Way, make_tenant, ways  # noqa: E402  # after Django, which reads the settings
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from usage.metering import is_delayed  # noqa: E402
from usage.metering.links import bulk, forget  # noqa: E402

TURNS = int(os.environ.get("TURNS", "20"))
SECONDS = float(os.environ.get("SECONDS", "0.05"))
SETS = ((1, 1), (1, 8), (1, 64), (2, 1), (2, 8))  # processes, threads of each
LIBRARIES = ("redis", "hiredis", "limits", "django-ratelimit", "djangorestframework")
START = 0.01  # seconds until all threads of a turn are there

Times = list[float]  # seconds, one for each call


def repeat(way: Way, begins: float, seconds: float, taken: Times) -> None:
    """One thread's turn: call as fast as it can."""
    time.sleep(max(0.0, begins - time.monotonic()))
    ends = begins + seconds
    now = time.monotonic()
    while now < ends:
        way()
        then = time.monotonic()
        taken.append(then - now)
        now = then


def serve(pipe: Connection, threads: int) -> None:
    """One process: run the turns it is told, until it is told None."""
    mine = ways()
    for way in mine.values():
        way()  # connects
    pipe.send(tuple(mine))
    while turn := pipe.recv():
        name, begins, seconds = turn
        taken: list[Times] = [[] for _ in range(threads)]
        jobs = [threading.Thread(target=repeat, args=(mine[name], begins, seconds, one)) for one in taken]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        pipe.send([part for one in taken for part in one])
    pipe.send(is_delayed())
    connection.close()


@contextmanager
def processes(count: int, threads: int) -> Iterator[tuple[list[Connection], Sequence[str]]]:
    """That many, each ready to run turns, and the names of the ways."""
    connection.close()
    forget()
    context, pipes, jobs = multiprocessing.get_context("fork"), [], []
    for _ in range(count):
        mine, theirs = context.Pipe()
        jobs.append(context.Process(target=serve, args=(theirs, threads)))
        jobs[-1].start()
        pipes.append(mine)
    names = [pipe.recv() for pipe in pipes]
    yield pipes, names[0]
    for pipe in pipes:
        pipe.send(None)
    is_delayed_in = [pipe.recv() for pipe in pipes]
    if any(is_delayed_in):
        raise RuntimeError("Redis did not answer in time: some checks were let pass, not measured.")
    for job in jobs:
        job.join()


def measure(count: int, threads: int) -> dict[str, list[Times]]:
    """Seconds of each call, by way and turn."""
    with processes(count, threads) as (pipes, names):
        taken: dict[str, list[Times]] = {name: [] for name in names}
        for turn in range(TURNS + 1):
            for name in names:
                begins = time.monotonic() + START
                for pipe in pipes:
                    pipe.send((name, begins, SECONDS))
                found = [part for pipe in pipes for part in pipe.recv()]
                if turn:  # the first is to warm up
                    taken[name].append(found)
    return taken


def show(count: int, threads: int, taken: dict[str, list[Times]]) -> None:
    title = f"{count} {'process' if count == 1 else 'processes'}, {threads} thread{'s' * (threads > 1)}"
    print(f"\n{title:28}{'p50 µs':>9}{'of turns':>19}{'p99 µs':>10}{'a second':>11}{'× GET':>8}")
    base = statistics.median(part for turn in taken[GET] for part in turn)
    for name, turns in taken.items():
        every = [part for turn in turns for part in turn]
        tenths = statistics.quantiles([statistics.median(turn) * 1e6 for turn in turns if turn], n=10)
        middle, last = statistics.median(every), statistics.quantiles(every, n=100)[98]
        spread = f"{tenths[0]:,.0f} to {tenths[-1]:,.0f}"
        rate = len(every) / (len(turns) * SECONDS)
        print(
            f"{name:28}{middle * 1e6:9,.1f}{spread:>19}{last * 1e6:10,.0f}{rate:11,.0f}{middle / base:8.2f}"
        )


def main() -> None:
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    make_tenant()
    info = bulk().info("server")
    name = "valkey" if "valkey_version" in info else "redis"
    used = [f"{name} {info.get('valkey_version', info['redis_version'])}"]
    used += [f"{one} {version(one)}" for one in LIBRARIES]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},", end=" ")
    print(f"Python {platform.python_version()}, {', '.join(used)}; {TURNS} turns of {SECONDS} s")
    for count, threads in SETS:
        show(count, threads, measure(count, threads))


if __name__ == "__main__":
    main()
