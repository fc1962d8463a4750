"""Everything PostgreSQL has counted of one tenant, in one round trip; days are UTC days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from billing.periods import Period
from tenants.models import Tenant

# Closed days change only by a flush that came late, yet summing their hours is most of the work of a page.
REMEMBERED_SECONDS = 60

# what: used and level (totals), day (units of a label on a day), open and close (a level before its first move and
# after the last of a day), refused (by cause, in the label).
# Closed days are read where they are added up, the rest hour by hour: from the first day that is open, or was written
# to since. No day is so far back that its hours may have been dropped. Units are read before %(until)s, levels to the
# end: the first move after a window says at what they stood in it. With %(metric)s, that one alone.
SOURCES = """
WITH fresh AS (
    SELECT day, day::timestamp AT TIME ZONE 'UTC' AS since FROM (SELECT LEAST(
        (SELECT min(day) FROM usage_staleday WHERE tenant_id = %(tenant)s AND day >= %(first)s AND day > %(kept)s),
        COALESCE((SELECT open_from FROM usage_daybook), %(first)s)
    ) AS day) d
), levels AS (
    SELECT metric_id, day, NULL::timestamptz AS hour, 0 AS epoch, opening, closing
    FROM usage_levelday WHERE tenant_id = %(tenant)s AND day >= %(first)s AND day < (SELECT day FROM fresh)
    AND (%(metric)s::bigint IS NULL OR metric_id = %(metric)s)
    UNION ALL
    SELECT metric_id, (hour AT TIME ZONE 'UTC')::date, hour, epoch, closing - added + removed, closing
    FROM usage_levelhour WHERE tenant_id = %(tenant)s
    AND hour >= %(since)s AND hour >= (SELECT since FROM fresh) AND hour < %(ends)s
    AND (%(metric)s::bigint IS NULL OR metric_id = %(metric)s)
)
"""
DAYS = """
SELECT 'day' AS what, metric_id, day, label, quantity
FROM usage_usageday WHERE tenant_id = %(tenant)s AND day >= %(first)s AND day < (SELECT day FROM fresh)
AND day < (%(until)s AT TIME ZONE 'UTC')::date AND (%(metric)s::bigint IS NULL OR metric_id = %(metric)s)
UNION ALL
SELECT 'day', metric_id, (hour AT TIME ZONE 'UTC')::date, label, sum(quantity)::bigint
FROM usage_usagehour WHERE tenant_id = %(tenant)s
AND hour >= %(since)s AND hour >= (SELECT since FROM fresh) AND hour < %(until)s
AND (%(metric)s::bigint IS NULL OR metric_id = %(metric)s) GROUP BY 2, 3, 4
UNION ALL
(SELECT DISTINCT ON (metric_id, day) 'close', metric_id, day, '', closing
 FROM levels ORDER BY metric_id, day, hour DESC, epoch DESC)
UNION ALL
(SELECT DISTINCT ON (metric_id) 'open', metric_id, day, '', opening FROM levels ORDER BY metric_id, day, hour, epoch)
"""
TOTALS = """
SELECT 'used', metric_id, NULL::date, '', sum(used)::bigint
FROM usage_usageperiod WHERE tenant_id = %(tenant)s AND period = %(period)s GROUP BY metric_id
UNION ALL
SELECT 'level', metric_id, NULL, '', GREATEST(0, sum(added) - sum(removed))::bigint
FROM usage_usagelevel WHERE tenant_id = %(tenant)s GROUP BY metric_id
UNION ALL
SELECT 'refused', metric_id, NULL, cause, sum(refused)::bigint
FROM usage_refusalhour WHERE tenant_id = %(tenant)s AND hour >= %(refused_since)s GROUP BY metric_id, cause
"""


Value = int | date | datetime | None


class Row(NamedTuple):
    """One line of the statements above."""

    what: str
    metric: int
    day: date | None
    label: str
    quantity: int


@dataclass(slots=True)
class Counts:
    """Totals of a period, and what was used on each day read, by metric id."""

    totals: dict[int, int] = field(default_factory=dict)
    refused: dict[int, dict[str, int]] = field(default_factory=dict)  # last 24 h, by cause
    days: dict[int, dict[date, dict[str, int]]] = field(
        default_factory=dict
    )  # units by label; of a level: added
    closes: dict[int, dict[date, int]] = field(default_factory=dict)
    opens: dict[int, int] = field(default_factory=dict)
    first: date = date.min  # the first day that was read

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.what == "level":
                self.totals[row.metric] = row.quantity
            elif row.what == "used":
                self.totals.setdefault(row.metric, row.quantity)
            elif row.what == "refused":
                self.refused.setdefault(row.metric, {})[row.label] = row.quantity
            elif row.what == "open":
                self.opens.setdefault(row.metric, row.quantity)
            elif row.day and row.what == "close":
                self.closes.setdefault(row.metric, {})[row.day] = row.quantity
            elif row.day:
                self.days.setdefault(row.metric, {}).setdefault(row.day, {})[row.label] = row.quantity

    def on(self, metric: int, day: date) -> int:
        """Units of all labels on `day`."""
        return sum(self.days.get(metric, {}).get(day, {}).values())

    def levels(self, metric: int, window: Sequence[date], today: date) -> list[int]:
        """The amount of a level at the end of each day of `window`; a day without a move carries it on."""
        closes = self.closes.get(metric, {})
        now = self.totals.get(metric, 0)
        earlier = [closes[day] for day in sorted(closes) if day < window[0]]
        amount = earlier[-1] if earlier else self.opens.get(metric, now)
        amounts = []
        for day in window:
            amount = now if day == today else closes.get(day, amount)
            amounts.append(amount)
        return amounts

    def labels(self, metric: int, first: date, until: date) -> dict[str, int]:
        """Units by label from `first` to before `until`, the largest first."""
        found: dict[str, int] = {}
        for day, labels in self.days.get(metric, {}).items():
            if first <= day < until:
                for label, units in labels.items():
                    found[label] = found.get(label, 0) + units
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def counts(tenant: Tenant, period: Period, at: datetime, *, first: date) -> Counts:
    """Totals of `period`, refusals of the last 24 h, and the days from `first` to `at`."""
    found = Counts(first=first)
    today = at.astimezone(UTC).date()
    key = f"days:{tenant.pk}:{first}:{today}"
    closed: list[Row] | None = cache.get(key)
    rows = _read(tenant, period, at, first if closed is None else today)
    if closed is None:
        closed = [row for row in rows if row.day and row.day < today]
        cache.set(key, closed, REMEMBERED_SECONDS)
        rows = [row for row in rows if not (row.day and row.day < today)]
    found.add(closed)
    found.add(rows)
    return found


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _read(tenant: Tenant, period: Period, at: datetime, first: date) -> list[Row]:
    values = values_of(tenant, at, first)
    values |= {"period": period.first, "refused_since": at - timedelta(days=1)}
    with connection.cursor() as cursor:
        cursor.execute(f"{SOURCES} {TOTALS} UNION ALL {DAYS}", values)
        return [Row(*row) for row in cursor]


def values_of(tenant: Tenant, at: datetime, first: date) -> dict[str, Value]:
    """What the statements above ask for: all metrics, from `first` to now."""
    return {
        "tenant": tenant.pk,
        "metric": None,
        "first": first,
        "since": midnight(first),
        "kept": (at - settings.HEADROOM_KEEP_HOURS).astimezone(UTC).date(),
        "until": at + timedelta(days=1),
        "ends": at + timedelta(days=1),
    }
