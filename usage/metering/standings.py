"""Says where tenants stand now, from durable totals: has thresholds judged and writes their `Standing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction

from billing.entitlements import Limit
from tenants.arrays import among, columns
from usage.alerts.spending import Spending
from usage.alerts.thresholds import Reading, judge
from usage.metering.accounts import write_reaches
from usage.metering.caps import Reach, reaches
from usage.metering.ledger import Totals
from usage.metering.links import bulk
from usage.metering.positions import Position, locked, positions
from usage.metering.prospects import Prospect, prospects
from usage.models import Standing
from usage.money import accruals
from usage.states import percent_of, risk_of, state_of

MOST_PERCENT = 999


class Row(NamedTuple):
    """A row of `Standing` by its columns; one that was only judged has no `last_used`."""

    tenant_id: int
    plan_id: int
    period: date
    period_ends: datetime
    worst_id: int | None
    fill: int
    forecast: int | None
    risk: int
    state: str
    runs_out: date | None
    runs_out_of_id: int | None
    overage: Decimal
    refused: int
    counted_at: datetime
    last_used: datetime | None


# Who was only judged keeps the time it was last used.
WRITE = """
INSERT INTO usage_standing AS t (tenant_id, plan_id, period, period_ends, worst_id, fill, forecast, risk, state,
                                 runs_out, runs_out_of_id, overage, refused, counted_at, last_used)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::timestamptz[], %s::bigint[], %s::int[], %s::int[],
                     %s::int[], %s::text[], %s::date[], %s::bigint[], %s::numeric[], %s::bigint[], %s::timestamptz[],
                     %s::timestamptz[])
ORDER BY 1
ON CONFLICT (tenant_id) DO UPDATE
SET plan_id = excluded.plan_id, period = excluded.period, period_ends = excluded.period_ends,
    worst_id = excluded.worst_id, fill = excluded.fill, forecast = excluded.forecast, risk = excluded.risk,
    state = excluded.state, runs_out = excluded.runs_out, runs_out_of_id = excluded.runs_out_of_id,
    overage = excluded.overage, refused = excluded.refused, counted_at = excluded.counted_at,
    last_used = COALESCE(excluded.last_used, t.last_used)
"""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a flush brought of a tenant: when it was last used, and the first hour whose levels moved, if any did."""

    last_used: datetime
    levels_since: datetime | None = None


@transaction.atomic
def restand(touched: Mapping[int, Touch | None], at: datetime) -> dict[tuple[int, date], Totals]:
    """Judge and write down where tenants stand; `touched` has their ids, and what is new of each if anything is.

    Returns the totals that were read for that, by tenant id and period. Open accounts learn from it, after the commit,
    how far spend caps reach now.
    """
    tenants = locked(touched)
    accruals.forget({pk: one.levels_since for pk, one in touched.items() if one and one.levels_since})
    found = positions(tenants, at)
    reached = reaches(found, at)
    before = _spent_before(found)
    judge([_reading(one, reached, before) for one in found if not one.tenant.is_closed], at)
    ahead = prospects(found, at)
    _write([_row(one, touched[one.tenant_id], reached.get(one.tenant_id), ahead, at) for one in found])
    if reached:
        transaction.on_commit(lambda: write_reaches(bulk(), reached.values()))
    return {(one.tenant_id, one.rights.period.first): one.totals for one in found}


def _spent_before(found: Iterable[Position]) -> Mapping[tuple[int, date], Decimal]:
    """What tenants with a spend cap had spent when they were judged last, by tenant id and period."""
    capped = [one.tenant_id for one in found if one.rights.caps.amounts]
    if not capped:
        return {}
    rows = Standing.objects.filter(among("tenant", capped)).values_list("tenant_id", "period", "overage")
    return {(tenant_id, period): overage for tenant_id, period, overage in rows}


def _reading(
    one: Position, reached: Mapping[int, Reach], before: Mapping[tuple[int, date], Decimal]
) -> Reading:
    rights, pk = one.rights, one.tenant_id
    stops = reached[pk].stops if pk in reached else {}
    spending = None
    if rights.caps.amounts:
        earlier = before.get((pk, rights.period.first), Decimal(0))
        spending = Spending(rights.caps, one.spent.overage, earlier, is_stopped=_is_stopped(one, stops))
    return Reading(one.tenant, rights, one.used, one.refused, stops, spending)


def _is_stopped(one: Position, stops: Mapping[str, int]) -> bool:
    """Whether the next unit of something that is billed by units no longer fits below the cap.

    A level has more room with each hour that passes below its mean, so it says nothing of the money that is left.
    """
    return any(
        one.used[code] >= stop and one.used[code] > (one.rates.rates[code].price.included or 0)
        for code, stop in stops.items()
        if not one.rates.rates[code].is_level
    )


def _row(
    one: Position, touch: Touch | None, reach: Reach | None, ahead: Mapping[int, Prospect], at: datetime
) -> Row:
    rights, prospect = one.rights, ahead[one.tenant_id]
    return Row(
        one.tenant_id,
        rights.plan.pk,
        rights.period.first,
        rights.period.ends,
        *_worst(one, reach.stops if reach else {}, prospect.expected),
        prospect.runs_out,
        prospect.runs_out_of.pk if prospect.runs_out_of else None,
        one.spent.overage,
        sum(one.refused.values()),
        at,
        touch.last_used if touch else None,
    )


def _worst(
    one: Position, stops: Mapping[str, int], expected: Mapping[str, int]
) -> tuple[int | None, int, int | None, int, str]:
    """The riskiest of what is limited: its metric, fill, forecast, risk and state; OK where nothing is."""
    used = one.used
    limited = [(code, limit) for code, limit in one.rights.limits.items() if limit.size]
    if not limited:
        return None, 0, None, 0, Standing.State.OK

    def risk(of: tuple[str, Limit]) -> tuple[int, int, int]:
        code, limit = of
        return risk_of(used[code], limit, expected.get(code, 0), cap_stop=stops.get(code))

    code, worst = min(limited, key=risk)
    end = expected.get(code)
    state = state_of(used[code], worst, end or 0, cap_stop=stops.get(code))
    fill, forecast = _percent(used[code], worst), None if end is None else _percent(end, worst)
    return worst.metric_id, fill, forecast, max(fill, forecast or 0), state


def _percent(units: int, limit: Limit) -> int:
    return min(percent_of(units, limit) or 0, MOST_PERCENT)


def _write(rows: Sequence[Row]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(WRITE, columns(rows))
