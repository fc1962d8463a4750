"""What one tenant may use, for operations: its subscriptions, its overrides, and the limits that come of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.entitlements import Entitlements, Limit
from billing.limits import limit_of
from billing.models import Allowance, Override, Plan, Subscription
from billing.periods import Period, period_at
from tenants.models import Tenant
from usage import units
from usage.reports import dates
from usage.reports.meters import Look


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A subscription that runs or comes; `until` is empty where it is open."""

    plan: str
    look: Look
    since: str
    until: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Given:
    """An override that runs or comes."""

    id: int
    what: str
    look: Look
    since: str
    until: str
    who: str
    reason: str


@dataclass(frozen=True)
class Rights:
    """Rows of one tenant at `at`: subscriptions and overrides that are not over, and its plan's allowances."""

    tenant: Tenant
    at: datetime
    subscriptions: Sequence[Subscription]
    overrides: Sequence[Override]
    allowances: Sequence[Allowance]

    @property
    def period(self) -> Period:
        return period_at(self.tenant, self.at)

    @property
    def plan(self) -> Plan | None:
        """The plan whose limits hold; none where the default one allows nothing."""
        return self.allowances[0].plan if self.allowances else None

    @cached_property
    def limits(self) -> Mapping[str, Limit]:
        """By metric code, in the order of the metrics."""
        running = [one for one in self.overrides if one.starts <= self.at]
        return {one.metric.code: limit_of(one, running) for one in self.allowances}

    @property
    def raisable(self) -> Mapping[str, Limit]:
        """What can be raised: what is not unlimited already."""
        return {code: limit for code, limit in self.limits.items() if limit.included is not None}

    @property
    def entitlements(self) -> Entitlements | None:
        """The same as counting has it; its version is not read."""
        if self.plan is None:
            return None
        return Entitlements(self.tenant, 0, self.plan, self.period, self.period.ends, self.limits)

    @property
    def plans(self) -> tuple[PlanLine, ...]:
        return tuple(_plan_line(one, self.at) for one in self.subscriptions)

    @property
    def given(self) -> tuple[Given, ...]:
        return tuple(given_line(one, self.at) for one in self.overrides)


def rights(tenant: Tenant, at: datetime) -> Rights:
    """What `tenant` may use at `at`; four queries."""
    people = Subscription.objects.filter(tenant=tenant).exclude(ends__lte=at)
    subscriptions = list(people.select_related("plan", "author").order_by("starts"))
    given = Override.objects.filter(tenant=tenant).exclude(ends__lte=at)
    running = next((one for one in subscriptions if one.starts <= at), None)
    of_plan = Allowance.objects.filter(plan=running.plan_id) if running else _of_default()
    rows = of_plan.select_related("plan", "metric").prefetch_related("tiers")
    return Rights(
        tenant,
        at,
        subscriptions,
        list(given.select_related("metric", "author").order_by("starts", "pk")),
        list(rows.order_by("metric__position", "metric__code")),
    )


def _of_default() -> QuerySet[Allowance]:
    return Allowance.objects.filter(plan__slug=settings.HEADROOM_DEFAULT_PLAN)


def _plan_line(one: Subscription, at: datetime) -> PlanLine:
    return PlanLine(
        plan=one.plan.name,
        look=_look(one.starts, at),
        since=units.moment(one.starts),
        until=units.moment(one.ends) if one.ends else "",
        who=one.author.email if one.author else "",
        reason=one.reason,
    )


def given_line(one: Override, at: datetime) -> Given:
    """How an override that runs or comes is shown; its metric and author are read already."""
    return Given(
        id=one.pk,
        what=_what(one),
        look=_look(one.starts, at),
        since=dates.when(one.starts, at),
        until=units.moment(one.ends) if one.ends else _("for good"),
        who=one.author.email if one.author else "",
        reason=one.reason,
    )


def _what(one: Override) -> str:
    """“API calls +50,000”, “Storage = 5 GB”, “API calls unlimited”."""
    name = one.metric.name
    if one.units is None:
        return _("%(metric)s unlimited") % {"metric": name}
    sign = "+" if one.mode == Override.Mode.ADD else "= "
    return f"{name} {sign}{units.number(one.metric, one.units)}"


def _look(starts: datetime, at: datetime) -> Look:
    return Look("ok", _("Running")) if starts <= at else Look("near", _("Has yet to begin"))
