"""Writes down that what tenants may use has changed, so that counting takes it over within a second."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from billing.models import EntitlementChange, Plan, Subscription
from tenants.audit import Action, record
from tenants.models import Tenant, User

# One statement: raises each tenant's version under its row lock, in the order of the ids so that two of these
# can't wait for each other, and leaves one change per tenant.
RAISE = """
WITH named AS (
    SELECT unnest(%s::bigint[]) AS tenant_id ORDER BY 1
), raised AS (
    INSERT INTO billing_entitlement AS e (tenant_id, version) SELECT tenant_id, 1 FROM named
    ON CONFLICT (tenant_id) DO UPDATE SET version = e.version + 1
    RETURNING tenant_id, version
)
INSERT INTO billing_entitlementchange (tenant_id, version, kind, reason, actor_id, at)
SELECT tenant_id, version, %s, %s, %s, %s FROM raised
"""

Kind = EntitlementChange.Kind
FEW = 20  # tenants of one change that are written down one by one


def limits_changed(
    tenants: QuerySet[Tenant],
    *,
    reason: str,
    at: datetime,
    actor: User | None = None,
    kind: Kind = Kind.LIMITS,
) -> int:
    """Raise the version of what `tenants` may use; call it in the transaction that made the change.

    Returns how many tenants it concerns. What a person did (`actor`) is also kept among all that people did.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        ids = list(tenants.order_by("pk").values_list("pk", flat=True))
        cursor.execute(RAISE, [ids, kind, reason[:250], actor.pk if actor else None, at])
        if actor is not None:
            _keep(ids, reason[:250], actor, at)
        return len(ids)


def _keep(ids: list[int], reason: str, actor: User, at: datetime) -> None:
    """One entry for each tenant, or one for all where they are many."""
    if len(ids) > FEW:
        record(None, Action.ENTITLED_MANY, actor=actor, at=at, reason=reason, count=f"{len(ids):,}")
        return
    for pk in ids:
        record(pk, Action.ENTITLED, actor=actor, at=at, reason=reason)


def tenants_on(plan: Plan, at: datetime) -> QuerySet[Tenant]:
    """Tenants whose limits come from `plan` now or, by a subscription that has yet to begin or to end, later."""
    live = Q(subscriptions__ends=None) | Q(subscriptions__ends__gt=at)
    on_it = Tenant.objects.filter(live, subscriptions__plan=plan)
    if plan.slug == settings.HEADROOM_DEFAULT_PLAN:
        running = Tenant.objects.filter(live, subscriptions__starts__lte=at)
        lasting = running.filter(pk__in=Subscription.objects.filter(ends=None).values("tenant"))
        return Tenant.objects.filter(Q(pk__in=on_it.values("pk")) | ~Q(pk__in=lasting.values("pk")))
    return on_it.distinct()
