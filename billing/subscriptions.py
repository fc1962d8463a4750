"""Puts a tenant on a plan, now or later, lets it end, and takes back what was scheduled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from billing.changes import Kind, limits_changed
from billing.courses import Course, NothingChanges, PlanChange, Scheduled, When, course
from billing.models import EntitlementChange, Plan, Subscription
from billing.terms import moment
from tenants.models import Tenant, User

AHEAD = timedelta(minutes=1)  # how far the clocks of two hosts may be apart, and a request may have waited


class Outdated(ValueError):
    """What a person agreed to is no longer what would happen."""


def subscribe(tenant: Tenant, plan: Plan, *, at: datetime, actor: User | None, reason: str) -> Subscription:
    """Put `tenant` on `plan` from `at` on, whatever it was on before; the limits act at once."""
    with _alone(tenant):
        subscription = _begin(tenant, plan, at, actor, reason)
        _tell(tenant, Kind.PLAN, reason, at=at, actor=actor)
    return subscription


def schedule(
    tenant: Tenant, plan: Plan, *, begins: datetime, at: datetime, actor: User | None, reason: str
) -> Subscription:
    """Put `tenant` on `plan` from `begins` on, which is later than `at`, and stays as it is until then."""
    with _alone(tenant):
        subscription = _begin(tenant, plan, begins, actor, reason)
        text = f"{plan} from {moment(begins)}"
        _tell(tenant, Kind.SCHEDULED, _said(text, reason), at=at, actor=actor)
    return subscription


def change_plan(
    tenant: Tenant,
    plan: Plan,
    *,
    at: datetime,
    actor: User | None,
    reason: str,
    when: When | None = None,
    as_shown: str | None = None,
) -> PlanChange:
    """Put `tenant` on `plan`: at once if that is larger, else from the next period on, unless `when` says otherwise.

    Takes the place of what is scheduled. `as_shown` is the mark of the change that a person agreed to. Raises
    NothingChanges, and Outdated where it has become another one.
    """
    with _alone(tenant):
        at = _not_before_the_last(tenant, at)
        now = course(tenant, at)
        change = _agreed(now.changed_to(plan, when), as_shown)
        _drop_coming(now)
        _begin(tenant, plan, change.begins, actor, reason)
        day = "" if change.is_at_once else f" on {moment(change.begins)}"
        text = _said(f"{change.before} → {plan}{day}", reason)
        _tell(tenant, Kind.PLAN if change.is_at_once else Kind.SCHEDULED, text, at=at, actor=actor)
    return change


def cancel(
    tenant: Tenant, *, at: datetime, actor: User | None, reason: str, as_shown: str | None = None
) -> PlanChange:
    """Let the subscription end with the period; from then on the default plan holds. Raises as `change_plan` does."""
    with _alone(tenant):
        at = _not_before_the_last(tenant, at)
        now = course(tenant, at)
        change = _agreed(now.ended(), as_shown)
        _drop_coming(now)
        _end(now, change.begins, actor, reason)
        text = f"{change.before} ends on {moment(change.begins)}, then {change.plan}"
        _tell(tenant, Kind.CANCELLED, _said(text, reason), at=at, actor=actor)
    return change


def withdraw(
    tenant: Tenant, *, at: datetime, actor: User | None, reason: str, as_shown: str | None = None
) -> Scheduled:
    """Take back what is scheduled: the tenant stays on its plan. Raises as `change_plan` does."""
    with _alone(tenant):
        at = _not_before_the_last(tenant, at)
        now = course(tenant, at)
        if now.scheduled is None:
            raise NothingChanges(_("Nothing is scheduled: %(plan)s goes on.") % {"plan": now.plan.name})
        if as_shown not in (None, now.scheduled.mark):
            raise Outdated(_("Meanwhile something else was scheduled."))
        _drop_coming(now)
        _end(now, None, None, "")
        gone = now.scheduled
        text = f"{gone.before} goes on, not {gone.plan} on {moment(gone.begins)}"
        _tell(tenant, Kind.WITHDRAWN, _said(text, reason), at=at, actor=actor)
    return gone


def remove(subscriptions: Iterable[Subscription], *, at: datetime) -> None:
    """Delete these; the one before a subscription that had not begun by `at` goes on in its place."""
    for one in sorted(subscriptions, key=lambda one: one.starts, reverse=True):
        with _alone(one.tenant):
            one.refresh_from_db()
            one.delete()
            if one.starts > at:
                before = Subscription.objects.filter(tenant=one.tenant, ends=one.starts)
                before.update(ends=one.ends, ended_by=one.ended_by, end_reason=one.end_reason)


@contextmanager
def _alone(tenant: Tenant) -> Iterator[None]:
    """A transaction in which nobody else changes the tenant's plan: they wait here."""
    with transaction.atomic():
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        yield


def _not_before_the_last(tenant: Tenant, at: datetime) -> datetime:
    """`at`; where somebody who came first had a later clock, theirs: two who press at once are one after the other."""
    last = EntitlementChange.objects.filter(tenant=tenant, at__gt=at, at__lte=at + AHEAD)
    return max([at, *last.values_list("at", flat=True)])


def _agreed(change: PlanChange, as_shown: str | None) -> PlanChange:
    if as_shown not in (None, change.mark):
        raise Outdated(_("Meanwhile the plan was changed."))
    return change


def _begin(tenant: Tenant, plan: Plan, begins: datetime, author: User | None, reason: str) -> Subscription:
    """From `begins` on `plan` alone is left."""
    rows = Subscription.objects.filter(tenant=tenant)
    rows.filter(starts__gte=begins).delete()
    rows.filter(Q(ends=None) | Q(ends__gte=begins)).update(ends=begins, ended_by=None, end_reason="")
    return Subscription.objects.create(
        tenant=tenant, plan=plan, starts=begins, author=author, reason=reason[:250]
    )


def _drop_coming(now: Course) -> None:
    Subscription.objects.filter(pk__in=[one.pk for one in now.coming]).delete()


def _end(now: Course, ends: datetime | None, author: User | None, reason: str) -> None:
    """Let the subscription that runs end at `ends`, or go on."""
    if now.running:
        running = Subscription.objects.filter(pk=now.running.pk)
        running.update(ends=ends, ended_by=author, end_reason=reason[:250])


def _said(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


def _tell(tenant: Tenant, kind: Kind, text: str, *, at: datetime, actor: User | None) -> None:
    limits_changed(Tenant.objects.filter(pk=tenant.pk), reason=text, at=at, actor=actor, kind=kind)
