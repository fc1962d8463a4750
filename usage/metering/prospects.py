"""Where tenants will stand when their periods end, and what they reach before: what restanding says of tomorrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from billing.entitlements import Limit
from billing.models import Metric
from usage.forecasts.rests import day_of_reach
from usage.metering.expectations import coming, rests
from usage.metering.positions import Position


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a tenant will have used by its period's end, by metric code, as far as that can be said.

    `runs_out`: the first day on which a limit is reached that is not reached now, and of what.
    """

    expected: Mapping[str, int]
    runs_out: date | None = None
    runs_out_of: Metric | None = None


def prospects(found: Sequence[Position], at: datetime) -> dict[int, Prospect]:
    """By tenant id. One query, and one more where something runs out."""
    more = coming(((one.tenant_id, one.rights.period) for one in found), at)
    expected = {one.tenant_id: _expected(one, more) for one in found}
    first = _first_reached([(one, expected[one.tenant_id]) for one in found], at)
    return {pk: Prospect(of, *first.get(pk, ())) for pk, of in expected.items()}


def _expected(one: Position, more: Mapping[tuple[int, int], int]) -> dict[str, int]:
    """By metric code: what is used, and what is still to come."""
    pk = one.tenant_id
    coming = [(code, more.get((pk, limit.metric_id))) for code, limit in one.rights.limits.items()]
    return {code: one.used[code] + units for code, units in coming if units is not None}


def _first_reached(
    found: Iterable[tuple[Position, Mapping[str, int]]], at: datetime
) -> dict[int, tuple[date, Metric]]:
    """Of each tenant that runs out of something: when first, and of what."""
    ends = [(one, limit) for one, expected in found for limit in _running_out(one, expected)]
    known = rests(((one.tenant_id, limit.metric_id) for one, limit in ends), at)
    days: dict[int, list[tuple[date, int, Metric]]] = {}
    for one, limit in ends:
        missing = (limit.size or 0) - one.used[limit.metric.code]
        day = day_of_reach(known.get((one.tenant_id, limit.metric_id), []), missing, one.rights.period, at)
        if day:
            days.setdefault(one.tenant_id, []).append((day, limit.metric.position, limit.metric))
    firsts = {pk: min(of, key=lambda one: one[:2]) for pk, of in days.items()}
    return {pk: (day, metric) for pk, (day, _position, metric) in firsts.items()}


def _running_out(one: Position, expected: Mapping[str, int]) -> Iterator[Limit]:
    for code, end in expected.items():
        limit = one.rights.limits[code]
        if limit.size and one.used[code] < limit.size <= end:
            yield limit
