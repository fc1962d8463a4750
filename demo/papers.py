"""Issues the statements of the demo's past periods, each as if it had been issued when it was due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.closings import closing, period_of
from billing.models import Closing
from billing.periods import period_at
from demo.history import DAYS
from tenants.models import Tenant
from usage.money.closing import issue_due


def issue_history(tenants: Sequence[Tenant], at: datetime) -> None:
    """Statements for the periods that are over, from the first of which anything is known.

    Of that one the history has only the end, so that is what was used. Call it in a transaction.
    """
    known = {one.tenant_id: one for one in Closing.objects.filter(tenant__in=tenants)}
    for tenant in tenants:
        since = max(tenant.created_at, at - timedelta(days=DAYS))
        following = known.get(tenant.pk) or closing(tenant, period_at(tenant, since))
        following.tenant = tenant
        if tenant.pk not in known:
            following.save()
        _issue(following, at)


def _issue(following: Closing, at: datetime) -> None:
    """One period after the other until the present one; those whose hours wait in Redis are left to the workers."""
    while following.due_at <= at and issue_due(following.due_at, only=[following.tenant_id]):
        following = closing(following.tenant, period_at(following.tenant, period_of(following).ends))
