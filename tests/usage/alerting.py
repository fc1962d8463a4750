"""What tests of alerts are made of: limits without a plan edit, readings, and people who own a tenant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.caps import Caps
from billing.entitlements import Entitlements, Limit
from billing.models import Allowance, Metric, Plan
from billing.periods import period_at
from tenants.models import Membership, Tenant, User
from usage.alerts.spending import Spending
from usage.alerts.thresholds import Reading

AT = datetime(2026, 11, 23, 6, 2, tzinfo=UTC)
STOP, BILL, NOTIFY = Allowance.Beyond.STOP, Allowance.Beyond.BILL, Allowance.Beyond.NOTIFY


def limit(
    included: int | None,
    beyond: str = STOP,
    hard_limit: int | None = None,
    metric: Metric | None = None,
) -> Limit:
    """A limit as plan and overrides would make it."""
    metric = metric or Metric(code="api_calls", name="API calls", noun="calls", kind=Metric.Kind.SUM)
    return Limit(metric, Allowance(metric=metric, beyond=beyond), included, hard_limit)


def reading(
    tenant: Tenant,
    used: int,
    of: int | Limit | None,
    *,
    refused: int = 0,
    metric: str = "api_calls",
    at: datetime = AT,
) -> Reading:
    """One tenant's use of one metric, of a limit that stops."""
    one = Metric.objects.get(code=metric)
    given = (
        limit(of.included, of.allowance.beyond, of.hard_limit, one)
        if isinstance(of, Limit)
        else limit(of, metric=one)
    )
    return Reading(tenant, rights(tenant, {metric: given}, at), {metric: used}, {metric: refused})


def spending(spent: str, stop: str | None = "100", *notify: str, before: str = "0", **more: Any) -> Spending:
    """What a tenant spent of a cap that stops, or of some that only tell."""
    caps = Caps(None if stop is None else Decimal(stop), tuple(map(Decimal, notify)))
    return Spending(caps, Decimal(spent), Decimal(before), **more)


def rights(tenant: Tenant, limits: Mapping[str, Limit], at: datetime = AT) -> Entitlements:
    """What a tenant may use, on the plan pro."""
    period = period_at(tenant, at)
    return Entitlements(tenant, 1, Plan.objects.get(slug="pro"), period, period.ends, limits)


def own(tenant: Tenant, *emails: str) -> None:
    """Make people owners of a tenant."""
    for email in emails:
        user = User.objects.filter(email=email).first() or User.objects.create_user(email)
        Membership.objects.create(tenant=tenant, user=user, role=Membership.Role.OWNER)


def at_once(number: int, run: Callable[[], object]) -> None:
    """Run it in threads with connections of their own; the first error of any is raised."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  # raised below, in the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]
