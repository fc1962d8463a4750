"""A whole request with one charge beside the same view without: `make bench BENCH=request`; needs Debian's `wrk`.

Each side is granian with one worker of THREADS=2 threads: while one waits for Redis the other works, as it does under
`make run`, which lets granian start as many as it likes. Both are asked in turns, ROUNDS=15 times SECONDS=2 each, so
that a noisy machine disturbs both alike. The share is that of each round, the median of all. Beside it stands how
long a request keeps processors busy, in the worker and in Redis.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import django
import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.utils import timezone  # noqa: E402

from billing.models import Plan  # noqa: E402
from billing.subscriptions import subscribe  # noqa: E402
from config.processes import Group  # noqa: E402
from tenants.keys import create_key  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from usage.metering.links import bulk  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "15"))
SECONDS = int(os.environ.get("SECONDS", "2"))
THREADS = os.environ.get("THREADS", "2")
SITES = ("bare", "charged")
DONE = re.compile(r"(\d+) requests in ([\d.]+)(m?s)")
WRONG = re.compile(r"Non-2xx|Socket errors")


@dataclass(slots=True)
class Side:
    """One of the two: its process, its address, and what each round found."""

    name: str
    process: psutil.Process
    url: str
    rates: list[float] = field(default_factory=list)  # requests a second
    work: list[float] = field(
        default_factory=list
    )  # seconds of a processor for each request, worker and Redis

    def ask(self, key: str) -> None:
        """One round."""
        before = self._worked()
        requests, seconds = asked(self.url, key)
        self.rates.append(requests / seconds)
        self.work.append((self._worked() - before) / requests)

    def _worked(self) -> float:
        ours = sum(sum(one.cpu_times()[:2]) for one in (self.process, *self.process.children(recursive=True)))
        redis = bulk().info("cpu")
        return float(ours + redis["used_cpu_user"] + redis["used_cpu_sys"])


def begun(group: Group, name: str) -> Side:
    """Start one side; it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ("--interface", "wsgi", "--port", str(port), "--no-ws", "--log-level", "warning")
    size = ("--workers", "1", "--blocking-threads", THREADS)
    paths = os.pathsep.join((str(HERE), str(HERE.parent)))
    command = [sys.executable, "-m", "granian", *address, *size, "request_site:application"]
    group.start(name, command, {"BENCH_SITE": name, "PYTHONPATH": paths})
    url = _listening(port)
    running = next(one for one in psutil.Process().children() if str(port) in one.cmdline())
    return Side(name, running, url)


def _listening(port: int) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return f"http://127.0.0.1:{port}/ping"


def asked(url: str, key: str) -> tuple[int, float]:
    """How many requests were answered, all of them with 200, in how many seconds."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-H", f"Authorization: Bearer {key}", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if WRONG.search(said):
        raise RuntimeError(said)
    requests, number, unit = DONE.findall(said)[0]
    return int(requests), float(number) / (1000 if unit == "ms" else 1)


def make_key() -> str:
    """The key of a tenant that no request can use up."""
    tenant, now = Tenant.objects.create(slug="bench", name="Bench"), timezone.now()
    plan = Plan.objects.get(slug="enterprise")
    subscribe(tenant, plan, at=now, actor=None, reason="bench")
    plan.allowances.filter(metric__code="api_calls").update(included=10**12)
    return create_key(tenant, name="bench", at=now).secret


def show(bare: Side, charged: Side) -> None:
    print(f"\n{'':10}{'a second':>10}{'of rounds':>18}{'work, µs':>10}{'share':>9}{'of rounds':>18}")
    for one in (bare, charged):
        shares = [mine / base for mine, base in zip(one.rates, bare.rates, strict=True)]
        tenths, parts = statistics.quantiles(one.rates, n=10), statistics.quantiles(shares, n=10)
        spread = f"{tenths[0]:,.0f} to {tenths[-1]:,.0f}"
        print(
            f"{one.name:10}{statistics.median(one.rates):10,.0f}{spread:>18}",
            f"{statistics.median(one.work) * 1e6:10.0f}{statistics.median(shares):9.1%}",
            f"{f'{parts[0]:.1%} to {parts[-1]:.1%}':>18}",
            sep="",
        )


def main() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: `apt-get install wrk` brings it.")
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    key = make_key()
    info = bulk().info("server")
    name = "valkey" if "valkey_version" in info else "redis"
    used = [f"{one} {version(one)}" for one in ("Django", "granian", "redis", "hiredis")]
    used.append(f"{name} {info.get('valkey_version', info['redis_version'])}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},", end=" ")
    print(f"Python {platform.python_version()}, {', '.join(used)}; {ROUNDS} rounds of {SECONDS} s")
    with Group() as group:
        bare, charged = (begun(group, name) for name in SITES)
        for side in (bare, charged):
            asked(side.url, key)  # to warm up
        for _ in range(ROUNDS):
            for side in (bare, charged):
                side.ask(key)
    show(bare, charged)


if __name__ == "__main__":
    main()
