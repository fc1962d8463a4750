"""What tests of statements begin with: a month of use in the ledger, and what was issued for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing.models import Metric, Plan, Statement
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.usage.counted import see, use
from usage.metering.ledger import Counts, keep, make_partitions
from usage.money.closing import close_periods

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2026, 12, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = HOUR
CLOSES = ENDS + GRACE
MB = 10**6


def day(number: int, hour: int = 0) -> datetime:
    """A time in November 2026."""
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def store(tenant: Tenant, *moves: tuple[datetime, int]) -> None:
    """Storage changed to so many MB in these hours, from nothing; call it once for a tenant."""
    metric, counts, level = Metric.objects.get(code="storage").pk, Counts(), 0
    added = removed = 0
    for hour, amount in moves:
        step = amount * MB - level
        up, down, level = max(0, step), max(0, -step), amount * MB
        added, removed = added + up, removed + down
        counts.level_hours.append((tenant.pk, metric, hour, 1, up, down, level + down, level))
    counts.levels.append((tenant.pk, metric, 1, added, removed))
    make_partitions({hour.date().replace(day=1) for hour, _ in moves})
    keep(counts)


def example(tenant: Tenant) -> None:
    """Docs/money.md works it out: an upgrade on the 23rd, calls and bandwidth beyond, storage over for ten days."""
    for slug, since in (("starter", FIRST - 40 * DAY), ("pro", day(23, 14))):
        subscribe(tenant, Plan.objects.get(slug=slug), at=since, actor=None, reason="test")
    use(tenant, "api_calls", 501_500, at=day(20))
    use(tenant, "bandwidth", 100_050 * MB, at=day(21))
    see(tenant, "ann", "bob", at=day(2))
    store(tenant, (day(5), 50_000), (day(11), 53_000), (day(21), 50_000))


def close(at: datetime = CLOSES) -> list[Statement]:
    """What is issued at `at`, in the order of the numbers."""
    known = set(Statement.objects.values_list("pk", flat=True))
    count = close_periods(at)
    made = list(Statement.objects.exclude(pk__in=known).order_by("number"))
    assert len(made) == count
    return made


def issued(tenant: Tenant) -> list[tuple[str, str, Decimal]]:
    """Number, kind and total of all that a tenant was billed."""
    rows = Statement.objects.filter(tenant=tenant).order_by("pk")
    return list(rows.values_list("number", "kind", "total"))


def until_blocked() -> None:
    """Until another connection of this database waits for a lock, be it for a row."""
    _until("wait_event_type = 'Lock'", is_there=True)


def until_buried() -> None:
    """Until PostgreSQL has seen that who was killed is gone, and has undone what it began."""
    _until("xact_start IS NOT NULL", is_there=False)


def _until(is_so: str, *, is_there: bool) -> None:
    """Until some other connection of a client is so, or none is."""
    rows = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(2_000):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) {rows} AND backend_type = 'client backend' AND {is_so}")
            if bool(cursor.fetchone()[0]) == is_there:
                return
        time.sleep(0.005)
    raise AssertionError(f"{is_so}: not in ten seconds")
