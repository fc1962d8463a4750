"""The audit page: everything that people did, newest first, narrowed by tenant, person, kind and days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from tenants.audit import Action, sentence
from tenants.models import AuditEntry, Tenant, User
from usage.reports import keyset
from usage.reports.acts import Act, act
from usage.reports.document import moment
from usage.reports.sheets import Cell, csv_lines

SIZE = 50
HEAD = ("at", "who", "act", "text", "tenant", "network")
NAMES = {
    Action.VIEWED: gettext_lazy("Page opened as staff"),
    Action.ENTITLED: gettext_lazy("Limits changed"),
    Action.ENTITLED_MANY: gettext_lazy("Limits of many changed"),
    Action.ADDED: gettext_lazy("Added in the admin"),
    Action.CHANGED: gettext_lazy("Changed in the admin"),
    Action.DELETED: gettext_lazy("Deleted in the admin"),
    Action.KEY_CREATED: gettext_lazy("Key created"),
    Action.KEY_ROTATED: gettext_lazy("Key replaced"),
    Action.KEY_REVOKED: gettext_lazy("Key revoked"),
    Action.INVITED: gettext_lazy("Member invited"),
    Action.INVITED_AGAIN: gettext_lazy("Invitation sent again"),
    Action.WITHDRAWN: gettext_lazy("Invitation withdrawn"),
    Action.JOINED: gettext_lazy("Member joined"),
    Action.ROLE_CHANGED: gettext_lazy("Role changed"),
    Action.REMOVED: gettext_lazy("Member removed"),
    Action.LEFT: gettext_lazy("Member left"),
    Action.RENAMED: gettext_lazy("Name changed"),
}
NEWEST_FIRST: keyset.Order[AuditEntry] = keyset.Order(
    salt="usage.audit",
    first="at",
    second="pk",
    is_second_descending=True,
    place=lambda entry: [entry.at.isoformat(), entry.pk],
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Filters; none of them lets everything through. Acts of [since, until)."""

    tenant: Tenant | None = None
    person: User | None = None
    kind: Action | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """One page of acts, and the cursors of the pages before and after."""

    acts: tuple[Act, ...]
    previous: str | None
    next: str | None


NOTHING = Audit((), None, None)


def audit(asked: Asked, *, after: str = "", at: datetime, size: int = SIZE) -> Audit:
    """A page of what was asked for; `after` is another page's cursor. One query."""
    page = keyset.page(_rows(asked), NEWEST_FIRST, after=after, size=size)
    return Audit(tuple(act(entry, at) for entry in page.rows), page.previous, page.next)


def audit_csv(asked: Asked) -> Iterator[str]:
    """All of what was asked for, line by line, newest first."""
    rows = _rows(asked).order_by("-at", "-pk").iterator(chunk_size=2000)
    return csv_lines(HEAD, (_cells(entry) for entry in rows))


def _rows(asked: Asked) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.select_related("actor", "tenant")
    wanted = {
        "tenant": asked.tenant,
        "actor": asked.person,
        "action": asked.kind,
        "at__gte": asked.since,
        "at__lt": asked.until,
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def _cells(entry: AuditEntry) -> list[Cell]:
    who = entry.actor.email if entry.actor else ""
    tenant = entry.tenant.slug if entry.tenant else ""
    return [
        moment(entry.at),
        who,
        entry.action,
        sentence(entry),
        tenant,
        entry.detail.get("network", ""),
    ]
