"""Reads the days of many tenants at once, as forecasts are learnt from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from django.conf import settings
from django.db import connection

from usage.forecasts.histories import History

# Closed days are read where they are added up, the rest hour by hour: of each tenant from the first day that is open,
# or was written to since. One index range for each tenant: without LATERAL the planner may read all days there are.
BOUNDS = """
WITH w AS (
    SELECT tenant_id, first, open_from, GREATEST(first, open_from)::timestamp AT TIME ZONE 'UTC' AS since FROM (
        SELECT tenant_id, first, LEAST(
            (SELECT min(day) FROM usage_staleday s
             WHERE s.tenant_id = t.tenant_id AND day >= first AND day > %(kept)s),
            COALESCE((SELECT open_from FROM usage_daybook), first)
        ) AS open_from FROM unnest(%(tenants)s::bigint[], %(firsts)s::date[]) AS t (tenant_id, first)
    ) b
)
"""
UNITS = """
SELECT w.tenant_id, u.* FROM w CROSS JOIN LATERAL (
    SELECT metric_id, day, sum(quantity)::bigint FROM usage_usageday
    WHERE tenant_id = w.tenant_id AND day >= w.first AND day < w.open_from GROUP BY 1, 2
    UNION ALL
    SELECT m.id, (hour AT TIME ZONE 'UTC')::date, sum(quantity)::bigint
    FROM billing_metric m JOIN usage_usagehour h ON h.metric_id = m.id
    WHERE h.tenant_id = w.tenant_id AND hour >= w.since AND hour >= %(since)s AND hour <= %(at)s GROUP BY 1, 2
) u
"""
LEVELS = """
SELECT w.tenant_id, u.* FROM w CROSS JOIN LATERAL (
    SELECT metric_id, day, opening, closing FROM usage_levelday
    WHERE tenant_id = w.tenant_id AND day >= w.first AND day < w.open_from
    UNION ALL
    SELECT m.id, (hour AT TIME ZONE 'UTC')::date, (array_agg(closing - added + removed ORDER BY hour, epoch))[1],
           (array_agg(closing ORDER BY hour DESC, epoch DESC))[1]
    FROM billing_metric m JOIN usage_levelhour h ON h.metric_id = m.id
    WHERE h.tenant_id = w.tenant_id AND hour >= w.since AND hour >= %(since)s AND hour <= %(at)s GROUP BY 1, 2
) u ORDER BY u.day
"""


def histories(firsts: Mapping[int, date], at: datetime) -> dict[int, History]:
    """What each tenant used from its first day to `at`, by tenant id; `firsts` has the days. Two queries for all."""
    found = {tenant: History() for tenant in firsts}
    today = at.astimezone(UTC).date()
    values: dict[str, Any] = {
        "tenants": list(firsts),
        "firsts": list(firsts.values()),
        "kept": (at - settings.HEADROOM_KEEP_HOURS).astimezone(UTC).date(),
        "since": datetime.combine(min(firsts.values(), default=today), time(), UTC),
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(BOUNDS + UNITS, values)
        for tenant, metric, day, units in cursor:
            found[tenant].units.setdefault(metric, {})[day] = units
        cursor.execute(BOUNDS + LEVELS, values)
        for tenant, metric, day, opening, closing in cursor:
            found[tenant].opens.setdefault(metric, opening)
            found[tenant].closes.setdefault(metric, {})[day] = closing
    return found
