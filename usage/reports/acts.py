"""What people did, as staff read it: one line an act, with who, of which tenant, when and from where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tenants.audit import sentence
from tenants.models import AuditEntry, Tenant
from usage.reports import dates


@dataclass(frozen=True, slots=True)
class Act:
    """One act; `slug` and `tenant` are empty where it concerned none alone, `who` where it happened by itself."""

    at: datetime
    when: str
    who: str
    text: str
    slug: str
    tenant: str
    network: str  # where it came from, as far as that is known


def act(entry: AuditEntry, at: datetime) -> Act:
    """How an entry is shown at `at`; its actor and tenant are read already."""
    return Act(
        at=entry.at,
        when=dates.when(entry.at, at),
        who=entry.actor.email if entry.actor else "",
        text=sentence(entry),
        slug=entry.tenant.slug if entry.tenant else "",
        tenant=entry.tenant.name if entry.tenant else "",
        network=entry.detail.get("network", ""),
    )


def last_acts(tenant: Tenant, at: datetime, *, most: int) -> tuple[Act, ...]:
    """The newest that concerned `tenant`; one query."""
    rows = AuditEntry.objects.filter(tenant=tenant).select_related("actor", "tenant")
    return tuple(act(entry, at) for entry in rows.order_by("-at", "-pk")[:most])
