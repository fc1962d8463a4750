"""The ways to check a quota that `bench/check.py` compares: each is one call that any thread may make."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django_ratelimit.core import is_ratelimited
from limits import RateLimitItemPerMonth
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from rest_framework.throttling import SimpleRateThrottle

from billing.models import Plan
from billing.subscriptions import subscribe
from tenants.models import Tenant
from usage.metering import Charge, consume
from usage.metering.links import client, links

Way = Callable[[], Any]

SLUG = "bench"
LIMIT = 5_000_000
PERCENTS = (80, 90, 95)
GET = "GET, redis-py"


def make_tenant() -> None:
    """The tenant that all calls are counted for, on the largest plan."""
    tenant = Tenant.objects.create(slug=SLUG, name="Bench")
    plan = Plan.objects.get(slug="enterprise")
    plan.allowances.filter(metric__code__in=("api_calls", "bandwidth")).update(included=10**12)
    subscribe(tenant, plan, at=timezone.now(), actor=None, reason="bench")


def ways() -> dict[str, Way]:
    """In the order in which they take turns; connections are made by the process that calls this."""
    # A busy machine is no outage.
    settings.CACHES["default"]["OPTIONS"]["SOCKET_TIMEOUT"] = 5
    tenant, at, server = Tenant.objects.get(slug=SLUG), timezone.now(), client()
    charges = Charge("api_calls", label="GET /bench"), Charge("bandwidth", 512, label="GET /bench")
    return {
        GET: partial(server.get, "nothing"),
        "GET, the connection alone": held_get,
        "consume, one charge": partial(consume, tenant, charges[0], at=at),
        "consume, two charges": partial(consume, tenant, *charges, at=at),
        "the plain way": plain_way(server),
        "limits, fixed window": limits_library(os.environ["REDIS_URL"]),
        "django-ratelimit": ratelimit_library(),
        "DRF's throttle": rest_framework(),
    }


def held_get() -> None:
    """A GET with nothing around it, on the very connections that decisions use."""
    with links().one() as link:
        link.ask(b"GET", b"nothing")


def plain_way(server: redis.Redis) -> Way:
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


def limits_library(url: str) -> Way:
    """`limits`, its fixed window, with the window of a month."""
    limiter, item = FixedWindowRateLimiter(RedisStorage(url)), RateLimitItemPerMonth(LIMIT)
    return partial(limiter.hit, item, "tenant")


def ratelimit_library() -> Way:
    """`django-ratelimit` through Django's cache."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    asked = {"group": "bench", "key": lambda group, request: "tenant", "rate": f"{LIMIT}/30d"}
    return partial(is_ratelimited, request, **asked, increment=True)


class Throttle(SimpleRateThrottle):  # type: ignore[misc]  # the library has no types
    """DRF's throttle keeps the time of each call in its window, so the window is as short as it can be: a second."""

    rate = f"{LIMIT}/s"

    def get_cache_key(self, request: HttpRequest, view: object) -> str:
        return "throttle:tenant"


def rest_framework() -> Way:
    """DRF makes a throttle anew for each request."""
    request = HttpRequest()
    return lambda: Throttle().allow_request(request, None)
