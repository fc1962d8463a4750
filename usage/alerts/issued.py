"""Tells of statements: the tenant's owners by mail where something is owed, its programs in any case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from django.db import transaction

from billing.models import Statement
from tenants.models import Membership
from usage.alerts.outbox import ring
from usage.alerts.routes import EMAIL, WEBHOOK, Route, mailed
from usage.endpoints import Endpoint
from usage.models import Delivery


def announce(statements: Sequence[Statement], at: datetime) -> None:
    """Queue what is to be told of them; call it in the transaction that issues them. Three queries."""
    mail, hooks = _routes({one.tenant_id for one in statements})
    rows = [
        Delivery(
            kind=Delivery.Kind.STATEMENT,
            tenant_id=one.tenant_id,
            statement=one,
            endpoint_id=route.endpoint or None,
            channel=route.channel,
            target=route.target,
            due_at=at,
            created_at=at,
        )
        for one in statements
        for route in (*(mail.get(one.tenant_id, ()) if one.total else ()), *hooks.get(one.tenant_id, ()))
    ]
    if rows:
        Delivery.objects.bulk_create(rows)
        channels = {row.channel for row in rows}
        transaction.on_commit(lambda: ring(channels))


Routes = dict[int, list[Route]]


def _routes(tenant_ids: Collection[int]) -> tuple[Routes, Routes]:
    """Who gets mail, and the webhooks, by tenant. A viewer may want alerts by mail, but sees no money."""
    people = mailed(tenant_ids).exclude(role=Membership.Role.VIEWER)
    mail = (
        (tenant, Route(EMAIL, email.lower()))
        for tenant, email in people.values_list("tenant_id", "user__email")
    )
    rows = Endpoint.objects.filter(tenant__in=tenant_ids, kind=WEBHOOK).exclude(state=Endpoint.State.DISABLED)
    hooks = (
        (tenant, Route(WEBHOOK, label, pk))
        for tenant, label, pk in rows.values_list("tenant_id", "label", "pk")
    )
    return _grouped(mail), _grouped(hooks)


def _grouped(routes: Iterator[tuple[int | None, Route]]) -> Routes:
    found: Routes = defaultdict(list)
    for tenant_id, route in routes:
        if tenant_id is not None and route not in found[tenant_id]:
            found[tenant_id].append(route)
    return found
