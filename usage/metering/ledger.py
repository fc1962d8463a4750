"""The counts in PostgreSQL: every number only moves up within its epoch, so writing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from tenants.arrays import array, columns

PERIODS = """
INSERT INTO usage_usageperiod AS t (tenant_id, metric_id, period, epoch, used, refused)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant_id, metric_id, period, epoch) DO UPDATE
SET used = GREATEST(t.used, excluded.used), refused = GREATEST(t.refused, excluded.refused)
WHERE excluded.used > t.used OR excluded.refused > t.refused
"""
LEVELS = """
INSERT INTO usage_usagelevel AS t (tenant_id, metric_id, epoch, added, removed)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, metric_id, epoch) DO UPDATE
SET added = GREATEST(t.added, excluded.added), removed = GREATEST(t.removed, excluded.removed)
WHERE excluded.added > t.added OR excluded.removed > t.removed
"""
# A member is inserted once, whoever comes first, and moves the count in the same statement.
MEMBERS = """
WITH come AS (
    INSERT INTO usage_usagemember (tenant_id, metric_id, period, member)
    SELECT DISTINCT * FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::text[]) ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING RETURNING tenant_id, metric_id, period
)
INSERT INTO usage_usageperiod AS t (tenant_id, metric_id, period, epoch, used, refused)
SELECT tenant_id, metric_id, period, 0, count(*), 0 FROM come GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, metric_id, period, epoch) DO UPDATE SET used = t.used + excluded.used
"""
HOURS = """
INSERT INTO usage_usagehour AS t (tenant_id, metric_id, hour, label, epoch, quantity)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (tenant_id, metric_id, hour, label, epoch) DO UPDATE SET quantity = excluded.quantity
WHERE excluded.quantity > t.quantity
"""
# Of two states of a level the one with more moves is the later one: it has the closing amount.
LEVEL_HOURS = """
INSERT INTO usage_levelhour AS t (tenant_id, metric_id, hour, epoch, added, removed, peak, closing)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[],
                     %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant_id, metric_id, hour, epoch) DO UPDATE
SET added = GREATEST(t.added, excluded.added), removed = GREATEST(t.removed, excluded.removed),
    peak = GREATEST(t.peak, excluded.peak), closing = excluded.closing
WHERE excluded.added + excluded.removed > t.added + t.removed
"""
REFUSALS = """
INSERT INTO usage_refusalhour AS t (tenant_id, metric_id, hour, cause, epoch, refused)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (tenant_id, metric_id, hour, cause, epoch) DO UPDATE SET refused = excluded.refused
WHERE excluded.refused > t.refused
"""
# Hours of a closed day have it added up again. Whoever closes a day takes the lock alone, so that everybody who writes
# hours has committed before, or sees here that the day is closed.
DAYS_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtext('usage days'))"
STALE_DAYS = """
INSERT INTO usage_staleday (tenant_id, day)
SELECT DISTINCT tenant_id, (hour AT TIME ZONE 'UTC')::date
FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (tenant_id, hour)
WHERE (hour AT TIME ZONE 'UTC')::date < (SELECT open_from FROM usage_daybook)
"""
TAKE = """
SELECT tag FROM unnest(%s::int[]) AS t (tag) WHERE pg_try_advisory_xact_lock(hashtext('usage flush'), tag)
"""
TOTALS = """
SELECT t.tenant_id, t.metric_id, t.epoch, t.used, 0, t.refused, t.period FROM usage_usageperiod t
JOIN unnest(%s::bigint[], %s::date[]) AS w (tenant_id, period) USING (tenant_id, period)
WHERE t.tenant_id = ANY (%s::bigint[]) -- says the same again, and leads to the index
UNION ALL
SELECT tenant_id, metric_id, epoch, added, removed, 0, NULL FROM usage_usagelevel WHERE tenant_id = ANY (%s::bigint[])
"""

MEMBERS_OF = """
SELECT t.tenant_id, t.period, t.member FROM usage_usagemember t
JOIN unnest(%s::bigint[], %s::date[]) AS w (tenant_id, period) USING (tenant_id, period) WHERE t.metric_id = %s
"""


@dataclass(slots=True)
class Counts:
    """Rows to keep, in the order of their table's columns; all values absolute within their epoch."""

    periods: list[tuple[Any, ...]] = field(default_factory=list)
    levels: list[tuple[Any, ...]] = field(default_factory=list)
    members: list[tuple[Any, ...]] = field(default_factory=list)
    hours: list[tuple[Any, ...]] = field(default_factory=list)
    level_hours: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: list[tuple[Any, ...]] = field(default_factory=list)

    def of_hours(self) -> set[tuple[int, datetime]]:
        """The tenants and hours that are written to."""
        return {(row[0], row[2]) for rows in (self.hours, self.level_hours, self.refusals) for row in rows}


class Part(NamedTuple):
    """What one epoch holds of a metric: units used (a level: added), removed, and charges refused."""

    epoch: int
    used: int
    removed: int
    refused: int


@dataclass(frozen=True, slots=True)
class Total:
    """All that PostgreSQL knows of one metric of a tenant in a period."""

    parts: tuple[Part, ...] = ()

    @property
    def used(self) -> int:
        """Units over all epochs; for a level its amount."""
        return max(0, sum([part.used - part.removed for part in self.parts]))

    @property
    def refused(self) -> int:
        return sum([part.refused for part in self.parts])

    def others(self, epoch: int) -> int:
        """Units of all epochs but this one."""
        return sum([part.used - part.removed for part in self.parts if part.epoch != epoch])

    def own(self, epoch: int) -> Part:
        """What this epoch holds."""
        mine = [part for part in self.parts if part.epoch == epoch]
        if len(mine) == 1:
            return mine[0]
        return Part(epoch, *(sum(part[i] for part in mine) for i in (1, 2, 3)))


HOURLY = ("usage_usagehour", "usage_levelhour", "usage_refusalhour")
NOTHING = Total()
Totals = Mapping[tuple[int, int], Total]


def keep(counts: Counts) -> None:
    """Write the counts; what PostgreSQL has already seen, or more, stays. Call it in a transaction."""
    with connection.cursor() as cursor:
        if hours := counts.of_hours():
            cursor.execute(DAYS_LOCK)
            cursor.execute(STALE_DAYS, columns(hours))
        for statement, rows in (
            (PERIODS, counts.periods),
            (LEVELS, counts.levels),
            (MEMBERS, counts.members),
            (HOURS, counts.hours),
            (LEVEL_HOURS, counts.level_hours),
            (REFUSALS, counts.refusals),
        ):
            if rows:
                cursor.execute(statement, columns(rows))


def take(tags: Iterable[int]) -> set[int]:
    """Those of `tags` that no other flusher has taken; they are taken until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [array(tags)])
        return {row[0] for row in cursor}


def totals(wanted: Iterable[tuple[int, date]]) -> Totals:
    """Totals by (tenant id, metric id) for each tenant in the period named with it."""
    pairs = sorted(set(wanted))  # one named twice would count twice
    parts: dict[tuple[int, int], list[Part]] = {}
    ids, periods = array(pk for pk, _ in pairs), array(period for _, period in pairs)
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, [ids, periods, ids, ids])
        for tenant, metric, epoch, used, removed, refused, _ in cursor:
            parts.setdefault((tenant, metric), []).append(Part(epoch, used, removed, refused))
    return {key: Total(tuple(found)) for key, found in parts.items()}


def members(tenant_id: int, metric_id: int, period: date) -> Sequence[str]:
    """The distinct members PostgreSQL knows of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member FROM usage_usagemember WHERE tenant_id = %s AND metric_id = %s AND period = %s",
            [tenant_id, metric_id, period],
        )
        return [row[0] for row in cursor]


def members_of(
    wanted: Iterable[tuple[int, date]], metric_id: int
) -> Mapping[tuple[int, date], Sequence[str]]:
    """The same of many tenants, each in the period named with it; who has none is missing."""
    pairs, found = list(wanted), dict[tuple[int, date], list[str]]()
    with connection.cursor() as cursor:
        columns = array(pk for pk, _ in pairs), array(period for _, period in pairs)
        cursor.execute(MEMBERS_OF, [*columns, metric_id])
        for tenant_id, period, member in cursor:
            found.setdefault((tenant_id, period), []).append(member)
    return found


def new_epoch() -> int:
    """A number no other life of any tenant's counts has."""
    return new_epochs(1)[0]


def new_epochs(count: int) -> list[int]:
    """So many of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('usage_epoch') FROM generate_series(1, %s)", [count])
        return [row[0] for row in cursor]


def new_stamps(count: int) -> list[int]:
    """Numbers that rise with each drawing: of two computations of a tenant's cap stops, which is the later one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('usage_capstamp') FROM generate_series(1, %s)", [count])
        return [row[0] for row in cursor]


def make_partitions(months: Iterable[date]) -> None:
    """Make the monthly partitions of the hourly tables that are missing; each month is named by its first day."""
    with connection.cursor() as cursor:
        for first in sorted(set(months)):
            until = next_month(first)
            # Two makers wait for each other instead of failing.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('usage partitions'))")
            for table in HOURLY:
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {table}_{first:%Y%m} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{first} 00:00+00') TO ('{until} 00:00+00')"
                )


def partitions(table: str) -> list[date]:
    """The months that one of the hourly tables has, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_date(right(relname, 6), 'YYYYMM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = %s::regclass AND relname ~ '_[0-9]{6}$' ORDER BY 1",
            [table],
        )
        return [row[0] for row in cursor]


def may_go(month: date, at: datetime) -> bool:
    """Whether the month's hours have been kept for their time, so that its partitions may be gone."""
    return datetime.combine(next_month(month), time(), UTC) + settings.HEADROOM_KEEP_HOURS <= at


def month_of(hour: datetime) -> date:
    return date(hour.year, hour.month, 1)


def next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
