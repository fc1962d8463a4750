"""What levels cost so far, cheap enough for every flush: hours that are over are added up once and kept."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from billing.rates import Rate, Rates
from tenants.arrays import among, columns
from usage.models import LevelAccrual
from usage.money.levels import HOUR, excess_of, hour_of, spans_of

FORGET = """
DELETE FROM usage_levelaccrual a USING unnest(%s::bigint[], %s::timestamptz[]) AS w (tenant_id, hour)
WHERE a.tenant_id = w.tenant_id AND a.through > w.hour
"""


class Kept(NamedTuple):
    """Of `LevelAccrual` what is read again and again."""

    through: datetime
    steps: str
    excess: Decimal


@dataclass(slots=True)
class _Level:
    """A billed level, and what of it is kept already."""

    one: Rates
    rate: Rate
    since: datetime
    excess: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.one.tenant.pk, self.rate.metric_id

    def steps(self, until: datetime) -> str:
        """What is included before `until`, as text."""
        spans = spans_of(self.one, self.rate, until)
        return " ".join(f"{span.since:%d.%H}-{span.until:%d.%H}:{span.included}" for span in spans)

    def take_over(self, kept: Kept | None, hour: datetime) -> None:
        """Go on from what is kept, where it still holds."""
        if kept and kept.through <= hour and kept.steps == self.steps(kept.through):
            self.since, self.excess = kept.through, int(kept.excess)


def forget(since: Mapping[int, datetime]) -> None:
    """What is kept of these tenants' levels does not hold once an hour changed that was over, from `since` on."""
    if since:
        with connection.cursor() as cursor:
            cursor.execute(FORGET, columns(since.items()))


def accrued(
    wanted: Sequence[Rates], moved: Container[tuple[int, int]], at: datetime
) -> dict[tuple[int, int], int]:
    """Unit-hours above what was included so far, by tenant and metric id; equals `uses_of`.

    Levels that are not in `moved` never stood above anything. Call it with the tenants' rows locked. Two queries, and
    one an hour; none where no level is left.
    """
    hour = hour_of(at)
    levels = [_Level(one, rate, one.period.starts) for one, rate in _billed(wanted)]
    levels = [one for one in levels if one.key in moved]
    if not levels:
        return {}
    kept = _kept(levels)
    for level in levels:
        level.take_over(kept.get(level.key), hour)
    behind = [level for level in levels if level.since < hour]
    _add(behind, hour)
    _keep(behind, hour)
    for level in levels:
        level.since = hour
    _add(levels, hour + HOUR)
    return {level.key: level.excess for level in levels}


def of_hours_over(wanted: Sequence[Rates], at: datetime) -> dict[tuple[int, int], int]:
    """What of `accrued` belongs to the hours that are over; ask after it, with the rows still locked. One query."""
    levels = [_Level(one, rate, hour_of(at)) for one, rate in _billed(wanted)]
    kept = _kept(levels) if levels else {}
    # Nothing is kept in a period's first hour.
    return {level.key: int(kept[level.key].excess) if level.key in kept else 0 for level in levels}


def _billed(wanted: Sequence[Rates]) -> Iterator[tuple[Rates, Rate]]:
    for one in wanted:
        for rate in one.rates.values():
            if rate.is_level and rate.price.tiers and rate.price.included is not None:
                yield one, rate


def _kept(levels: Sequence[_Level]) -> dict[tuple[int, int], Kept]:
    """Rows of the same period."""
    periods = {level.key: level.one.period.first for level in levels}
    mine = LevelAccrual.objects.filter(among("tenant", {pk for pk, _ in periods}))
    rows = mine.filter(period__in=set(periods.values()))
    found = rows.values_list("tenant_id", "metric_id", "period", *Kept._fields)
    return {row[:2]: Kept._make(row[3:]) for row in found if periods.get(row[:2]) == row[2]}


def _add(levels: Sequence[_Level], until: datetime) -> None:
    """The hours from where each was added up to before `until`."""
    spans = [
        (level, span)
        for level in levels
        for span in spans_of(level.one, level.rate, until, since=level.since)
    ]
    for (level, _), excess in zip(spans, excess_of(span for _, span in spans), strict=True):
        level.excess += excess


def _keep(levels: Sequence[_Level], hour: datetime) -> None:
    LevelAccrual.objects.bulk_create(
        [
            LevelAccrual(
                tenant=level.one.tenant,
                metric=level.rate.metric,
                period=level.one.period.first,
                through=hour,
                steps=level.steps(hour),
                excess=Decimal(level.excess),
            )
            for level in levels
        ],
        update_conflicts=True,
        unique_fields=["tenant", "metric", "period"],
        update_fields=["through", "steps", "excess"],
    )
