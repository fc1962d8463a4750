"""How long it takes to issue the statements of a month: `make bench BENCH=close`.

TENANTS=10000 on billed plans, of which SHARE=60 percent have storage that moved in every hour of the month and all
have calls, bandwidth and users; each has an owner who gets mail, every tenth a webhook. PROCESSES=2 close at once, as
two workers do. Exits with 1 beyond GOAL=60 seconds, or where a statement is missing or there twice.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ["HEADROOM_LOG_LEVEL"] = "WARNING"
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.db import connection  # noqa: E402
from django.db.models import Sum  # noqa: E402

from billing.models import Metric, Plan, Statement, Subscription  # noqa: E402
from tenants.models import Membership, Tenant, User  # noqa: E402
from usage.metering.ledger import make_partitions  # noqa: E402
from usage.metering.links import bulk  # noqa: E402
from usage.models import Delivery, Endpoint  # noqa: E402
from usage.money.closing import close_periods  # noqa: E402

TENANTS = int(os.environ.get("TENANTS", "10000"))
SHARE = int(os.environ.get("SHARE", "60"))
PROCESSES = int(os.environ.get("PROCESSES", "2"))
GOAL = float(os.environ.get("GOAL", "60"))
CHUNK = 5_000

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
ENDS = datetime(2026, 11, 1, tzinfo=UTC)
CLOSES = ENDS + timedelta(minutes=61)

# Around what Pro includes (50 GB), so that hours count in part.
LEVELS = """
INSERT INTO usage_levelhour (tenant_id, metric_id, hour, epoch, added, removed, peak, closing)
SELECT tenant.id, %s, %s + n * interval '1 hour', 1, 2000000, 1000000,
       49700000000 + n * 1000000 + 1000000, 49700000000 + n * 1000000
FROM tenants_tenant tenant, generate_series(0, 743) n WHERE tenant.id %% 100 < %s
"""
STANDING = """
INSERT INTO usage_usagelevel (tenant_id, metric_id, epoch, added, removed)
SELECT id, %s, 1, 51000000000, 1000000000 FROM tenants_tenant
"""
TOTALS = """
INSERT INTO usage_usageperiod (tenant_id, metric_id, period, epoch, used, refused)
SELECT tenant.id, metric.id, %s, epoch, 300000 + tenant.id * 7, 0
FROM tenants_tenant tenant, billing_metric metric, generate_series(1, 2) epoch WHERE metric.kind <> 'level'
"""


def people() -> None:
    """Tenants, each on a billed plan and with an owner."""
    plans = list(Plan.objects.filter(slug__in=["pro", "enterprise"]))
    for begin in range(0, TENANTS, CHUNK):
        rows = range(begin, min(TENANTS, begin + CHUNK))
        tenants = Tenant.objects.bulk_create(
            Tenant(slug=f"t{n}", name=f"Tenant {n}", created_at=FIRST) for n in rows
        )
        users = User.objects.bulk_create(User(email=f"owner-{n}@tenants.example") for n in rows)
        owner = Membership.Role.OWNER
        Membership.objects.bulk_create(
            Membership(tenant=tenant, user=user, role=owner)
            for tenant, user in zip(tenants, users, strict=True)
        )
        Subscription.objects.bulk_create(
            Subscription(tenant=one, plan=plans[one.pk % 2], starts=FIRST) for one in tenants
        )
        Endpoint.objects.bulk_create(
            Endpoint(tenant=one, kind="webhook", label=one.slug, since=FIRST, created_at=FIRST)
            for one in tenants[::10]
        )


def use() -> int:
    """A month of it; returns how many hours of a level."""
    make_partitions([FIRST.date(), ENDS.date()])
    storage = Metric.objects.get(code="storage").pk
    with connection.cursor() as cursor:
        cursor.execute(LEVELS, [storage, FIRST, SHARE])
        hours: int = cursor.rowcount
        cursor.execute(STANDING, [storage])
        cursor.execute(TOTALS, [FIRST.date()])
        cursor.execute("VACUUM ANALYZE")
    return hours


def close() -> float:
    """All processes at once; seconds until the last is done."""
    connection.close()
    context = multiprocessing.get_context("fork")
    begun = time.perf_counter()
    jobs = [context.Process(target=close_periods, args=(CLOSES,)) for _ in range(PROCESSES)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    return time.perf_counter() - begun


def numbers_are_whole() -> bool:
    """From 1 to the last, none left out."""
    taken = {int(number.rpartition("-")[2]) for number in Statement.objects.values_list("number", flat=True)}
    return taken == set(range(1, TENANTS + 1))


def main() -> int:
    call_command("migrate", verbosity=0)
    bulk().flushdb()
    people()
    hours = use()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", end=", ")
    print(f"{TENANTS:,} tenants, {hours:,} hours of a level, {PROCESSES} processes", flush=True)
    seconds = close()
    rows = Statement.objects.all()
    total = rows.aggregate(Sum("total"))["total__sum"]
    told = Delivery.objects.filter(statement__in=rows).count()
    print(f"{seconds:.1f} s: {rows.count():,} statements over {total:,}, {told:,} deliveries")
    is_good = rows.count() == TENANTS and numbers_are_whole() and seconds <= GOAL
    print(f"{'within' if is_good else 'NOT within'} {GOAL:.0f} s")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
