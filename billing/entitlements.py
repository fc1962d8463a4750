"""What each tenant may use at a moment: plan and overrides resolved to one limit per metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from billing.models import Allowance, Entitlement, Metric, Override, Plan, Subscription
from billing.periods import Period, period_at
from tenants.models import Tenant


class NoDefaultPlan(LookupError):
    """HEADROOM_DEFAULT_PLAN names no plan."""


@dataclass(frozen=True)
class Limit:
    """What a tenant may use of one metric in one period, in base units.

    `stop`: requests are refused from there on, none = never. `size`: what headroom and percent are measured
    against, none = unlimited. `burst`: most units a minute.
    """

    metric: Metric
    allowance: Allowance
    included: int | None
    hard_limit: int | None

    @cached_property
    def stop(self) -> int | None:
        return self.included if self.allowance.beyond == Allowance.Beyond.STOP else self.hard_limit

    @cached_property
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
    """The same for many tenants, by tenant id, in six queries."""
    tenants = list(tenants)
    rows = _Rows(tenants, at)
    return {tenant.pk: rows.entitlements(tenant, rows.plan(tenant, at), at) for tenant in tenants}


def offers(tenant: Tenant, at: datetime) -> tuple[Entitlements, list[Entitlements]]:
    """What `tenant` may use at `at`, and what it might on each public plan and its own, in the plans' order.

    Its overrides hold on every plan. Six queries. Raises NoDefaultPlan.
    """
    rows = _Rows([tenant], at)
    own = rows.plan(tenant, at)
    plans = [plan for plan in rows.book.plans.values() if plan.is_public or plan.pk == own.pk]
    return rows.entitlements(tenant, own, at), [rows.entitlements(tenant, plan, at) for plan in plans]


class _Rows:
    """What is written about some tenants' plans and overrides from `at` on."""

    def __init__(self, tenants: Sequence[Tenant], at: datetime) -> None:
        ids = [tenant.pk for tenant in tenants]
        # The version is read first: limits that are newer than their version are only written once more, never lost.
        self._versions = dict(Entitlement.objects.filter(tenant__in=ids).values_list("tenant_id", "version"))
        self._subscriptions = _by_tenant(Subscription.objects.filter(tenant__in=ids).exclude(ends__lte=at))
        self._overrides = _by_tenant(Override.objects.filter(tenant__in=ids).exclude(ends__lte=at))
        self.book = _Book()

    def plan(self, tenant: Tenant, at: datetime) -> Plan:
        """The plan the tenant is on at `at`."""
        mine = self._subscriptions.get(tenant.pk, [])
        return next((self.book.plans[one.plan_id] for one in mine if one.starts <= at), self.book.default)

    def entitlements(self, tenant: Tenant, plan: Plan, at: datetime) -> Entitlements:
        """What the tenant may use on `plan`."""
        given, period = self._overrides.get(tenant.pk, []), period_at(tenant, at)
        rows: Sequence[Subscription | Override] = (*self._subscriptions.get(tenant.pk, []), *given)
        changes = [time for one in rows for time in (one.starts, one.ends) if time and time > at]
        return Entitlements(
            tenant,
            self._versions.get(tenant.pk, 0),
            plan,
            period,
            min([period.ends, *changes]),
            self.book.limits(plan, [one for one in given if one.starts <= at]),
        )


class _Book:
    """All plans as they are now, and the limits of each, which all its tenants without overrides share."""

    def __init__(self) -> None:
        self.plans = {plan.pk: plan for plan in Plan.objects.all()}
        self._allowances: dict[int, list[Allowance]] = {}
        for allowance in Allowance.objects.select_related("metric").prefetch_related("tiers"):
            self._allowances.setdefault(allowance.plan_id, []).append(allowance)
        self._limits = {pk: self._resolve(pk, ()) for pk in self.plans}

    @property
    def default(self) -> Plan:
        """The plan of who has none. Raises NoDefaultPlan."""
        slug = settings.HEADROOM_DEFAULT_PLAN
        for plan in self.plans.values():
            if plan.slug == slug:
                return plan
        raise NoDefaultPlan(f"HEADROOM_DEFAULT_PLAN={slug!r} names no plan: add it.")

    def limits(self, plan: Plan, overrides: Sequence[Override]) -> Mapping[str, Limit]:
        return self._resolve(plan.pk, overrides) if overrides else self._limits[plan.pk]

    def _resolve(self, plan_id: int, overrides: Sequence[Override]) -> Mapping[str, Limit]:
        return {one.metric.code: _limit(one, overrides) for one in self._allowances.get(plan_id, [])}


Row = TypeVar("Row", Subscription, Override)


def _by_tenant(rows: QuerySet[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.tenant_id, []).append(row)
    return grouped


def _limit(allowance: Allowance, overrides: Iterable[Override]) -> Limit:
    """The allowance after its overrides, oldest first; the hard limit moves by the same units as the included."""
    included, hard = allowance.included, allowance.hard_limit
    for override in overrides:
        if override.metric_id != allowance.metric_id:
            continue
        if override.mode == Override.Mode.SET:
            if override.units is None:
                hard = None
            elif hard is not None and included is not None:
                hard = max(0, hard + override.units - included)
            included = override.units
        elif included is not None:
            assert override.units is not None  # the database checks it
            included += override.units
            hard = None if hard is None else hard + override.units
    return Limit(allowance.metric, allowance, included, hard)
