"""What PostgreSQL says of counts in other places than the totals: hours, days and members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from django.db import connection, transaction

# Closed days are read where they are added up, as pages do.
UNITS_IN_HOURS = """
WITH wanted AS (SELECT * FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS w (tenant_id, first, until)),
book AS (SELECT COALESCE((SELECT open_from FROM usage_daybook), '-infinity'::date) AS open_from)
SELECT tenant_id, metric_id, sum(quantity)::bigint FROM (
    SELECT d.tenant_id, d.metric_id, d.quantity FROM wanted w CROSS JOIN book b
    JOIN usage_usageday d ON d.tenant_id = w.tenant_id AND d.day >= w.first AND d.day < LEAST(w.until, b.open_from)
    UNION ALL
    SELECT h.tenant_id, h.metric_id, h.quantity FROM wanted w CROSS JOIN book b
    JOIN usage_usagehour h ON h.tenant_id = w.tenant_id AND h.hour < w.until::timestamp AT TIME ZONE 'UTC'
    AND h.hour >= GREATEST(w.first, b.open_from)::timestamp AT TIME ZONE 'UTC'
) u GROUP BY 1, 2
"""
MEMBER_COUNTS = """
SELECT tenant_id, metric_id, count(*) FROM usage_usagemember
JOIN unnest(%s::bigint[], %s::date[]) AS w (tenant_id, period) USING (tenant_id, period) GROUP BY 1, 2
"""
RESTORE_MEMBERS = """
INSERT INTO usage_usagemember (tenant_id, metric_id, period, member)
SELECT %s, %s, %s, member FROM unnest(%s::text[]) AS t (member) ORDER BY member ON CONFLICT DO NOTHING
"""
LATEST_OTHER = """
SELECT hour, COALESCE(max(quantity) FILTER (WHERE label = %s AND epoch = %s), 0) FROM usage_usagehour
WHERE tenant_id = %s AND metric_id = %s AND hour >= %s AND hour <= %s GROUP BY hour ORDER BY hour DESC LIMIT 1
"""
OTHER = "other"  # the label of what has no label of its own


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read inside is as of one moment: a flush between two readings would look like a gap.

    A caller's own transaction, where there is one, has its own moment.
    """
    is_own = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_own:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def units_in_hours(wanted: Iterable[tuple[int, date, date]]) -> Mapping[tuple[int, int], int]:
    """Units of all labels by (tenant id, metric id), from a day to before another."""
    with connection.cursor() as cursor:
        cursor.execute(UNITS_IN_HOURS, [list(column) for column in zip(*wanted, strict=True)])
        return {(tenant, metric): units for tenant, metric, units in cursor}


def member_counts(wanted: Iterable[tuple[int, date]]) -> Mapping[tuple[int, int], int]:
    """How many members are known, by (tenant id, metric id), for each tenant in the period named with it."""
    with connection.cursor() as cursor:
        cursor.execute(MEMBER_COUNTS, [list(column) for column in zip(*wanted, strict=True)])
        return {(tenant, metric): count for tenant, metric, count in cursor}


def restore_members(tenant_id: int, metric_id: int, period: date, found: Sequence[str]) -> None:
    """Write members that are missing, and leave their count alone: it may know them."""
    with connection.cursor() as cursor:
        cursor.execute(RESTORE_MEMBERS, [tenant_id, metric_id, period, list(found)])


def latest_other(
    tenant_id: int, metric_id: int, epoch: int, since: datetime, at: datetime
) -> tuple[datetime, int]:
    """The latest hour of a metric between two times, else the one of `at`; what it has without a label of its own."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST_OTHER, [OTHER, epoch, tenant_id, metric_id, since, at])
        return cursor.fetchone() or (at.replace(minute=0, second=0, microsecond=0), 0)


def stale_tenants(ids: Iterable[int]) -> set[int]:
    """Those of whom a closed day waits to be added up again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tenant_id FROM usage_staleday WHERE tenant_id = ANY (%s)", [list(ids)]
        )
        return {row[0] for row in cursor}
