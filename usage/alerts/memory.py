"""What was judged and told before, read and kept for many tenants at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple, Protocol

from django.db import connection
from django.db.models import QuerySet

from billing.models import Plan
from tenants.arrays import among, columns
from usage.alerts.crossings import Case, Crossing, Judged, Line, Told
from usage.models import Alert, JudgedLimit, Threshold

REMEMBER = """
INSERT INTO usage_judgedlimit (tenant_id, metric_id, period, "limit", included, refused, used)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, metric_id, period) DO UPDATE
SET "limit" = excluded."limit", included = excluded.included, refused = excluded.refused, used = excluded.used
"""


class Subject(NamedTuple):
    """What is judged: one metric of a tenant in a period; no metric = what its use costs."""

    tenant_id: int
    metric_id: int | None
    period: date


class Judgeable(Protocol):
    """What a subject has used, as its alerts keep it."""

    @property
    def used(self) -> int: ...


Cases = Mapping[Subject, Case]


def percents(tenant_ids: Collection[int]) -> dict[tuple[int, int | None], tuple[int, ...]]:
    """The tenants' own thresholds by tenant and metric; no metric = for all that have none of their own."""
    rows = Threshold.objects.filter(among("tenant", tenant_ids)).values_list(
        "tenant_id", "metric_id", "percents"
    )
    return {(tenant, metric): tuple(sorted(set(percents))) for tenant, metric, percents in rows}


def judged(
    tenant_ids: Collection[int], periods: Collection[date]
) -> dict[tuple[int, int | None, date], Judged]:
    """What each metric was last judged against, by subject."""
    rows = JudgedLimit.objects.filter(among("tenant", tenant_ids), period__in=periods)
    found = rows.values_list(*Subject._fields, *Judged._fields)
    return {row[:3]: Judged._make(row[3:]) for row in found}


def remember(cases: Cases) -> None:
    """Keep what was judged where that is news."""
    rows = [(*subject, *case.judged_now) for subject, case in cases.items() if case.is_worth_keeping]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(REMEMBER, columns(rows))


def told(subjects: Collection[Subject]) -> Mapping[Subject, Mapping[Line, Told]]:
    """The lines already crossed, sent or not."""
    found: dict[Subject, dict[Line, Told]] = defaultdict(dict)
    if subjects:
        for row in _alerts(subjects).values_list(*Subject._fields, *Line._fields, *Told._fields):
            found[Subject(*row[:3])][Line(*row[3:6])] = Told(*row[6:])
    return found


def record(
    crossed: Iterable[tuple[Subject, Crossing]],
    cases: Mapping[Subject, Judgeable],
    plans: Mapping[int, Plan],
    at: datetime,
) -> list[tuple[Alert, bool]]:
    """Write alerts; returns those to be sent that nobody has queued yet, each with whether it is urgent.

    Of two who found the same crossing the unique constraint lets one write it: the other waits for that here,
    and then sees the deliveries of the first.
    """
    rows = {(subject, one.line): one for subject, one in crossed}
    Alert.objects.bulk_create(
        [
            Alert(
                **subject._asdict(),
                **line._asdict(),
                plan=plans[subject.tenant_id],
                used=cases[subject].used,
                beyond=one.beyond,
                is_sent=one.is_sent,
                at=at,
            )
            for (subject, line), one in rows.items()
        ],
        ignore_conflicts=True,
    )
    waiting = _alerts({subject for subject, _ in rows}).filter(is_sent=True, deliveries=None)
    keyed = [(_key(alert), alert) for alert in waiting]
    return [(alert, rows[key].is_urgent) for key, alert in keyed if key in rows]


def _key(alert: Alert) -> tuple[Subject, Line]:
    return (
        Subject(alert.tenant_id, alert.metric_id, alert.period),
        Line(alert.kind, alert.percent, alert.limit),
    )


def _alerts(subjects: Collection[Subject]) -> QuerySet[Alert]:
    """Alerts of these tenants in these periods, and perhaps some of their other metrics."""
    return Alert.objects.filter(
        among("tenant", {one.tenant_id for one in subjects}), period__in={one.period for one in subjects}
    )
