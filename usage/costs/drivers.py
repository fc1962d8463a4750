"""How much every tenant used of each metric in a calendar month: what costs are divided by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from billing.costs.division import Drivers
from billing.models import Metric
from usage.costs.months import Month

# Days tell of what is closed and added up, hours of the rest: none is read twice, none left out.
BOUNDS = """
WITH bounds AS (
    SELECT first, until, closed, LEAST(until, closed) AS open_from FROM (
        SELECT %(first)s::date AS first, %(until)s::date AS until, GREATEST(%(first)s::date, LEAST(
            (SELECT min(day) FROM usage_staleday WHERE day >= %(first)s::date),
            COALESCE((SELECT open_from FROM usage_daybook), '-infinity')
        )) AS closed
    ) b
)
"""
# One index range for each tenant: without LATERAL the planner may read all days there ever were.
UNITS = """
SELECT t.id, u.metric_id, sum(u.quantity) FROM tenants_tenant t CROSS JOIN bounds b CROSS JOIN LATERAL (
    SELECT metric_id, quantity FROM usage_usageday
    WHERE tenant_id = t.id AND day >= b.first AND day < b.open_from
    UNION ALL
    SELECT m.id, h.quantity FROM billing_metric m JOIN usage_usagehour h ON h.metric_id = m.id
    WHERE h.tenant_id = t.id AND h.hour >= b.open_from::timestamp AT TIME ZONE 'UTC'
    AND h.hour < b.until::timestamp AT TIME ZONE 'UTC'
) u
GROUP BY 1, 2 HAVING sum(u.quantity) > 0
"""
# The amount at the end of each day, added up: where the level stood when the month began counts until its first move,
# and each day's last move until the next. It began where its first move since then, also one of a later month, found
# it; without one where it stands now.
LEVELS = """
SELECT t.id, m.id, sum(s.amount * s.days) FROM tenants_tenant t CROSS JOIN billing_metric m CROSS JOIN bounds b
CROSS JOIN LATERAL (
    SELECT GREATEST(0, amount) AS amount, lead(day, 1, b.until) OVER (ORDER BY day, is_move) - day AS days FROM (
        SELECT b.first AS day, false AS is_move, COALESCE(
            (SELECT opening FROM usage_levelday WHERE tenant_id = t.id AND metric_id = m.id
             AND day >= b.first AND day < b.closed ORDER BY day LIMIT 1),
            (SELECT closing - added + removed FROM usage_levelhour WHERE tenant_id = t.id AND metric_id = m.id
             AND hour >= b.closed::timestamp AT TIME ZONE 'UTC' ORDER BY hour, epoch LIMIT 1),
            (SELECT sum(added - removed) FROM usage_usagelevel WHERE tenant_id = t.id AND metric_id = m.id),
            0
        ) AS amount
        UNION ALL
        SELECT day, true, closing FROM usage_levelday
        WHERE tenant_id = t.id AND metric_id = m.id AND day >= b.first AND day < b.open_from
        UNION ALL
        SELECT (hour AT TIME ZONE 'UTC')::date, true, (array_agg(closing ORDER BY hour DESC, epoch DESC))[1]
        FROM usage_levelhour
        WHERE tenant_id = t.id AND metric_id = m.id AND hour >= b.open_from::timestamp AT TIME ZONE 'UTC'
        AND hour < b.until::timestamp AT TIME ZONE 'UTC' GROUP BY 1
    ) moves
) s
WHERE m.kind = 'level'
GROUP BY 1, 2 HAVING sum(s.amount * s.days) > 0
"""

Quantities = dict[int, dict[int, int]]  # units by metric id, then by tenant id


def drivers(month: Month, at: datetime) -> Drivers:
    """What every tenant used in `month` by `at`; three queries, however many tenants there are.

    Of a sum its units, of a distinct the members first seen in the month, of a level its amounts at the ends of the
    days added up: the day of `at` counts with what stands. Active is who used a unit of anything.
    """
    until = min(month.until, at.astimezone(UTC).date() + timedelta(days=1))
    bounds = {"first": month.first, "until": max(month.first, until)}
    levels = set(Metric.objects.filter(kind=Metric.Kind.LEVEL).values_list("pk", flat=True))
    units, standing = _ask(UNITS, bounds), _ask(LEVELS, bounds)
    active = frozenset(tenant for of_metric in units.values() for tenant in of_metric)
    summed = {metric: of_metric for metric, of_metric in units.items() if metric not in levels}
    return Drivers({**summed, **standing}, active)


def _ask(statement: str, bounds: Mapping[str, date]) -> Quantities:
    found: Quantities = {}
    with connection.cursor() as cursor:
        cursor.execute(BOUNDS + statement, bounds)
        for tenant, metric, units in cursor:
            found.setdefault(metric, {})[tenant] = int(units)
    return found
