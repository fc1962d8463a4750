"""What a month of a tenant takes in PostgreSQL, and an account in Redis, for bench/growth.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
CHUNK = 5_000

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


def used_memory() -> int:
    """Bytes of what Redis keeps, without what it needs for those who ask."""
    found = bulk().info("memory")
    return int(found["used_memory"]) - int(found["mem_clients_normal"]) - int(found["mem_aof_buffer"])


def of_members(tenants: Sequence[Tenant]) -> int:
    """Bytes of the members of so many tenants."""
    at, pipe = timezone.now(), bulk().pipeline(transaction=False)
    for one in tenants:
        pipe.memory_usage(keys.members(one.pk, "users", period_at(one, at).first))
    return sum(size or 0 for size in pipe.execute())


def let_hours_go(tenants: Sequence[Tenant], hour: str) -> None:
    """As two hours after the flush; and who asked last, and what was refused."""
    for names in _chunks([keys.hour(one.pk, hour) for one in tenants]):
        bulk().unlink(*names)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
