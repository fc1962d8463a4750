"""What was counted of one metric in the slots of a window: from the days at hand, else read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from billing.models import Metric
from usage.reports.counts import days_of
from usage.reports.readings import Reading
from usage.reports.slots import DAY, Slot
from usage.reports.windows import Window

# what: unit (units of a label in an hour), close and open (a level after the last move of an hour, and before the
# first of all). The first move is looked for to the end: one after the window says at what the level stood in it.
HOURS = """
SELECT 'unit', hour, label, sum(quantity)::bigint FROM usage_usagehour
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(since)s AND hour < %(until)s GROUP BY 2, 3
UNION ALL
(SELECT DISTINCT ON (hour) 'close', hour, '', closing FROM usage_levelhour
 WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(since)s AND hour < %(until)s
 ORDER BY hour, epoch DESC)
UNION ALL
(SELECT 'open', hour, '', closing - added + removed FROM usage_levelhour
 WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(since)s ORDER BY hour, epoch LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The slots that have begun; of each its units by label, which of a level are those added.

    `amounts`: what a level stood at at the end of each, from `opening` on; empty for other kinds.
    """

    slots: Sequence[Slot]
    units: Sequence[Mapping[str, int]]
    amounts: Sequence[int] = ()
    opening: int = 0

    @property
    def labels(self) -> dict[str, int]:
        """Units by label in all of them, the largest first."""
        found: dict[str, int] = {}
        for units in self.units:
            for label, amount in units.items():
                found[label] = found.get(label, 0) + amount
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def measured(read: Reading, metric: Metric, window: Window) -> Measured:
    """What the window has of the metric; one query, none where the days are at hand."""
    begun = [slot for slot in window.slots if slot.starts <= read.at]
    return _by_hour(read, metric, window, begun) if window.is_hourly else _by_day(read, metric, window, begun)


def _by_day(read: Reading, metric: Metric, window: Window, begun: Sequence[Slot]) -> Measured:
    found, now = read.counts, read.counts.totals.get(metric.pk, 0)
    if window.first < found.first:
        found = days_of(read.tenant, metric.pk, read.at, first=window.first, until=window.ends, now=now)
    days = found.days.get(metric.pk, {})
    units = [days.get(slot.on, {}) for slot in begun]
    if metric.kind != Metric.Kind.LEVEL:
        return Measured(begun, units)
    on = [window.first - DAY, *(slot.on for slot in begun)]
    opening, *amounts = found.levels(metric.pk, on, read.at.astimezone(UTC).date())
    return Measured(begun, units, amounts, opening)


class _Row(NamedTuple):
    """One line of the statement above."""

    what: str
    hour: datetime
    label: str
    quantity: int


def _by_hour(read: Reading, metric: Metric, window: Window, begun: Sequence[Slot]) -> Measured:
    rows = _rows(read.tenant.pk, metric, window)
    units: dict[datetime, dict[str, int]] = {}
    for row in rows:
        if row.what == "unit":
            units.setdefault(row.hour, {})[row.label] = row.quantity
    parts = [units.get(slot.starts, {}) for slot in begun]
    if metric.kind != Metric.Kind.LEVEL:
        return Measured(begun, parts)
    now = read.counts.totals.get(metric.pk, 0)
    closes = {row.hour: row.quantity for row in rows if row.what == "close"}
    amount = opening = next((row.quantity for row in rows if row.what == "open"), now)
    amounts = []
    for slot in begun:
        amount = now if read.at < slot.ends else closes.get(slot.starts, amount)
        amounts.append(amount)
    return Measured(begun, parts, amounts, opening)


def _rows(tenant_id: int, metric: Metric, window: Window) -> list[_Row]:
    values: dict[str, int | datetime] = {
        "tenant": tenant_id,
        "metric": metric.pk,
        "since": window.starts,
        "until": window.ends,
    }
    with connection.cursor() as cursor:
        cursor.execute(HOURS, values)
        return [_Row(what, hour.astimezone(UTC), label, units) for what, hour, label, units in cursor]
