"""A whole request with one charge beside the same view without: `make bench BENCH=request`; needs Debian's `wrk`.

Each side is granian with one worker; both are asked in turns, ROUNDS=6 times SECONDS=5 each, so that a noisy machine
disturbs both alike.
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
from pathlib import Path

import django

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

ROUNDS = int(os.environ.get("ROUNDS", "6"))
SECONDS = int(os.environ.get("SECONDS", "5"))
SITES = ("bare", "charged")
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
WRONG = re.compile(r"Non-2xx|Socket errors")


def begun(group: Group, name: str) -> str:
    """Start one side; its address, once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ("--interface", "wsgi", "--port", str(port), "--no-ws", "--log-level", "warning")
    size = ("--workers", "1", "--blocking-threads", "1")
    paths = os.pathsep.join((str(HERE), str(HERE.parent)))
    command = [sys.executable, "-m", "granian", *address, *size, "request_site:application"]
    group.start(name, command, {"BENCH_SITE": name, "PYTHONPATH": paths})
    return _listening(port)


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


def asked(url: str, key: str, seconds: int) -> float:
    """Requests a second, all of them answered with 200."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-H", f"Authorization: Bearer {key}", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if WRONG.search(said):
        raise RuntimeError(said)
    return float(RATE.findall(said)[0])


def main() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: `apt-get install wrk` brings it.")
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    tenant, now = Tenant.objects.create(slug="bench", name="Bench"), timezone.now()
    plan = Plan.objects.get(slug="enterprise")
    subscribe(tenant, plan, at=now, actor=None, reason="bench")
    plan.allowances.filter(metric__code="api_calls").update(included=10**12)
    key = create_key(tenant, name="bench", at=now).secret
    rates: dict[str, list[float]] = {name: [] for name in SITES}
    with Group() as group:
        urls = {name: begun(group, name) for name in SITES}
        for turn in range(ROUNDS + 1):
            for name, url in urls.items():
                rate = asked(url, key, SECONDS if turn else 2)
                if turn:  # the first is to warm up
                    rates[name].append(rate)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {ROUNDS} × {SECONDS} s\n"
    )
    base = statistics.median(rates["bare"])
    for name, found in rates.items():
        middle = statistics.median(found)
        print(
            f"{name:10}{middle:10,.0f} requests/s  (from {min(found):,.0f} to {max(found):,.0f}){middle / base:8.1%}"
        )


if __name__ == "__main__":
    main()
