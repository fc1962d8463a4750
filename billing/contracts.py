"""What is written about tenants' plans and overrides: read once for many, then asked without a query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import QuerySet

from billing.book import Book
from billing.caps import NO_CAPS, caps_in_force
from billing.limits import Entitlements
from billing.models import Entitlement, Override, Plan, SpendCap, Subscription
from billing.models.subscriptions import SOON
from billing.periods import Period, period_at
from billing.pricing import Fee
from billing.rates import Rates, fees_of
from tenants.arrays import among
from tenants.models import Tenant


class Contracts:
    """Plans and overrides of some tenants that were in force at `since` or came later. Three queries.

    Who only reads (`is_read_only`) needs no versions of the limits, and saves one. Overrides and spend caps take one
    more each where any of the tenants has one.
    """

    def __init__(self, tenants: Sequence[Tenant], since: datetime, *, is_read_only: bool = False) -> None:
        ids = [tenant.pk for tenant in tenants]
        # The version is read first: limits that are newer than their version are only written once more, never lost.
        versions = Entitlement.objects.filter(among("tenant", ids))
        versions = versions.none() if is_read_only else versions
        self._versions = dict(versions.values_list("tenant_id", "version"))
        # Before the plans, so that none of them is too new to be known.
        self._subscriptions = _by_tenant(
            Subscription.objects.filter(among("tenant", ids)).exclude(ends__lte=since)
        )
        self._book = Book(ids)
        overrides = Override.objects.filter(among("tenant", ids)).exclude(ends__lte=since)
        self._overrides = _by_tenant(overrides if self._book.has_overrides else overrides.none())
        caps = SpendCap.objects.filter(among("tenant", ids)).select_related("author")
        self._caps = _by_tenant(caps if self._book.has_caps else caps.none())

    def plan(self, tenant: Tenant, at: datetime) -> Plan:
        """The plan the tenant is on at `at`. Raises NoDefaultPlan."""
        return self._subscribed(tenant, at) or self._book.default

    @property
    def default(self) -> Plan:
        """The plan of who has none. Raises NoDefaultPlan."""
        return self._book.default

    def spend_caps(self, tenant: Tenant) -> list[SpendCap]:
        """What caps the tenant's overage, one a side; their authors are at hand."""
        return self._caps.get(tenant.pk, [])

    def subscriptions(self, tenant: Tenant, at: datetime) -> list[Subscription]:
        """Those that are not over at `at`, the first to begin first; their plans are at hand."""
        mine = [one for one in self._subscriptions.get(tenant.pk, []) if one.ends is None or one.ends > at]
        for one in mine:
            one.plan = self._book.plans[one.plan_id]
        return mine

    def ending(self, tenant: Tenant, at: datetime) -> list[Override]:
        """Overrides in force at `at`, but soon not any more; the first to end first."""
        mine = [one for one in self._given(tenant, at) if one.starts <= at and one.ends]
        soon = [one for one in mine if one.ends and one.ends <= at + SOON]
        return sorted(soon, key=lambda one: (one.ends, one.pk))

    def offered(self, own: Plan) -> list[Plan]:
        """The public plans and `own`, in their order."""
        return [plan for plan in self._book.plans.values() if plan.is_public or plan.pk == own.pk]

    def entitlements(self, tenant: Tenant, at: datetime, *, plan: Plan | None = None) -> Entitlements:
        """What the tenant may use at `at`, on its own plan or on another. Raises NoDefaultPlan."""
        plan, given, period = plan or self.plan(tenant, at), self._given(tenant, at), period_at(tenant, at)
        rows: Sequence[Subscription | Override] = (*self._subscriptions.get(tenant.pk, []), *given)
        changes = [time for one in rows for time in (one.starts, one.ends) if time and time > at]
        return Entitlements(
            tenant,
            self._versions.get(tenant.pk, 0),
            plan,
            period,
            min([period.ends, *changes]),
            self._book.limits(plan, [one for one in given if one.starts <= at]),
            caps_in_force(self.spend_caps(tenant)) if self._caps else NO_CAPS,
        )

    def rates(self, tenant: Tenant, period: Period, at: datetime, *, plan: Plan | None = None) -> Rates:
        """What `period` is billed by, as seen at `at`: the plan that counts is the one it ends on so far.

        With `plan`: what it would be billed by if that were the plan from its first day on.
        `since` must not be later than the period's first moment. Raises NoDefaultPlan.
        """
        at = min(at, period.ends - timedelta(microseconds=1))
        last = plan or self.plan(tenant, at)
        return Rates(
            tenant,
            period,
            last,
            lambda moment: plan or self._plan_or_none(tenant, min(moment, at)),
            self._book.rates(
                last, [one for one in self._given(tenant, period.starts) if one.starts <= at], period, at
            ),
        )

    def fees_if(self, tenant: Tenant, period: Period, at: datetime, plan: Plan) -> tuple[Fee, ...]:
        """The base fees of `period` by days if the tenant were on `plan` from `at` on. Raises NoDefaultPlan."""
        return fees_of(period, lambda moment: plan if moment >= at else self._plan_or_none(tenant, moment))

    def _subscribed(self, tenant: Tenant, at: datetime) -> Plan | None:
        mine = self._subscriptions.get(tenant.pk, [])
        return next((self._book.plans[one.plan_id] for one in mine if _is_running(one, at)), None)

    def _plan_or_none(self, tenant: Tenant, at: datetime) -> Plan | None:
        """The plan at `at`; none before the tenant was there."""
        default = None if at < tenant.created_at else self._book.default
        return self._subscribed(tenant, at) or default

    def _given(self, tenant: Tenant, at: datetime) -> list[Override]:
        """Overrides in force at `at` or later."""
        return [one for one in self._overrides.get(tenant.pk, []) if one.ends is None or one.ends > at]


Row = TypeVar("Row", Subscription, Override, SpendCap)


def _by_tenant(rows: QuerySet[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.tenant_id, []).append(row)
    return grouped


def _is_running(one: Subscription, at: datetime) -> bool:
    return one.starts <= at and (one.ends is None or at < one.ends)
