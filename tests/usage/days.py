"""Writes hours of long ago as the flush would, and says what days must have of them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

from billing.models import Metric
from billing.periods import period_at
from tenants.models import Tenant
from usage.metering import ledger
from usage.metering.ledger import Counts
from usage.models import Daybook, LevelDay, RefusalDay, StaleDay, UsageDay
from usage.reports.counts import counts

# Long before any other test's time, so that no month of theirs is ever over.
AT = datetime(2021, 6, 23, 14, 2, 10, tzinfo=UTC)
TODAY = AT.date()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

LEVEL = ("opening", "added", "removed", "peak", "closing")

Facts = list[dict[tuple[Any, ...], Any]]


def code(name: str) -> int:
    return Metric.objects.get(code=name).pk


def hour(day: date, of_day: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, of_day, tzinfo=UTC)


def before(days: int) -> date:
    """The day so many days before today."""
    return TODAY - timedelta(days=days)


class Book:
    """All hours that were written: of each, what was written last."""

    def __init__(self) -> None:
        self.units: dict[tuple[Any, ...], int] = {}
        self.moves: dict[tuple[Any, ...], tuple[int, int, int, int]] = {}
        self.refused: dict[tuple[Any, ...], int] = {}

    def write(self, found: Counts) -> None:
        """Keep these hours, committed together; months are made where they are missing."""
        ledger.make_partitions({ledger.month_of(at) for _, at in found.of_hours()})
        with transaction.atomic():
            ledger.keep(found)
        self.units |= {row[:5]: row[5] for row in found.hours}
        self.moves |= {row[:4]: row[4:] for row in found.level_hours}
        self.refused |= {row[:5]: row[5] for row in found.refusals}

    def use(self, tenant: Tenant, at: datetime, units: int, *, label: str = "GET", epoch: int = 1) -> None:
        self.write(Counts(hours=[(tenant.pk, code("api_calls"), at, label, epoch, units)]))

    def live(self, tenant: Tenant, days: int, *, seed: int = 1) -> None:
        """Some hours of each of the last days and of today: several labels, epochs, causes, and a level."""
        dice, level, found = random.Random(seed), 100, Counts()  # noqa: S311  # the same each time is what is wanted
        calls, storage = code("api_calls"), code("storage")
        hours = [
            (back, of_day) for back in range(days, -1, -1) for of_day in sorted(dice.sample(range(24), 3))
        ]
        for at in (hour(before(back), of_day) for back, of_day in hours):
            epoch = dice.randint(1, 2)
            for label in ("GET /a", "POST /b"):
                found.hours.append((tenant.pk, calls, at, label, epoch, dice.randint(1, 99)))
            added, removed = dice.randint(0, 50), dice.randint(1, 9)
            moves = (added, removed, level + added, level := level + added - removed)
            found.level_hours.append((tenant.pk, storage, at, epoch, *moves))
            found.refusals.append((tenant.pk, calls, at, dice.choice(("limit", "cap")), epoch, 2))
        self.write(found)

    def days(self, until: date = TODAY) -> Facts:
        """What days before `until` must have."""
        units: dict[tuple[Any, ...], int] = {}
        refused: dict[tuple[Any, ...], int] = {}
        levels: dict[tuple[Any, ...], Any] = {}
        for sums, rows in ((units, self.units), (refused, self.refused)):
            for (tenant, metric, at, label, _epoch), quantity in rows.items():
                key = (tenant, at.date(), metric, label)
                sums[key] = sums.get(key, 0) + quantity
        for tenant, metric, at, epoch in sorted(self.moves, key=lambda key: (key[2], key[3])):
            added, removed, peak, closing = self.moves[tenant, metric, at, epoch]
            was = levels.get((tenant, at.date(), metric), (closing - added + removed, 0, 0, 0))
            now = (was[0], was[1] + added, was[2] + removed, max(was[3], peak), closing)
            levels[tenant, at.date(), metric] = now
        return [{key: of[key] for key in of if key[1] < until} for of in (units, levels, refused)]


def days() -> Facts:
    """What the tables of days have."""
    units = UsageDay.objects.values_list("tenant", "day", "metric", "label", "quantity")
    levels = LevelDay.objects.values_list("tenant", "day", "metric", *LEVEL)
    refused = RefusalDay.objects.values_list("tenant", "day", "metric", "cause", "refused")
    return [
        {row[:4]: row[4] for row in units},
        {row[:3]: row[3:] for row in levels},
        {row[:4]: row[4] for row in refused},
    ]


def stale() -> int:
    """How many days wait to be added up."""
    return StaleDay.objects.values("tenant", "day").distinct().count()


def months() -> set[str]:
    """The months that any of the hourly tables has, up to today's."""
    found = {month for table in ledger.HOURLY for month in ledger.partitions(table)}
    return {f"{month:%Y-%m}" for month in found if month <= TODAY}


def shown(tenant: Tenant, at: datetime = AT, days: int = 62) -> Any:
    """What pages read of the last days, without what they remember."""
    cache.clear()
    found = counts(tenant, period_at(tenant, at), at, first=at.date() - timedelta(days=days))
    return found.days, found.closes, found.opens


def forget_days() -> None:
    """As if no day had ever been closed, and nothing counted."""
    with connection.cursor() as cursor:
        for model in (Daybook, StaleDay, UsageDay, LevelDay, RefusalDay):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        for table in ledger.HOURLY:
            for month in ledger.partitions(table):
                if month <= TODAY:
                    cursor.execute(f"DROP TABLE {table}_{month:%Y%m}")


def wait_until_blocked() -> None:
    """Until another transaction waits for a lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
                "WHERE NOT granted AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nothing waits")


class Killed(Exception):
    """The process died at this statement."""


@contextmanager
def killed_at(statement: int) -> Iterator[list[str]]:
    """Die at the n-th statement, counted from 0; gives the statements that were begun."""
    begun: list[str] = []

    def die(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        begun.append(sql)
        if len(begun) > statement:
            raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(die):
        yield begun
