"""What an outage of Redis adds to a check: `make bench BENCH=outage`.

Redis refuses, hangs or answers a second late, behind a proxy. The table shows what one check takes before, in the
calls until the breaker opens and once it is open, in one thread and in sixteen, and whether all of it was counted.
"""

from __future__ import annotations

import logging
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.utils import timezone  # noqa: E402

from billing.models import Plan  # noqa: E402
from billing.subscriptions import subscribe  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from tests.usage.outages import recovered, redis_behind_proxy  # noqa: E402
from tests.usage.proxy import Mode, Proxy  # noqa: E402
from usage.metering import Charge, chores, consume, outage, peek  # noqa: E402
from usage.metering.charges import pack  # noqa: E402
from usage.metering.links import bulk  # noqa: E402
from usage.metering.tally import Tally  # noqa: E402

MODES: tuple[Mode, ...] = ("refuse", "hang", "slow")
CALLS = int(os.environ.get("ROUNDS", "5000"))
THREADS = 16


class Bench:
    """Calls of one tenant, counted here too."""

    def __init__(self, slug: str) -> None:
        self.tenant = Tenant.objects.create(slug=slug, name=slug)
        plan = Plan.objects.get(slug="enterprise")
        subscribe(self.tenant, plan, at=timezone.now(), actor=None, reason="bench")
        self.calls = 0
        self._lock = threading.Lock()

    def call(self) -> float:
        """Milliseconds of one check."""
        begun = time.perf_counter()
        consume(self.tenant, Charge("api_calls", label="GET /bench"), at=timezone.now())
        taken = (time.perf_counter() - begun) * 1_000
        with self._lock:
            self.calls += 1
        return taken

    def in_threads(self, times: int) -> list[float]:
        taken: list[float] = []
        share = range(times // THREADS)
        threads = [
            threading.Thread(target=lambda: taken.extend([self.call() for _ in share]))
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return taken

    def counted(self) -> int:
        recovered()
        chores.flush(timezone.now())
        gauges = peek(self.tenant, timezone.now()) or ()
        return next(gauge.used for gauge in gauges if gauge.metric.code == "api_calls")


def measure(mode: Mode, proxy: Proxy) -> None:
    bench = Bench(f"bench-{mode}")
    row(f"{mode}: before", [bench.call() for _ in range(CALLS)])
    proxy.be(mode)
    until = []
    while not outage.breaker.is_open:
        until.append(bench.call())
    row(f"{mode}: until the breaker opens", until)
    row(f"{mode}: open, 1 thread", [bench.call() for _ in range(CALLS)])
    row(f"{mode}: open, {THREADS} threads", bench.in_threads(CALLS))
    proxy.be("on")
    begun = time.perf_counter()
    counted = bench.counted()
    took = time.perf_counter() - begun
    print(f"{mode}: {bench.calls} calls, {counted} counted, {took:.1f} s after Redis was back\n")


def row(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"{name:32}{len(times):7}{statistics.median(times):9.3f}{p99:9.3f}{ordered[-1]:9.3f}")


def cost_of(do: Callable[[], object], times: int = 200_000) -> float:
    """Microseconds."""
    begun = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - begun) / times * 1e6


def main() -> None:
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; milliseconds\n")
    print(f"{'':32}{'calls':>7}{'median':>9}{'p99':>9}{'most':>9}")
    with redis_behind_proxy() as proxy:
        for mode in MODES:
            measure(mode, proxy)
    tally, packed = Tally(), [pack(Charge("api_calls"))]
    print(f"A tally for /metrics: {cost_of(lambda: tally.note('allowed', packed, 0.0004)):.2f} µs a check")


if __name__ == "__main__":
    main()
