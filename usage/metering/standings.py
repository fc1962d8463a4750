"""Says where tenants stand now, from durable totals: has thresholds judged and writes their `Standing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from billing.entitlements import Limit
from usage.alerts.spending import Spending
from usage.alerts.thresholds import Reading, judge
from usage.metering.accounts import write_reaches
from usage.metering.caps import Reach, reaches
from usage.metering.links import bulk
from usage.metering.positions import Position, locked, positions
from usage.metering.prospects import Prospect, prospects
from usage.models import Standing
from usage.money import accruals
from usage.states import percent_of, risk_of, state_of

MOST_PERCENT = 999
FIELDS = [
    "plan",
    "period",
    "period_ends",
    "worst",
    "fill",
    "forecast",
    "risk",
    "state",
    "runs_out",
    "runs_out_of",
    "overage",
    "refused",
    "counted_at",
]


@dataclass(frozen=True, slots=True)
class Touch:
    """What a flush brought of a tenant: when it was last used, and the first hour whose levels moved, if any did."""

    last_used: datetime
    levels_since: datetime | None = None


@transaction.atomic
def restand(touched: Mapping[int, Touch | None], at: datetime) -> None:
    """Judge and write down where tenants stand; `touched` has their ids, and what is new of each if anything is.

    Open accounts learn from it, after the commit, how far spend caps reach now.
    """
    tenants = locked(touched)
    accruals.forget({pk: one.levels_since for pk, one in touched.items() if one and one.levels_since})
    found = positions(tenants, at)
    reached = reaches(found, at)
    before = _spent_before(found)
    judge([_reading(one, reached, before) for one in found if not one.tenant.is_closed], at)
    ahead = prospects(found, at)
    _write([_standing(one, reached.get(one.tenant.pk), ahead[one.tenant.pk], at) for one in found], touched)
    if reached:
        transaction.on_commit(lambda: write_reaches(bulk(), reached.values()))


def _spent_before(found: Iterable[Position]) -> Mapping[tuple[int, date], Decimal]:
    """What tenants with a spend cap had spent when they were judged last, by tenant id and period."""
    capped = [one.tenant.pk for one in found if one.rights.caps.amounts]
    if not capped:
        return {}
    rows = Standing.objects.filter(tenant__in=capped).values_list("tenant_id", "period", "overage")
    return {(tenant_id, period): overage for tenant_id, period, overage in rows}


def _reading(
    one: Position, reached: Mapping[int, Reach], before: Mapping[tuple[int, date], Decimal]
) -> Reading:
    rights, pk = one.rights, one.tenant.pk
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


def _standing(one: Position, reach: Reach | None, ahead: Prospect, at: datetime) -> Standing:
    rights = one.rights
    standing = Standing(
        tenant=one.tenant,
        plan=rights.plan,
        period=rights.period.first,
        period_ends=rights.period.ends,
        runs_out=ahead.runs_out,
        runs_out_of=ahead.runs_out_of,
        overage=one.spent.overage,
        refused=sum(one.refused.values()),
        counted_at=at,
    )
    _judge_worst(standing, one, reach.stops if reach else {}, ahead.expected)
    return standing


def _judge_worst(
    standing: Standing, one: Position, stops: Mapping[str, int], expected: Mapping[str, int]
) -> None:
    """Say how the riskiest of what is limited stands; nothing where nothing is."""
    used = one.used
    limited = [
        (code, limit)
        for code, limit in one.rights.limits.items()
        if percent_of(used[code], limit) is not None
    ]
    if not limited:
        return

    def risk(of: tuple[str, Limit]) -> tuple[int, int, int]:
        code, limit = of
        return risk_of(used[code], limit, expected.get(code, 0), cap_stop=stops.get(code))

    code, worst = min(limited, key=risk)
    end = expected.get(code)
    standing.worst = worst.metric
    standing.state = state_of(used[code], worst, end or 0, cap_stop=stops.get(code))
    standing.fill = _percent(used[code], worst)
    standing.forecast = None if end is None else _percent(end, worst)
    standing.risk = max(standing.fill, standing.forecast or 0)


def _percent(units: int, limit: Limit) -> int:
    return min(percent_of(units, limit) or 0, MOST_PERCENT)


def _write(standings: Sequence[Standing], touched: Mapping[int, Touch | None]) -> None:
    """Upsert; a tenant that was only judged keeps the time it was last used."""
    for is_touched, fields in ((True, [*FIELDS, "last_used"]), (False, FIELDS)):
        rows = [one for one in standings if (touched[one.tenant_id] is not None) == is_touched]
        for one in rows:
            touch = touched[one.tenant_id]
            one.last_used = touch.last_used if touch else None
        Standing.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["tenant"], update_fields=fields
        )
