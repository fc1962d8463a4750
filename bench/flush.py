"""How long many dirty accounts take to PostgreSQL, and whether a steady stream of them is kept up with.

`make bench BENCH=flush`; TENANTS=100000 and RATE=3000 (dirty accounts a second, for SECONDS=20) choose other sizes,
FLUSHERS=2 how many processes flush at once where several do. Accounts are opened and counted once by the real scripts,
then copied to all tenants key by key.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from billing.models import Plan, Subscription  # noqa: E402
from billing.periods import period_at  # noqa: E402
from config.celery import collect_seldom  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from usage.metering import Charge, consume, keys  # noqa: E402
from usage.metering.accounts import ensure_months  # noqa: E402
from usage.metering.flush import flush  # noqa: E402
from usage.metering.links import bulk  # noqa: E402

TENANTS = int(os.environ.get("TENANTS", "100000"))
RATE = int(os.environ.get("RATE", "3000"))
SECONDS = int(os.environ.get("SECONDS", "20"))
FLUSHERS = int(os.environ.get("FLUSHERS", "2"))
CHUNK = 5_000
LABELS = ("GET /items", "POST /items", "GET /items/{id}")


def people(count: int) -> list[Tenant]:
    """So many tenants over all plans."""
    plans, now = list(Plan.objects.all()), timezone.now()
    made: list[Tenant] = []
    while len(made) < count:
        rows = range(len(made), min(count, len(made) + CHUNK))
        made += Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"Tenant {n}") for n in rows)
    Subscription.objects.bulk_create(
        (Subscription(tenant=one, plan=plans[one.pk % len(plans)], starts=now) for one in made),
        batch_size=CHUNK,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return made


def dirty(tenants: Sequence[Tenant], pattern: Tenant) -> None:
    """Give each tenant what `pattern` has in Redis now: an open account, and an hour that waits."""
    server, at = bulk(), timezone.now()
    hour, period = keys.hour_name(at), period_at(pattern, at).first
    dumps = [server.dump(name) or b"" for name in _names(pattern.pk, hour, period)]
    score = server.zscore(keys.dirty(pattern.pk), keys.dirty_name(pattern.pk, hour, period)) or 0
    pipe = server.pipeline(transaction=False)
    for number, one in enumerate(tenants, 1):
        for name, dump in zip(_names(one.pk, hour, period), dumps, strict=True):
            pipe.restore(name, 0, dump, replace=True)
        pipe.zadd(keys.dirty(one.pk), {keys.dirty_name(one.pk, hour, period): score})
        if number % CHUNK == 0 or number == len(tenants):
            pipe.execute()


def _names(tenant_id: int, hour: str, period: object) -> list[str]:
    return [keys.tenant(tenant_id), keys.account(tenant_id, period), keys.hour(tenant_id, hour)]


def use(tenant: Tenant) -> None:
    """Two metrics, three labels."""
    for label in LABELS:
        consume(tenant, Charge("api_calls", 1, label), Charge("bandwidth", 512, label), at=timezone.now())


def seconds_to_flush() -> tuple[int, float]:
    begun = time.perf_counter()
    return flush_now(), time.perf_counter() - begun


collect_seldom()  # as the flusher's process does; those of the pool import this, too


def flush_now(_turn: int = 0) -> int:
    """What a flusher does when beat rings."""
    return flush(bulk(), timezone.now())


def report(name: str, count: int, seconds: float) -> None:
    print(f"{name:26}{count:>9,} accounts{seconds:8.1f} s{count / seconds:10,.0f} a second", flush=True)


def together(tenants: Sequence[Tenant], pattern: Tenant) -> None:
    """The same accounts by one flusher and by several at once, each a process of its own that is already at work."""
    with multiprocessing.get_context("spawn").Pool(FLUSHERS) as pool:
        for flushers in (1, FLUSHERS):
            pool.map(flush_now, range(FLUSHERS), chunksize=1)
            use(pattern)
            dirty(tenants, pattern)
            begun = time.perf_counter()
            count = sum(pool.map(flush_now, range(flushers), chunksize=1))
            report(f"by {flushers} of {FLUSHERS} flushers", count, time.perf_counter() - begun)


def steady(tenants: Sequence[Tenant], pattern: Tenant) -> list[float]:
    """Flush every second while RATE accounts become dirty each second; how old the oldest was after each flush."""
    ages, place, started = [], 0, time.monotonic()
    for turn in range(SECONDS):
        use(pattern)
        dirty([tenants[(place + n) % len(tenants)] for n in range(RATE)], pattern)
        place += RATE
        seconds_to_flush()
        ages.append(time.monotonic() - started - turn)
        time.sleep(max(0.0, started + turn + 1 - time.monotonic()))
    return ages


def main() -> None:
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    ensure_months(timezone.now())
    tenants = people(TENANTS)
    pattern = tenants[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {TENANTS:,} tenants"
    )
    for name in ("first flush", "the same accounts again"):
        use(pattern)
        dirty(tenants, pattern)
        report(name, *seconds_to_flush())
    together(tenants, pattern)
    ages = sorted(steady(tenants, pattern))
    middle = ages[len(ages) // 2]
    print(
        f"steady, {RATE:,} a second    {len(ages):>9,} flushes, lag p50 {middle:.1f} s, most {ages[-1]:.1f} s"
    )


if __name__ == "__main__":
    main()
