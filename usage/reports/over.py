"""How many tenants an edit of a plan would leave over their limit: what operations read before they save it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import F, QuerySet, Sum

from billing.entitlements import Limit, entitlements_of
from billing.models import Allowance, Metric, Override, Plan
from tenants.models import Tenant
from usage.metering.ledger import NOTHING, totals
from usage.models import UsageLevel, UsagePeriod


def over_limit(plan: Plan, tenants: QuerySet[Tenant], at: datetime) -> int:
    """How many of `tenants` have used more in their current period than `plan` gives, as the database has it now.

    Counts durable use, about a second old. Tenants with overrides are looked at one by one, with all they have.
    """
    given = Override.objects.exclude(ends__lte=at).values("tenant")
    plain = tenants.exclude(pk__in=given)
    over: set[int] = set()
    for allowance in Allowance.objects.filter(plan=plan).select_related("metric"):
        limit = Limit(allowance.metric, allowance, allowance.included, allowance.hard_limit)
        if limit.size is not None:
            over.update(_above(allowance.metric, limit.size, plain, at))
    return len(over) + _with_overrides(tenants.filter(pk__in=given), at)


def _above(metric: Metric, size: int, tenants: QuerySet[Tenant], at: datetime) -> Iterable[int]:
    """Ids of the tenants that have used more than `size` units of `metric`."""
    if metric.kind == Metric.Kind.LEVEL:
        levels = UsageLevel.objects.filter(metric=metric, tenant__in=tenants.values("pk")).values("tenant_id")
        held = levels.annotate(held=Sum(F("added") - F("removed")))
        return held.filter(held__gt=size).values_list("tenant_id", flat=True)
    # A tenant's period depends on its anchor day; its standing says which it is in.
    current = UsagePeriod.objects.filter(
        metric=metric,
        tenant__in=tenants.values("pk"),
        tenant__standing__period=F("period"),
        tenant__standing__period_ends__gt=at,
    )
    used = current.values("tenant_id").annotate(total=Sum("used"))
    return used.filter(total__gt=size).values_list("tenant_id", flat=True)


def _with_overrides(tenants: QuerySet[Tenant], at: datetime) -> int:
    rights = entitlements_of(tenants, at)
    used = totals((pk, one.period.first) for pk, one in rights.items())
    return sum(
        any(
            limit.size is not None and used.get((pk, limit.metric.pk), NOTHING).used > limit.size
            for limit in one.limits.values()
        )
        for pk, one in rights.items()
    )
