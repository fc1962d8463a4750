"""What a month of a tenant takes in PostgreSQL, and an account in Redis, for bench/growth.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.utils import timezone

from billing.periods import period_at
from tenants.models import Tenant
from usage.metering import keys
from usage.metering.ledger import HOURLY, month_of
from usage.metering.links import bulk

DAILY = ("usage_usageday", "usage_levelday", "usage_refusalday")
ONCE = ("usage_usageperiod", "usage_usagemember")  # rows of one period
TOLD = ("usage_alert", "usage_delivery", "usage_notice", "usage_judgedlimit")  # all there is: of this period
DAYS = 30
SOME = 5_000

# The bytes of a table, indexes and all, that fall to the rows of a time.
SHARE = """
SELECT COALESCE(
    (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')), pg_total_relation_size('{table}')
) * count(*) FILTER (WHERE {column} >= %s AND {column} < %s) / GREATEST(count(*), 1) FROM {table}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes a tenant in Redis: tenant and account, its members, and one hour."""

    account: float
    members: float
    hour: float


def month_in_postgres() -> dict[str, float]:
    """Bytes a tenant of a month's rows, by how long they are kept."""
    today = timezone.now().date()
    yesterday, since, period = (
        today - timedelta(days=1),
        today - timedelta(days=DAYS),
        month_of(timezone.now()),
    )
    count = Tenant.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [list(TOLD)]
        )
        told = int(cursor.fetchone()[0])
    hours = DAYS * sum(_share(table, "hour", yesterday, today) for table in HOURLY)
    days = sum(_share(table, "day", since, today) for table in DAILY)
    totals = sum(_share(table, "period", period, today + timedelta(days=1)) for table in ONCE)
    return {
        "hours, kept 3 months": hours / count,
        "days, kept for ever": days / count,
        "totals, members": totals / count,
        "alerts and deliveries": told / count,
    }


def _share(table: str, column: str, since: date, until: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute(SHARE.format(table=table, column=column), [since, until])
        return int(cursor.fetchone()[0])


def in_redis(tenants: Sequence[Tenant], patterns: Sequence[Tenant], hour: str) -> Sizes:
    """What Redis itself says of the keys of some of them: names, values and places; `patterns` have their members."""
    some = tenants[:: max(1, len(tenants) // SOME)]
    period = period_at(some[0], timezone.now()).first
    return Sizes(
        _mean(
            [name for one in some for name in (keys.tenant(one.pk), keys.account(one.pk, period))], len(some)
        ),
        _mean([keys.members(one.pk, "users", period) for one in patterns], len(patterns)),
        _mean([keys.hour(one.pk, hour) for one in some], len(some)),
    )


def _mean(names: Sequence[str], count: int) -> float:
    pipe = bulk().pipeline(transaction=False)
    for name in names:
        pipe.memory_usage(name, samples=0)
    return sum(size or 0 for size in pipe.execute()) / count
