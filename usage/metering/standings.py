"""Says where tenants stand now, from durable totals: has thresholds judged and writes their `Standing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from billing.entitlements import Entitlements, entitlements_of
from billing.pricing import estimate, price_of
from tenants.models import Tenant
from usage.alerts.thresholds import Reading, judge
from usage.metering import ledger
from usage.metering.ledger import NOTHING, Totals
from usage.models import Standing
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


@transaction.atomic
def restand(last_used: Mapping[int, datetime | None], at: datetime) -> None:
    """Judge and write down where tenants stand; `last_used` has their ids, and when each was used if that is new."""
    # Two who judge the same tenant take turns, so that the later one sees what the first has told and written.
    tenants = list(Tenant.objects.filter(pk__in=last_used).select_for_update(no_key=True).order_by("pk"))
    rights = entitlements_of(tenants, at)
    totals = ledger.totals((tenant.pk, rights[tenant.pk].period.first) for tenant in tenants)
    readings = [_reading(rights[tenant.pk], totals) for tenant in tenants]
    judge([one for one in readings if not one.tenant.is_closed], at)
    _write([_standing(one, at) for one in readings], last_used)


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


def _standing(reading: Reading, at: datetime) -> Standing:
    rights = reading.entitlements
    prices = {code: price_of(limit.allowance, limit.included) for code, limit in rights.limits.items()}
    standing = Standing(
        tenant=reading.tenant,
        plan=rights.plan,
        period=rights.period.first,
        period_ends=rights.period.ends,
        overage=estimate(rights.plan.base_fee, prices, reading.used).overage,
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


def _write(standings: Sequence[Standing], last_used: Mapping[int, datetime | None]) -> None:
    """Upsert; a tenant that was only judged keeps the time it was last used."""
    for used, fields in ((True, [*FIELDS, "last_used"]), (False, FIELDS)):
        rows = [one for one in standings if (last_used[one.tenant_id] is not None) == used]
        for one in rows:
            one.last_used = last_used[one.tenant_id]
        Standing.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["tenant"], update_fields=fields
        )
