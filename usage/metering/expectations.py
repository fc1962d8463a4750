"""What each tenant's period still brings: learnt once a day from the days before, read by every flush."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection, transaction

from billing.periods import Period, period_at
from tenants.arrays import array, columns
from tenants.models import Tenant
from usage.forecasts.forecast import is_early
from usage.forecasts.histories import horizon
from usage.forecasts.rests import rest_of, seconds_left, to_come
from usage.metering.catalogue import catalogue
from usage.metering.past import histories

KEEP = """
INSERT INTO usage_expectation AS t (tenant_id, metric_id, period, made_on, rest)
SELECT tenant_id, metric_id, period, made_on, rest::bigint[]
FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::date[], %s::text[]) AS w
    (tenant_id, metric_id, period, made_on, rest)
ORDER BY 1, 2
ON CONFLICT (tenant_id, metric_id) DO UPDATE
SET period = excluded.period, made_on = excluded.made_on, rest = excluded.rest WHERE excluded.made_on >= t.made_on
"""
FORGET = "DELETE FROM usage_expectation WHERE tenant_id = ANY (%s::bigint[]) AND made_on < %s"
# A day that was not learnt anew is taken as the last one that was saw it coming.
COMING = """
SELECT e.tenant_id, e.metric_id, COALESCE(rest[%(today)s - made_on + 1], 0), COALESCE(rest[%(today)s - made_on + 2], 0)
FROM usage_expectation e
JOIN unnest(%(tenants)s::bigint[], %(periods)s::date[]) AS w (tenant_id, period) USING (tenant_id, period)
WHERE e.tenant_id = ANY (%(tenants)s::bigint[]) -- says the same again, and leads to the index
"""
RESTS = """
SELECT e.tenant_id, e.metric_id, rest[%(today)s - made_on + 1 :] FROM usage_expectation e
JOIN unnest(%(tenants)s::bigint[], %(metrics)s::bigint[]) AS w (tenant_id, metric_id) USING (tenant_id, metric_id)
"""

Key = tuple[int, int]  # ids of tenant and metric


@transaction.atomic
def learn(tenants: Sequence[Tenant], at: datetime) -> None:
    """Write down what is to come of each metric from the beginning of the day of `at` on. Four queries for all."""
    today = at.astimezone(UTC).date()
    rows = list(_rests(tenants, today, at))
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(KEEP, columns(rows))
        cursor.execute(FORGET, [array(tenant.pk for tenant in tenants), today])


def coming(periods: Iterable[tuple[int, Period]], at: datetime) -> dict[Key, int]:
    """Units still to come at `at` in the tenants' present periods; nothing is said early in one. One query.

    What nothing is known of is not there.
    """
    whose = dict(periods)
    left = {period: seconds_left(period, at) for period in set(whose.values()) if not is_early(period, at)}
    wanted = {tenant_id: (one.first, left[one]) for tenant_id, one in whose.items() if one in left}
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        firsts = array(first for first, _ in wanted.values())
        cursor.execute(COMING, {"tenants": array(wanted), "periods": firsts, "today": _day(at)})
        return {
            (tenant, metric): to_come(today, tomorrow, wanted[tenant][1])
            for tenant, metric, today, tomorrow in cursor
        }


def rests(keys: Iterable[Key], at: datetime) -> Mapping[Key, list[int]]:
    """What is to come at the beginning of the day of `at` and of each day after it. One query."""
    pairs = list(keys)
    if not pairs:
        return {}
    tenants, metrics = columns(pairs)
    with connection.cursor() as cursor:
        cursor.execute(RESTS, {"tenants": tenants, "metrics": metrics, "today": _day(at)})
        return {(tenant, metric): rest for tenant, metric, rest in cursor}


def _rests(tenants: Sequence[Tenant], today: date, at: datetime) -> Iterator[tuple[Any, ...]]:
    periods = {tenant.pk: period_at(tenant, at) for tenant in tenants}
    found = histories({one.pk: horizon(one, periods[one.pk], today) for one in tenants}, at)
    for tenant in tenants:
        period = periods[tenant.pk]
        for metric in catalogue().metrics.values():
            rest = rest_of(found[tenant.pk], metric, tenant, period, at)
            if rest is not None:
                # Arrays of unlike lengths make no array, but as texts they do.
                yield tenant.pk, metric.pk, period.first, today, array(rest)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
