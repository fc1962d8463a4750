"""Tells operations that a tenant wants another plan."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from billing.models import Plan
from tenants.models import Tenant, User
from usage.models import Notice


def ask_for_plan(tenant: Tenant, plan: Plan, *, person: User, at: datetime) -> None:
    """Put the wish into the staff inbox; asked again while it waits there, it stays one line."""
    wish = Notice(
        tenant=tenant,
        kind=Notice.Kind.PLAN,
        plan=plan,
        text=_("%(tenant)s asks for %(plan)s.") % {"tenant": tenant.name, "plan": plan.name},
        author=person,
        at=at,
    )
    # The constraint on open wishes decides, so that two who press at once don't write two lines.
    Notice.objects.bulk_create([wish], ignore_conflicts=True)
