"""Brings in tenants from rows: says first what it would do, then does all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from billing.import_rows import Mistake, Row
from billing.models import Plan, Subscription
from billing.subscriptions import subscribe
from tenants.models import Membership, Tenant, User

EVER = datetime.max.replace(tzinfo=UTC)
OWNER = Membership.Role.OWNER


@dataclass(frozen=True, slots=True)
class Step:
    """What a row does: makes its tenant, or brings the one there is to what the row says."""

    row: Row
    plan: Plan
    tenant: Tenant | None
    plan_before: Plan | None
    owner: User | None
    is_owner: bool

    @property
    def kind(self) -> str:
        if self.tenant is None:
            return "new"
        return "changed" if any(self.changes()) else "unchanged"

    @property
    def is_new_plan(self) -> bool:
        return self.plan != self.plan_before

    def changes(self) -> Iterator[str]:
        """What becomes different, in words."""
        row, tenant = self.row, self.tenant
        if tenant is None or tenant.name != row.name:
            yield f"name “{row.name}”" if tenant is None else f"name “{tenant.name}” → “{row.name}”"
        if self.is_new_plan:
            yield f"plan {f'{self.plan_before} → ' if self.plan_before else ''}{self.plan}"
        if not self.is_owner:
            yield f"owner {row.owner}{'' if self.owner else ' (new person)'}"


@dataclass(frozen=True, slots=True)
class _Known:
    """What PostgreSQL holds about the tenants and people that the rows name."""

    plans: dict[str, Plan]
    tenants: dict[str, Tenant]
    people: dict[str, User]
    plan_of: dict[int, Plan]
    owners: set[tuple[int, int]]


def steps_for(rows: list[Row], at: datetime) -> tuple[list[Step], list[Mistake]]:
    """What importing `rows` at `at` would do, in their order, and what stands against it."""
    known = _look_up(rows, at)
    mistakes = [mistake for row in rows for mistake in _objections(row, known)]
    return [_step(row, known) for row in rows], mistakes


def carry_out(steps: list[Step], *, at: datetime, reason: str) -> list[str]:
    """Do the steps, inside the caller's transaction.

    Returns the addresses of the people made; they have no password until a reset link gave them one.
    """
    made: dict[str, User] = {}
    for step in steps:
        if step.kind == "unchanged":
            continue
        tenant = _tenant(step, at)
        if step.is_new_plan:
            subscribe(tenant, step.plan, at=at, actor=None, reason=reason)
        owner = step.owner or made.get(step.row.owner)
        if owner is None:
            owner = made[step.row.owner] = User.objects.create_user(step.row.owner)
        Membership.objects.update_or_create(tenant=tenant, user=owner, defaults={"role": OWNER})
    return list(made)


def _tenant(step: Step, at: datetime) -> Tenant:
    """The step's tenant, made or renamed."""
    if step.tenant is None:
        return Tenant.objects.create(slug=step.row.slug, name=step.row.name, created_at=at)
    if step.tenant.name != step.row.name:
        step.tenant.name = step.row.name
        step.tenant.save(update_fields=["name"])
    return step.tenant


def _look_up(rows: list[Row], at: datetime) -> _Known:
    """Everything at once, so that a long file costs a handful of queries."""
    plans = {plan.slug: plan for plan in Plan.objects.all()}
    tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=[row.slug for row in rows])}
    people = {user.email: user for user in User.objects.filter(email__in=[row.owner for row in rows])}
    named = Subscription.objects.filter(tenant__slug__in=list(tenants))
    # By their beginning: a plan that begins later is what the tenant will be on.
    by_plan = {plan.pk: plan for plan in plans.values()}
    plan_of = {one.tenant_id: by_plan[one.plan_id] for one in named.between(at, EVER).order_by("starts")}
    owners = Membership.objects.filter(tenant__slug__in=list(tenants), role=OWNER)
    return _Known(plans, tenants, people, plan_of, set(owners.values_list("tenant_id", "user_id")))


def _objections(row: Row, known: _Known) -> Iterator[Mistake]:
    """What only PostgreSQL knows to be wrong with a row."""
    tenant, owner = known.tenants.get(row.slug), known.people.get(row.owner)
    if tenant is not None and tenant.is_closed:
        yield Mistake(row.line, "slug", row.slug, "This tenant is closed: reactivate it in the admin first.")
    if owner is not None and not owner.is_active:
        remedy = "This person is switched off: activate them in the admin, or name another owner."
        yield Mistake(row.line, "owner", row.owner, remedy)


def _step(row: Row, known: _Known) -> Step:
    plan, tenant, owner = known.plans[row.plan], known.tenants.get(row.slug), known.people.get(row.owner)
    if tenant is None:
        return Step(row, plan, None, None, owner, is_owner=False)
    before = known.plan_of.get(tenant.pk) or known.plans.get(settings.HEADROOM_DEFAULT_PLAN)
    is_owner = owner is not None and (tenant.pk, owner.pk) in known.owners
    return Step(row, plan, tenant, before, owner, is_owner)
