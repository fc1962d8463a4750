"""The delivery log: what was sent where, what came of it, and when it is tried again; newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from tenants.models import Tenant
from usage.alerts.outbox import SCHEDULE
from usage.models import Alert, Delivery, Endpoint
from usage.reports import dates, keyset
from usage.reports.meters import Look

SIZE = 25
MOST_TROUBLED = 10
SHORT = 32  # characters of a reason that fit into a state
CHANNELS = {
    "email": (gettext_lazy("Email"), "mail"),
    "slack": (gettext_lazy("Slack"), "chat"),
    "webhook": (gettext_lazy("Webhook"), "hook"),
    "inbox": (gettext_lazy("Inbox"), "bell"),
}
SENT, WAITING, DEAD = Delivery.Status.SENT, Delivery.Status.WAITING, Delivery.Status.DEAD
FAILED = Q(status=DEAD) | Q(status=WAITING, attempts__gt=0) & ~Q(error="")
STATES = {
    "failed": (pgettext_lazy("deliveries", "Failed"), FAILED),
    "waiting": (pgettext_lazy("deliveries", "Waiting"), Q(status=WAITING)),
    "dead": (pgettext_lazy("deliveries", "Given up"), Q(status=DEAD)),
    "sent": (pgettext_lazy("deliveries", "Delivered"), Q(status=SENT)),
}
NEWEST_FIRST: keyset.Order[Delivery] = keyset.Order(
    salt="usage.deliveries",
    first="created_at",
    second="pk",
    is_second_descending=True,
    place=lambda row: [row.created_at.isoformat(), str(row.pk)],
)


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery as the log shows it; `tenant` and `slug` are whose alert it is, empty for operations' own."""

    id: UUID
    at: datetime
    when: str
    what: str
    tenant: str
    slug: str
    channel: str
    icon: str
    target: str
    attempt: str
    state: Look
    detail: str  # what does not fit into the state
    next: str
    took: str
    can_retry: bool


@dataclass(frozen=True, slots=True)
class Troubled:
    """A channel that fails or is disabled."""

    what: str
    tenant: str
    slug: str
    state: Look
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Log:
    """One page of it, the filters it was asked with, and what they may be."""

    lines: tuple[Line, ...]
    previous: str | None
    next: str | None
    channel: str
    status: str
    tenant: str = ""  # the slug of the one whose deliveries these are; empty for everybody's

    @property
    def channels(self) -> list[tuple[str, str]]:
        return [(code, str(name)) for code, (name, _icon) in CHANNELS.items()]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(code, str(name)) for code, (name, _rows) in STATES.items()]

    @property
    def address(self) -> str:
        """The query of this log's first page."""
        return self._address(None)

    @property
    def previous_address(self) -> str:
        return self._address(self.previous)

    @property
    def next_address(self) -> str:
        return self._address(self.next)

    @property
    def can_retry(self) -> bool:
        return any(line.can_retry for line in self.lines)

    def _address(self, after: str | None) -> str:
        asked = {"tenant": self.tenant, "channel": self.channel, "status": self.status, "after": after}
        return f"?{urlencode({name: value for name, value in asked.items() if value})}"


def tenant_log(tenant: Tenant, *, channel: str, status: str, after: str, at: datetime) -> Log:
    """The tenant's own deliveries; what operations were told is not among them."""
    return _log(Delivery.objects.filter(tenant=tenant), channel, status, after, at)


def staff_log(*, tenant: str = "", channel: str, status: str, after: str, at: datetime) -> Log:
    """Everybody's deliveries, or those of the tenant of this slug; a slug that names none has none."""
    # By its id, not by a join: else everybody's are read until enough of this tenant's are found.
    of = Tenant.objects.filter(slug=tenant).values("pk")[:1]
    rows = Delivery.objects.filter(tenant=Subquery(of)) if tenant else Delivery.objects.all()
    return replace(_log(rows, channel, status, after, at), tenant=tenant)


def troubled(at: datetime) -> list[Troubled]:
    """Channels that take no messages now, the longest first, at most so many as fit above a page."""
    rows = Endpoint.objects.exclude(state=Endpoint.State.WORKING).select_related("tenant")
    return [
        Troubled(
            str(row),
            row.tenant.name if row.tenant else _("Operations"),
            row.tenant.slug if row.tenant else "",
            Look("full", row.get_state_display()),
            row.reason,
            dates.when(row.since, at),
        )
        for row in rows.order_by("since", "pk")[:MOST_TROUBLED]
    ]


def _log(rows: QuerySet[Delivery], channel: str, status: str, after: str, at: datetime) -> Log:
    channel, status = channel if channel in CHANNELS else "", status if status in STATES else ""
    if channel:
        rows = rows.filter(channel=channel)
    if status:
        # Said twice, so that the small index of what did not arrive serves all of these but “delivered”.
        rows = rows.filter(STATES[status][1], Q() if status == "sent" else ~Q(status=SENT))
    rows = rows.select_related("tenant", "alert__tenant", "alert__metric", "endpoint__tenant", "statement")
    rows = rows.defer("statement__document")
    page = keyset.page(rows, NEWEST_FIRST, after=after, size=SIZE)
    lines = tuple(_line(row, at) for row in page.rows)
    return Log(lines, page.previous, page.next, channel, status)


def _line(row: Delivery, at: datetime) -> Line:
    name, icon = CHANNELS.get(row.channel, (row.channel, "send"))
    tenant = _tenant(row)
    is_late = row.status == WAITING and row.attempts > 0
    is_postponed = row.status == WAITING and row.due_at > at and (row.error or not row.attempts)
    return Line(
        id=row.pk,
        at=row.created_at,
        when=dates.when(row.created_at, at),
        what=_what(row),
        tenant=tenant.name if tenant else _("Operations"),
        slug=tenant.slug if tenant else "",
        channel=str(name),
        icon=icon,
        target=_masked(row.target),
        attempt=_("%(n)s of %(most)s") % {"n": row.attempts, "most": len(SCHEDULE)} if row.attempts else "–",
        state=_state(row),
        detail=row.error if len(row.error) > SHORT else "",
        next=_("next %(time)s") % {"time": dates.when(row.due_at, at)} if is_postponed else "",
        took="–" if row.took_ms is None else f"{row.took_ms:,} ms",
        can_retry=row.status == DEAD or (is_late and row.endpoint_id is not None),
    )


def _tenant(row: Delivery) -> Tenant | None:
    if row.tenant is not None:
        return row.tenant
    about = row.alert or row.endpoint
    return about.tenant if about else None


def _what(row: Delivery) -> str:
    if row.statement is not None:
        return f"{row.statement.get_kind_display()} {row.statement}"
    if row.alert is None:
        return str(row.get_kind_display())
    name = row.alert.metric.name if row.alert.metric else str(row.alert.get_kind_display())
    names = {"metric": name, "percent": row.alert.percent}
    if row.alert.kind == Alert.Kind.REFUSED:
        return _("%(metric)s: first refusal") % names
    if row.alert.kind == Alert.Kind.BILLED:
        return _("%(metric)s over included") % names
    return _("%(metric)s at %(percent)s %%") % names


def _state(row: Delivery) -> Look:
    if row.status == SENT:
        return Look("ok", _("Delivered"))
    if row.error:
        return Look("full", row.error if len(row.error) <= SHORT else _("Failed"))
    return Look("near", _("Being sent") if row.attempts else _("Waiting"))


def _masked(target: str) -> str:
    """“m…@northwind.example”; what is no mailbox as it is."""
    name, at, domain = target.partition("@")
    return f"{name[:1]}…@{domain}" if at else target
