"""Puts a tenant on a plan."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.changes import limits_changed
from billing.models import Plan, Subscription
from tenants.models import Tenant, User


def subscribe(tenant: Tenant, plan: Plan, *, at: datetime, actor: User | None, reason: str) -> Subscription:
    """Put `tenant` on `plan` from `at` on, whatever it was on before; the limits act at once."""
    with transaction.atomic():
        # Two changes of one tenant's plan wait for each other here.
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        rows = Subscription.objects.filter(tenant=tenant)
        rows.filter(starts__gte=at).delete()
        rows.between(at, at.max.replace(tzinfo=at.tzinfo)).update(ends=at)
        subscription = Subscription.objects.create(tenant=tenant, plan=plan, starts=at)
        limits_changed(Tenant.objects.filter(pk=tenant.pk), reason=reason, at=at, actor=actor)
    return subscription
