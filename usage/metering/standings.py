"""Says where tenants stand now, from durable totals: has thresholds judged and writes their `Standing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.contracts import Contracts
from billing.entitlements import Entitlements
from billing.periods import period_at
from billing.pricing import Bill, Use, bill
from billing.rates import Rates
from tenants.models import Tenant
from usage.alerts.thresholds import Reading, judge
from usage.metering import ledger
from usage.metering.ledger import NOTHING, Totals
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
    """Judge and write down where tenants stand; `touched` has their ids, and what is new of each if anything is."""
    # Two who judge the same tenant take turns, so that the later one sees what the first has told and written.
    tenants = list(Tenant.objects.filter(pk__in=touched).select_for_update(no_key=True).order_by("pk"))
    accruals.forget({pk: one.levels_since for pk, one in touched.items() if one and one.levels_since})
    periods = {tenant.pk: period_at(tenant, at) for tenant in tenants}
    contracts = Contracts(tenants, min((one.starts for one in periods.values()), default=at))
    rights = {tenant.pk: contracts.entitlements(tenant, at) for tenant in tenants}
    totals = ledger.totals((pk, period.first) for pk, period in periods.items())
    readings = [_reading(rights[tenant.pk], totals) for tenant in tenants]
    judge([one for one in readings if not one.tenant.is_closed], at)
    rates = [contracts.rates(tenant, periods[tenant.pk], at) for tenant in tenants]
    excess = accruals.accrued(rates, at)
    bills = [_bill(reading, rate, excess) for reading, rate in zip(readings, rates, strict=True)]
    _write([_standing(one, bill, at) for one, bill in zip(readings, bills, strict=True)], touched)


def _reading(rights: Entitlements, totals: Totals) -> Reading:
    found = {
        code: totals.get((rights.tenant.pk, limit.metric.pk), NOTHING)
        for code, limit in rights.limits.items()
    }
    return Reading(
        rights.tenant,
        rights,
        {code: total.used for code, total in found.items()},
        {code: total.refused for code, total in found.items()},
    )


def _bill(reading: Reading, rates: Rates, excess: Mapping[tuple[int, int], int]) -> Bill:
    """What its use costs so far, beside its base fee."""
    hours = rates.period.days * 24
    uses = {
        code: Use(reading.used.get(code, 0), excess.get((rates.tenant.pk, rate.metric.pk), 0), hours)
        if rate.is_level
        else Use(reading.used.get(code, 0))
        for code, rate in rates.rates.items()
    }
    return bill((), rates.prices, uses)


def _standing(reading: Reading, spent: Bill, at: datetime) -> Standing:
    rights = reading.entitlements
    standing = Standing(
        tenant=reading.tenant,
        plan=rights.plan,
        period=rights.period.first,
        period_ends=rights.period.ends,
        overage=spent.overage,
        refused=sum(reading.refused.values()),
        counted_at=at,
    )
    limited = [
        limit for code, limit in rights.limits.items() if percent_of(reading.used[code], limit) is not None
    ]
    if limited:
        worst = min(limited, key=lambda limit: risk_of(reading.used[limit.metric.code], limit))
        used = reading.used[worst.metric.code]
        standing.worst, standing.state = worst.metric, state_of(used, worst)
        standing.fill = standing.risk = min(percent_of(used, worst) or 0, MOST_PERCENT)
    return standing


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
