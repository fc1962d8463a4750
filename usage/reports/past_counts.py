"""What periods counted in all, however long ago: use, refusals, and what levels stood at when they ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection

from billing.periods import Period
from tenants.models import Tenant

# A level's hours are kept for a while, its days for ever: the last move before the end says at what it stood then,
# else the first one after it.
COUNTS = """
SELECT FALSE, period, metric_id, sum(used)::bigint, sum(refused)::bigint FROM usage_usageperiod
WHERE tenant_id = %(tenant)s AND period = ANY(%(periods)s) GROUP BY period, metric_id
UNION ALL
SELECT TRUE, p.period, m.id, GREATEST(0, COALESCE(
    (SELECT closing FROM usage_levelhour WHERE tenant_id = %(tenant)s AND metric_id = m.id AND hour < p.ends
     ORDER BY hour DESC, epoch DESC LIMIT 1),
    (SELECT closing FROM usage_levelday WHERE tenant_id = %(tenant)s AND metric_id = m.id
     AND day < (p.ends AT TIME ZONE 'UTC')::date ORDER BY day DESC LIMIT 1),
    (SELECT opening FROM usage_levelday WHERE tenant_id = %(tenant)s AND metric_id = m.id
     AND day >= (p.ends AT TIME ZONE 'UTC')::date ORDER BY day LIMIT 1),
    (SELECT closing - added + removed FROM usage_levelhour WHERE tenant_id = %(tenant)s AND metric_id = m.id
     AND hour >= p.ends ORDER BY hour, epoch LIMIT 1),
    (SELECT sum(added - removed) FROM usage_usagelevel WHERE tenant_id = %(tenant)s AND metric_id = m.id),
    0
))::bigint, 0
FROM unnest(%(periods)s::date[], %(ends)s::timestamptz[]) AS p (period, ends)
CROSS JOIN billing_metric m WHERE m.kind = 'level'
"""
FIRST = """
SELECT LEAST(
    (SELECT min(period) FROM usage_usageperiod WHERE tenant_id = %(tenant)s),
    (SELECT min(day) FROM usage_levelday WHERE tenant_id = %(tenant)s)
)
"""


class PastCount(NamedTuple):
    """Units and refusals of one metric in one period; of a level what it stood at."""

    used: int
    refused: int


def past_counts(tenant: Tenant, periods: Sequence[Period]) -> dict[tuple[date, int], PastCount]:
    """By the period's first day and the metric's id; levels that stand at nothing are there too. One query."""
    values: dict[str, int | list[date] | list[datetime]] = {
        "tenant": tenant.pk,
        "periods": [period.first for period in periods],
        "ends": [period.ends for period in periods],
    }
    found: dict[tuple[date, int], PastCount] = {}
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, values)
        for is_level, period, metric, used, refused in sorted(cursor):
            known = found.get((period, metric), PastCount(0, 0))
            found[period, metric] = PastCount(used, known.refused if is_level else refused)
    return found


def first_counted(tenant: Tenant) -> date | None:
    """A day of the first period in which anything was counted; one query."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST, {"tenant": tenant.pk})
        row: tuple[date | None] = cursor.fetchone()
        return row[0]
