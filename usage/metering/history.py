"""Adds closed days up from their hours, for ever, and lets hours go by the month once their time is over.

Each step is a short transaction that leaves nothing half done: dying anywhere, coming late and running twice at once
only leave work for the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from usage.metering import ledger
from usage.models import Daybook

logger = logging.getLogger(__name__)

DAYS = 1_000  # of a tenant each, in one transaction
PATIENCE = "1s"  # for a lock that flushes and pages would queue up behind

TAKE = """
DELETE FROM usage_staleday WHERE id = ANY (ARRAY(
    SELECT id FROM usage_staleday ORDER BY tenant_id, day LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING tenant_id, day
"""
# One index range for each tenant, day and metric: without LATERAL the planner may choose to read whole months. What a
# day has stays where its hours have less: late hours may come when the others of their day are gone.
HOURS_OF = """
FROM unnest(%s::bigint[], %s::date[]) AS w (tenant_id, day) CROSS JOIN billing_metric m CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} WHERE tenant_id = w.tenant_id AND metric_id = m.id
    AND hour >= w.day::timestamp AT TIME ZONE 'UTC' AND hour < (w.day + 1)::timestamp AT TIME ZONE 'UTC' {group}
) h
"""
UNITS = f"""
INSERT INTO usage_usageday AS t (tenant_id, day, metric_id, label, quantity)
SELECT w.tenant_id, w.day, m.id, h.label, h.quantity
{HOURS_OF.format(columns="label, sum(quantity) AS quantity", table="usage_usagehour", group="GROUP BY label")}
ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant_id, day, metric_id, label) DO UPDATE SET quantity = excluded.quantity
WHERE excluded.quantity > t.quantity
"""
MOVES = "sum(added) AS added, sum(removed) AS removed, max(peak) AS peak"
FIRST = "(array_agg(closing - added + removed ORDER BY hour, epoch))[1] AS opening"
LAST = "(array_agg(closing ORDER BY hour DESC, epoch DESC))[1] AS closing"
LEVELS = f"""
INSERT INTO usage_levelday AS t (tenant_id, day, metric_id, opening, added, removed, peak, closing)
SELECT w.tenant_id, w.day, m.id, h.opening, h.added, h.removed, h.peak, h.closing
{HOURS_OF.format(columns=f"{FIRST}, {MOVES}, {LAST}", table="usage_levelhour", group="HAVING count(*) > 0")}
ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, day, metric_id) DO UPDATE
SET added = GREATEST(t.added, excluded.added), removed = GREATEST(t.removed, excluded.removed),
    peak = GREATEST(t.peak, excluded.peak), opening = excluded.opening, closing = excluded.closing
WHERE excluded.added + excluded.removed > t.added + t.removed
"""
REFUSALS = f"""
INSERT INTO usage_refusalday AS t (tenant_id, day, metric_id, cause, refused)
SELECT w.tenant_id, w.day, m.id, h.cause, h.refused
{HOURS_OF.format(columns="cause, sum(refused) AS refused", table="usage_refusalhour", group="GROUP BY cause")}
ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant_id, day, metric_id, cause) DO UPDATE SET refused = excluded.refused
WHERE excluded.refused > t.refused
"""
CLOSE = """
INSERT INTO usage_daybook (id, open_from) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET open_from = excluded.open_from
"""
IS_IN_DAYS = """
SELECT EXISTS (SELECT FROM usage_daybook WHERE open_from >= %(until)s)
AND NOT EXISTS (SELECT FROM usage_staleday WHERE day >= %(first)s AND day < %(until)s)
"""


def roll_up_days(at: datetime) -> int:
    """Close the days before `at`'s and add up what is stale; returns how many days of a tenant were.

    Months of hours go in the run that closes a day: once a day at the most.
    """
    has_closed, count = close_days(at.astimezone(UTC).date()), 0
    while taken := add_up():
        count += taken
    if has_closed:
        drop_months(at)
    return count


def close_days(today: date) -> bool:
    """Close all days before `today`, so that every tenant's are added up; returns whether there were any."""
    has_closed = False
    if not Daybook.objects.filter(open_from__gte=today).exists():
        while _patiently(partial(_close_next, today=today)):
            has_closed = True
    return has_closed


def _close_next(cursor: CursorWrapper, *, today: date) -> bool:
    """Close the first open day. In-flight writers of hours commit before; later ones see it closed."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('usage days'))")
    day = Daybook.objects.values_list("open_from", flat=True).first()
    if day is None:
        day = next(iter(ledger.partitions(ledger.HOURLY[0])), today)
    if day >= today:
        return False
    cursor.execute("INSERT INTO usage_staleday (tenant_id, day) SELECT id, %s FROM tenants_tenant", [day])
    cursor.execute(CLOSE, [day + timedelta(days=1)])
    return True


@transaction.atomic
def add_up() -> int:
    """Add up some stale days that nobody else is at; returns how many marks were taken, 0 when all are done."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [DAYS])
        taken = cursor.fetchall()
        if taken:
            # Marks first, then hours: each statement sees what was committed before it began.
            pairs = [list(column) for column in zip(*sorted(set(taken)), strict=True)]
            for statement in (UNITS, LEVELS, REFUSALS):
                cursor.execute(statement, pairs)
    return len(taken)


def drop_months(at: datetime) -> None:
    """Drop the hours of months whose time is over and whose days are all added up."""
    for table in ledger.HOURLY:
        for month in ledger.partitions(table):
            if ledger.may_go(month, at) and _patiently(partial(_drop, table=table, month=month)):
                logger.info("Dropped %s of %s: its time is over, days have it.", table, f"{month:%Y-%m}")


def _drop(cursor: CursorWrapper, *, table: str, month: date) -> bool:
    """Drop one partition, locked from before it is seen that nothing of it is missing in days.

    One table a transaction: a page that reads another one meanwhile can't wait for this one in a circle.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('usage partitions'))")
    cursor.execute(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE")
    cursor.execute(IS_IN_DAYS, {"first": month, "until": ledger.next_month(month)})
    is_in_days = bool(cursor.fetchone()[0])
    if is_in_days:
        cursor.execute(f"DROP TABLE IF EXISTS {table}_{month:%Y%m}")
    return is_in_days


def _patiently(step: Callable[[CursorWrapper], bool]) -> bool:
    """Do `step` in a transaction; False where others hold its locks for long: the next run tries again."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            return step(cursor)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        logger.warning("Days: gave up waiting for a lock after %s; the next run tries again.", PATIENCE)
        return False
