"""The work on all tenants that bench/growth.py measures: closing periods, and the flush of every account."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone
from flush import dirty, seconds_to_flush, use
from growth_sizes import Sizes, in_redis
from pages_world import PATTERNS

from billing.models import Metric, Statement
from billing.periods import period_at, period_before
from config.celery import collect_seldom
from tenants.models import Tenant
from usage.metering import keys
from usage.metering.accounts import ensure_months
from usage.metering.ledger import make_partitions, month_of
from usage.metering.links import bulk
from usage.money import closing

CLOSED = 1_000
SHARE = 60  # percent of them have storage that moved in each hour of the month

# The first tenants are the first to be closed.
LEVELS = """
INSERT INTO usage_levelhour (tenant_id, metric_id, hour, epoch, added, removed, peak, closing)
SELECT tenant.id, %s, hour, 1, 2000000, 1000000, 49701000000, 49700000000
FROM (SELECT id FROM tenants_tenant ORDER BY id LIMIT %s) tenant, generate_series(%s, %s, interval '1 hour') hour
WHERE tenant.id %% 100 < %s
"""
ALL_DUE = """
INSERT INTO billing_closing AS c (tenant_id, period, due_at) SELECT id, %s, %s FROM tenants_tenant
ON CONFLICT (tenant_id) DO UPDATE SET period = excluded.period, due_at = excluded.due_at
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """Seconds for CLOSED statements in one process, and the bytes of each."""

    seconds: float
    bytes: float


@transaction.atomic
def issued() -> Issued:
    """Close the last month of CLOSED tenants while everybody's is due; taken back afterwards."""
    some = Tenant.objects.order_by("pk")[0]
    period = period_before(some, period_at(some, timezone.now()))
    make_partitions([month_of(period.starts)])
    storage = Metric.objects.get(code="storage").pk
    with connection.cursor() as cursor:
        last = period.ends - timedelta(hours=1)
        cursor.execute(LEVELS, [storage, CLOSED, period.starts, last, SHARE])
        cursor.execute(ALL_DUE, [period.first, period.ends])
        cursor.execute("ANALYZE usage_levelhour, billing_closing")
    before, size = Statement.objects.count(), _bytes_of_statements()
    begun, left = time.perf_counter(), set[int]()
    while (count := Statement.objects.count() - before) < CLOSED:
        if closing._close_some(timezone.now(), left, None) is None:
            break
    seconds = time.perf_counter() - begun
    found = Issued(seconds / count * CLOSED, (_bytes_of_statements() - size) / count)
    transaction.set_rollback(True)
    return found


def _bytes_of_statements() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('billing_statement')")
        return int(cursor.fetchone()[0])


def flushed() -> tuple[int, float, Sizes]:
    """Flush a call of every tenant: how many, in how many seconds; and what their accounts take in Redis.

    The first tenants are opened by the real scripts; all others are their copies, and so are their accounts.
    """
    collect_seldom()  # as the flusher's process does
    at, alike = timezone.now(), defaultdict[int, list[Tenant]](list)
    ensure_months(at)
    everybody = list(Tenant.objects.order_by("pk"))
    for one in everybody:
        alike[int(one.slug.rpartition("-")[2]) % PATTERNS].append(one)
    bulk().flushdb()
    for pattern, *copies in alike.values():
        use(pattern)
        dirty(copies, pattern)
    count, seconds = seconds_to_flush()
    patterns = [pattern for pattern, *_ in alike.values()]
    return count, seconds, in_redis(everybody, patterns, keys.hour_name(at))
