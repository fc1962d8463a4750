"""What each tenant may use at a moment: plan and overrides resolved to one limit per metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from billing.models import Allowance, Entitlement, Metric, Override, Plan, Subscription
from billing.periods import Period, period_after, period_at
from tenants.models import Tenant


class NoDefaultPlan(LookupError):
    """HEADROOM_DEFAULT_PLAN names no plan."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a tenant may use of one metric in one period, in base units.

    `stop`: requests are refused from there on, none = never. `size`: what headroom and percent are measured
    against, none = unlimited. `burst`: most units a minute.
    """

    metric: Metric
    allowance: Allowance
    included: int | None
    hard_limit: int | None

    @property
    def stop(self) -> int | None:
        return self.included if self.allowance.beyond == Allowance.Beyond.STOP else self.hard_limit

    @property
    def size(self) -> int | None:
        return self.included if self.stop is None else self.stop

    @property
    def burst(self) -> int | None:
        return self.allowance.burst


@dataclass(frozen=True, slots=True)
class Entitlements:
    """All limits of a tenant in one period; they change by themselves at `until` at the latest."""

    tenant: Tenant
    version: int
    plan: Plan
    period: Period
    until: datetime
    limits: Mapping[str, Limit]  # by metric code; a metric the plan lacks is not there


def entitlements(tenant: Tenant, at: datetime) -> Entitlements:
    """What `tenant` may use at `at`. Raises NoDefaultPlan."""
    return entitlements_of([tenant], at)[tenant.pk]


def entitlements_of(tenants: Iterable[Tenant], at: datetime) -> dict[int, Entitlements]:
    """The same for many tenants, by tenant id, in five queries."""
    tenants = list(tenants)
    ids = [tenant.pk for tenant in tenants]
    # The version is read first: limits that are newer than their version are only written once more, never lost.
    versions = dict(Entitlement.objects.filter(tenant__in=ids).values_list("tenant_id", "version"))
    subscriptions = _by_tenant(Subscription.objects.filter(tenant__in=ids).exclude(ends__lte=at))
    overrides = _by_tenant(Override.objects.filter(tenant__in=ids).exclude(ends__lte=at))
    plans = {plan.pk: plan for plan in Plan.objects.all()}
    allowances = defaultdict(list)
    for allowance in Allowance.objects.select_related("metric"):
        allowances[allowance.plan_id].append(allowance)
    default = next((plan for plan in plans.values() if plan.slug == settings.HEADROOM_DEFAULT_PLAN), None)
    if default is None:
        raise NoDefaultPlan(
            f"HEADROOM_DEFAULT_PLAN={settings.HEADROOM_DEFAULT_PLAN!r} names no plan: add it."
        )

    found = {}
    for tenant in tenants:
        mine = subscriptions[tenant.pk]
        running = next((one for one in mine if one.starts <= at), None)
        plan = plans[running.plan_id] if running else default
        given = [one for one in overrides[tenant.pk] if one.starts <= at]
        period = period_at(tenant, at)
        changes = [
            moment
            for one in (*mine, *overrides[tenant.pk])
            for moment in (one.starts, one.ends)
            if moment and moment > at
        ]
        limits = {one.metric.code: _limit(one, given) for one in allowances[plan.pk]}
        until = min([period.ends, *changes])
        found[tenant.pk] = Entitlements(tenant, versions.get(tenant.pk, 0), plan, period, until, limits)
    return found


def next_entitlements(now: Entitlements) -> Entitlements:
    """What the tenant may use from the start of its next period, as known today."""
    return entitlements(now.tenant, period_after(now.tenant, now.period).starts)


def _by_tenant(rows: QuerySet[Subscription] | QuerySet[Override]) -> defaultdict[int, list]:  # type: ignore[type-arg]
    grouped = defaultdict(list)
    for row in rows:
        grouped[row.tenant_id].append(row)
    return grouped


def _limit(allowance: Allowance, overrides: Iterable[Override]) -> Limit:
    """The allowance after its overrides, oldest first; the hard limit moves by the same units as the included."""
    included, hard = allowance.included, allowance.hard_limit
    for override in overrides:
        if override.metric_id != allowance.metric_id:
            continue
        if override.mode == Override.Mode.SET:
            if hard is not None:
                hard = None if override.units is None else max(0, hard + override.units - (included or 0))
            included = override.units
        elif included is not None:
            assert override.units is not None  # the database checks it
            included += override.units
            hard = None if hard is None else hard + override.units
    return Limit(allowance.metric, allowance, included, hard)
