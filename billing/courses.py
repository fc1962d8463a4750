"""How a tenant's plan goes on: what it is on, what is scheduled, and what another choice would do, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from django.conf import settings
from django.utils.translation import gettext as _

from billing.book import NoDefaultPlan
from billing.contracts import Contracts
from billing.models import Plan, Subscription
from billing.periods import period_at
from billing.terms import moment
from tenants.models import Tenant, User


class When(Enum):
    """When a plan begins; none of these = by its size: a larger one now, another one with the next period."""

    NOW = "now"
    NEXT = "next"


class NothingChanges(ValueError):
    """The plan is what it is asked to become; says what it is."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """From `begins` on `plan` takes the place of `before`.

    With `is_end` nothing follows the present subscription: `plan` is the default one.
    """

    before: Plan
    plan: Plan
    begins: datetime
    is_end: bool
    author: User | None
    reason: str
    mark: str  # of the course it is part of


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a choice does: `before` is replaced by `plan` at `begins`, and what is scheduled goes (`replaces`).

    With `is_end` the subscription is cancelled: `plan` is the default one. `mark` is another one as soon as
    something else would happen.
    """

    before: Plan
    plan: Plan
    begins: datetime
    is_at_once: bool
    is_end: bool
    replaces: Scheduled | None
    mark: str


@dataclass(frozen=True, slots=True)
class Course:
    """A tenant's plan from `at` on: the subscription that runs, if one does, and those that come, first to last."""

    tenant: Tenant
    at: datetime
    default: Plan
    running: Subscription | None
    coming: tuple[Subscription, ...]

    @property
    def plan(self) -> Plan:
        """The plan the tenant is on."""
        return self.running.plan if self.running else self.default

    @property
    def turn(self) -> datetime:
        """When a plan that does not act at once begins: with the next period, or where the present one ends before."""
        ends = period_at(self.tenant, self.at).ends
        return min(ends, self.running.ends) if self.running and self.running.ends else ends

    @property
    def scheduled(self) -> Scheduled | None:
        """The next change of plan that is written down; none where the tenant stays on its plan."""
        running, following = self.running, self.coming[0] if self.coming else None
        if running and running.ends and (following is None or following.starts > running.ends):
            if self.plan.pk == self.default.pk:
                return None
            who = (running.ended_by, running.end_reason)
            return Scheduled(self.plan, self.default, running.ends, True, *who, self.mark)
        if following is None or following.plan_id == self.plan.pk:
            return None
        who = (following.author, following.reason)
        return Scheduled(self.plan, following.plan, following.starts, False, *who, self.mark)

    @property
    def may_end(self) -> bool:
        """Whether there is a subscription whose end would change something, and that goes on so far."""
        is_ending = self.scheduled is not None and self.scheduled.is_end
        return self.running is not None and self.plan.pk != self.default.pk and not is_ending

    def is_larger(self, plan: Plan) -> bool:
        """Whether `plan` is larger than the present one."""
        return size_of(plan) > size_of(self.plan)

    def changed_to(self, plan: Plan, when: When | None = None) -> PlanChange:
        """What it does to choose `plan`. Raises NothingChanges."""
        if plan.pk == self.plan.pk:
            raise NothingChanges(_("%(tenant)s is on %(plan)s already.") % self._names(plan))
        is_at_once = when == When.NOW or (when is None and self.is_larger(plan))
        planned = self.scheduled
        if not is_at_once and planned and not planned.is_end and planned.plan.pk == plan.pk:
            text = _("%(plan)s begins on %(day)s already.")
            raise NothingChanges(text % {**self._names(plan), "day": moment(planned.begins)})
        begins = self.at if is_at_once else self.turn
        return PlanChange(self.plan, plan, begins, is_at_once, False, planned, self.mark)

    def ended(self) -> PlanChange:
        """What it does to cancel. Raises NothingChanges."""
        if self.running is None or self.plan.pk == self.default.pk:
            text = _("%(tenant)s is on %(plan)s, which is what remains without a subscription.")
            raise NothingChanges(text % self._names(self.plan))
        planned = self.scheduled
        if planned and planned.is_end:
            text = _("%(plan)s ends on %(day)s already.")
            raise NothingChanges(text % {**self._names(self.plan), "day": moment(planned.begins)})
        return PlanChange(self.plan, self.default, self.turn, False, True, planned, self.mark)

    @property
    def mark(self) -> str:
        """Another one as soon as the course or the period is."""
        rows = [*([self.running] if self.running else []), *self.coming]
        ends = [f"{row.pk}-{row.ends:%y%m%d%H%M%S%f}" if row.ends else str(row.pk) for row in rows]
        return ".".join([f"{self.turn:%y%m%d%H%M}", *ends])

    def _names(self, plan: Plan) -> dict[str, str]:
        return {"tenant": self.tenant.name, "plan": plan.name}


def size_of(plan: Plan) -> tuple[Decimal, int]:
    """Sorts plans: the larger one costs more a month or, where two cost the same, stands further on."""
    return plan.base_fee, plan.position


def courses(tenants: Iterable[Tenant], at: datetime) -> dict[int, Course]:
    """How each tenant's plan goes on, by tenant id; two queries for all. Raises NoDefaultPlan."""
    known, default = list(tenants), _default()
    rows: dict[int, list[Subscription]] = {}
    people = Subscription.objects.select_related("plan", "author", "ended_by")
    for row in people.filter(tenant__in=known).exclude(ends__lte=at).order_by("starts"):
        rows.setdefault(row.tenant_id, []).append(row)
    return {one.pk: _course(one, at, default, rows.get(one.pk, [])) for one in known}


def course(tenant: Tenant, at: datetime) -> Course:
    """How `tenant`'s plan goes on. Raises NoDefaultPlan."""
    return courses([tenant], at)[tenant.pk]


def course_by(contracts: Contracts, tenant: Tenant, at: datetime) -> Course:
    """The same by what was read already; who scheduled something costs a query."""
    return _course(tenant, at, contracts.default, contracts.subscriptions(tenant, at))


def scheduled(tenants: Iterable[Tenant], at: datetime) -> Mapping[int, Scheduled]:
    """What is scheduled, by tenant id, for those that anything is scheduled for; two queries for all."""
    return {pk: found for pk, one in courses(tenants, at).items() if (found := one.scheduled)}


def _course(tenant: Tenant, at: datetime, default: Plan, rows: Sequence[Subscription]) -> Course:
    return Course(
        tenant=tenant,
        at=at,
        default=default,
        running=next((row for row in rows if row.starts <= at), None),
        coming=tuple(row for row in rows if row.starts > at),
    )


def _default() -> Plan:
    slug = settings.HEADROOM_DEFAULT_PLAN
    plan = Plan.objects.filter(slug=slug).first()
    if plan is None:
        raise NoDefaultPlan(f"HEADROOM_DEFAULT_PLAN={slug!r} names no plan: add it.")
    return plan
