"""Writes down who did what, in the transaction that does it, and says it in a sentence."""

from __future__ import annotations

from datetime import datetime

from tenants.models import AuditEntry, Membership, Tenant, User

Action = AuditEntry.Action
ROLES = ("role", "before")  # words of a sentence that may name a role


def record(
    tenant: Tenant | int | None, action: Action, *, actor: User | None, at: datetime, **detail: str
) -> None:
    """Keep that `actor` (none: it happened by itself) did `action`; `detail` are the words of its sentence.

    `tenant` may be its id. `network` among the words is where the act came from, as far as that is known.
    """
    of = tenant.pk if isinstance(tenant, Tenant) else tenant
    AuditEntry.objects.create(tenant_id=of, action=action, actor=actor, at=at, detail=detail)


def sentence(entry: AuditEntry) -> str:
    """“ann@acme.example was invited as Viewer”, in the reader's language."""
    words = {name: _word(name, value) for name, value in entry.detail.items()}
    return str(Action(entry.action).label) % words


def _word(name: str, value: str) -> str:
    if name in ROLES and value in Membership.Role.values:
        return str(Membership.Role(value).label)
    return value
