"""What was counted of one metric in the slots of a window, and what of it was refused; in one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from django.db import connection

from billing.models import Metric
from usage.reports import counts
from usage.reports.counts import DAYS, SOURCES, Counts, values_of
from usage.reports.readings import Reading
from usage.reports.refused import REFUSALS, Refused, refusal_values
from usage.reports.slots import DAY, Slot
from usage.reports.windows import Window

# what: day (units of a label, of an hour too), close and open (a level after the last move of an hour or a day, and
# before the first of all). The first move is looked for to the end: one after the window says how it was.
BY_DAY = (
    SOURCES
    + """
SELECT what, day::timestamp AT TIME ZONE 'UTC', label, quantity
FROM ({days}) AS days (what, metric_id, day, label, quantity)
""".replace("{days}", DAYS)
)
BY_HOUR = """
SELECT 'day', hour, label, sum(quantity)::bigint FROM usage_usagehour
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(starts)s AND hour < %(until)s GROUP BY 2, 3
UNION ALL
(SELECT DISTINCT ON (hour) 'close', hour, '', closing FROM usage_levelhour
 WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(starts)s AND hour < %(until)s
 ORDER BY hour, epoch DESC)
UNION ALL
(SELECT 'open', hour, '', closing - added + removed FROM usage_levelhour
 WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND hour >= %(starts)s ORDER BY hour, epoch LIMIT 1)
"""
REFUSED = {"refused_in_hour": False, "refused_on_day": True}


@dataclass(frozen=True, slots=True)
class Measured:
    """The slots that have begun; of each its units by label, which of a level are those added.

    `amounts`: what a level stood at at the end of each, from `opening` on; empty for other kinds.
    """

    slots: Sequence[Slot]
    units: Sequence[Mapping[str, int]]
    refused: Sequence[Refused]
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


class _Row(NamedTuple):
    """One line of the statements above."""

    what: str
    at: datetime
    label: str
    quantity: int


def measured(read: Reading, metric: Metric, window: Window) -> Measured:
    """What the window has of the metric; days that were read before are not read again. One query."""
    begun = [slot for slot in window.slots if slot.starts <= read.at]
    if window.is_hourly:
        return _by_hour(read, metric, begun, _rows(read, metric, window, BY_HOUR))
    if window.first >= read.counts.first:
        return _by_day(read, metric, begun, read.counts, _rows(read, metric, window, ""))
    rows = _rows(read, metric, window, BY_DAY)
    found = Counts(totals=read.counts.totals)
    found.add(
        counts.Row(row.what, metric.pk, row.at.date(), row.label, row.quantity)
        for row in rows
        if row.what not in REFUSED
    )
    return _by_day(read, metric, begun, found, rows)


def _by_day(
    read: Reading, metric: Metric, begun: Sequence[Slot], found: Counts, rows: Sequence[_Row]
) -> Measured:
    days = found.days.get(metric.pk, {})
    units, refused = [days.get(slot.on, {}) for slot in begun], list(_refused(rows))
    if metric.kind != Metric.Kind.LEVEL:
        return Measured(begun, units, refused)
    on: list[date] = [begun[0].on - DAY, *(slot.on for slot in begun)]
    opening, *amounts = found.levels(metric.pk, on, read.at.astimezone(UTC).date())
    return Measured(begun, units, refused, amounts, opening)


def _by_hour(read: Reading, metric: Metric, begun: Sequence[Slot], rows: Sequence[_Row]) -> Measured:
    units: dict[datetime, dict[str, int]] = {}
    for row in rows:
        if row.what == "day":
            units.setdefault(row.at, {})[row.label] = row.quantity
    parts, refused = [units.get(slot.starts, {}) for slot in begun], list(_refused(rows))
    if metric.kind != Metric.Kind.LEVEL:
        return Measured(begun, parts, refused)
    now = read.counts.totals.get(metric.pk, 0)
    closes = {row.at: row.quantity for row in rows if row.what == "close"}
    amount = opening = next((row.quantity for row in rows if row.what == "open"), now)
    amounts = []
    for slot in begun:
        amount = now if read.at < slot.ends else closes.get(slot.starts, amount)
        amounts.append(amount)
    return Measured(begun, parts, refused, amounts, opening)


def _refused(rows: Sequence[_Row]) -> Iterator[Refused]:
    for row in rows:
        if row.what in REFUSED:
            yield Refused(row.at, REFUSED[row.what], row.label, row.quantity)


def _rows(read: Reading, metric: Metric, window: Window, counted: str) -> list[_Row]:
    statement = f"{counted} UNION ALL ({REFUSALS})" if counted else REFUSALS
    values = values_of(read.tenant, read.at, window.first) | refusal_values(window, read.at)
    values["metric"] = metric.pk
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [_Row(what, at.astimezone(UTC), label, units) for what, at, label, units in cursor]
