"""One quota check beside a bare GET and beside other ways to do it: `make bench`.

All ways take turns in one loop, so that a noisy machine disturbs each alike; the table
shows the median and the spread of each, and how it compares with redis-py's GET.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

import redis  # noqa: E402  # after Django, which reads the settings
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_ratelimit.core import is_ratelimited  # noqa: E402
from limits import RateLimitItemPerMonth  # noqa: E402
from limits.storage import RedisStorage  # noqa: E402
from limits.strategies import FixedWindowRateLimiter  # noqa: E402

from billing.models import Plan  # noqa: E402
from billing.subscriptions import subscribe  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from usage.metering import Charge, consume  # noqa: E402
from usage.metering.links import bulk, client, links  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5000"))
LIMIT = 5_000_000
PERCENTS = (80, 90, 95)


def plain_way(server: redis.Redis) -> Callable[[], bool]:
    """The design many begin with: INCRBYFLOAT, EXPIRE, a cached quota, roll back, SET NX per threshold."""
    server.set("plain:quota", LIMIT)

    def check() -> bool:
        used = float(server.incrbyfloat("plain:used", 1))
        server.expire("plain:used", 3_000_000)
        quota = float(server.get("plain:quota") or 0)
        if used > quota:
            server.incrbyfloat("plain:used", -1)
            return False
        for percent in PERCENTS:
            if used >= quota * percent / 100:
                server.set(f"plain:told:{percent}", 1, nx=True, ex=3_000_000)
        return True

    return check


def limits_library(url: str) -> Callable[[], bool]:
    """`limits`, its fixed window, with the window of a month."""
    limiter, item = FixedWindowRateLimiter(RedisStorage(url)), RateLimitItemPerMonth(LIMIT)
    return lambda: limiter.hit(item, "tenant")


def ratelimit_library() -> Callable[[], bool]:
    """`django-ratelimit` through Django's cache."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    rate = f"{LIMIT}/30d"
    return lambda: (
        not is_ratelimited(
            request, group="bench", key=lambda group, request: "tenant", rate=rate, increment=True
        )
    )


def held_get() -> Callable[[], Any]:
    """A GET with nothing around it, on the very connection that decisions use."""
    with links().one() as link:
        return lambda: link.ask(b"GET", b"nothing")


def ways() -> dict[str, Callable[[], Any]]:
    tenant = Tenant.objects.create(slug="bench", name="Bench")
    plan = Plan.objects.get(slug="enterprise")
    subscribe(tenant, plan, at=timezone.now(), actor=None, reason="bench")
    charge, server, at = Charge("api_calls", label="GET /bench"), client(), timezone.now()
    two = Charge("bandwidth", 512, label="GET /bench")
    url = os.environ["REDIS_URL"]
    return {
        "GET, redis-py": lambda: server.get("nothing"),
        "GET, the connection alone": held_get(),
        "consume, one charge": lambda: consume(tenant, charge, at=at),
        "consume, two charges": lambda: consume(tenant, charge, two, at=at),
        "the plain way": plain_way(server),
        "limits, fixed window": limits_library(url),
        "django-ratelimit": ratelimit_library(),
    }


def measure(found: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(ROUNDS + 200):
        for name, way in found.items():
            begun = time.perf_counter()
            way()
            if turn >= 200:  # warm
                taken[name].append((time.perf_counter() - begun) * 1e6)
    return taken


def main() -> None:
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    taken = measure(ways())
    base = statistics.median(taken["GET, redis-py"])
    info = bulk().info("server")
    name = "valkey" if "valkey_version" in info else "redis"
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},", end=" ")
    print(
        f"{name} {info.get('valkey_version', info['redis_version'])}, redis-py {version('redis')},", end=" "
    )
    print(f"limits {version('limits')}, django-ratelimit {version('django-ratelimit')}; {ROUNDS} rounds\n")
    print(f"{'':28}{'median':>9}{'p10':>9}{'p90':>9}{'× GET':>8}")
    for way, times in taken.items():
        tenths = statistics.quantiles(times, n=10)
        median = statistics.median(times)
        print(f"{way:28}{median:7.1f}µs{tenths[0]:7.1f}µs{tenths[-1]:7.1f}µs{median / base:8.2f}")


if __name__ == "__main__":
    main()
