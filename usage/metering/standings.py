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
    "risk",
    "state",
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
    _write([_standing(one, reached.get(one.tenant.pk), at) for one in found], touched)
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


def _standing(one: Position, reach: Reach | None, at: datetime) -> Standing:
    rights, used, stops = one.rights, one.used, reach.stops if reach else {}
    standing = Standing(
        tenant=one.tenant,
        plan=rights.plan,
        period=rights.period.first,
        period_ends=rights.period.ends,
        overage=one.spent.overage,
        refused=sum(one.refused.values()),
        counted_at=at,
    )
    limited = [limit for code, limit in rights.limits.items() if percent_of(used[code], limit) is not None]
    if limited:
        worst = min(limited, key=lambda limit: _risk(limit, used, stops))
        code = worst.metric.code
        standing.worst, standing.state = worst.metric, state_of(used[code], worst, cap_stop=stops.get(code))
        standing.fill = standing.risk = min(percent_of(used[code], worst) or 0, MOST_PERCENT)
    return standing


def _risk(limit: Limit, used: Mapping[str, int], stops: Mapping[str, int]) -> tuple[int, int, int]:
    code = limit.metric.code
    return risk_of(used[code], limit, cap_stop=stops.get(code))


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
