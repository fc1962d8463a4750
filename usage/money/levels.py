"""What levels were, hour by hour: how far they stood above what was included, and where they stood at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from billing.rates import Rate, Rates
from tenants.arrays import columns

HOUR = timedelta(hours=1)

# A level at a moment is what it was before the first move from then on; without one it has not moved since.
OPENING = """
COALESCE(
    (SELECT closing - added + removed FROM usage_levelhour
     WHERE tenant_id = w.tenant_id AND metric_id = w.metric_id AND hour >= w.since
     ORDER BY hour, epoch LIMIT 1),
    (SELECT sum(added - removed) FROM usage_usagelevel WHERE tenant_id = w.tenant_id AND metric_id = w.metric_id),
    0
)
"""
# An hour in which the level moved counts with its peak, those that follow with where it stood after the last move.
EXCESS = """
SELECT w.number, sum(
    GREATEST(0, h.peak - w.included) +
    GREATEST(0, h.closing - w.included) * (EXTRACT(EPOCH FROM h.next - h.hour) / 3600 - 1)
)::numeric(40, 0)
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
    WITH ORDINALITY AS w (tenant_id, metric_id, since, until, included, number)
CROSS JOIN LATERAL (
    SELECT hour, peak, closing, lead(hour, 1, w.until) OVER (ORDER BY hour) AS next FROM (
        SELECT hour, max(peak) AS peak, (array_agg(closing ORDER BY epoch DESC))[1] AS closing
        FROM usage_levelhour
        WHERE tenant_id = w.tenant_id AND metric_id = w.metric_id AND hour >= w.since AND hour < w.until
        GROUP BY hour
        UNION ALL
        SELECT w.since - interval '1 hour', 0, {opening}
    ) moves
) h GROUP BY w.number
""".replace("{opening}", OPENING)
AMOUNTS = """
SELECT w.number, GREATEST(0, {opening})
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) WITH ORDINALITY AS w (tenant_id, metric_id, since, number)
""".replace("{opening}", OPENING)


class Span(NamedTuple):
    """A level of a tenant from one full hour to before another, and what is included meanwhile."""

    tenant_id: int
    metric_id: int
    since: datetime
    until: datetime
    included: int


class Mark(NamedTuple):
    """A level of a tenant at a moment."""

    tenant_id: int
    metric_id: int
    moment: datetime


def hour_of(at: datetime) -> datetime:
    """The full hour that `at` lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def spans_of(one: Rates, rate: Rate, until: datetime, *, since: datetime | None = None) -> Iterator[Span]:
    """A level's hours before `until` that are billed at all: with a price, and something that is not included."""
    for step in rate.steps if rate.price.tiers else ():
        first, last = max(step.since, since or step.since), min(step.until, until)
        if step.included is not None and first < last:
            yield Span(one.tenant.pk, rate.metric.pk, first, last, step.included)


def excess_of(spans: Iterable[Span]) -> list[int]:
    """Unit-hours above the included amount in each span, in their order; one query."""
    return _ask(EXCESS, list(spans))


def amounts_at(marks: Iterable[Mark]) -> list[int]:
    """The amount of each level at its moment, in their order; one query."""
    return _ask(AMOUNTS, list(marks))


def _ask(statement: str, rows: Sequence[tuple[object, ...]]) -> list[int]:
    answers = [0] * len(rows)
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, columns(rows))
            for number, answer in cursor:
                answers[number - 1] = int(answer)
    return answers
