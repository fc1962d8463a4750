"""What changed what a tenant may do, from each place that knows some of it; newest first, before a mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import EntitlementChange, Metric, Override, Subscription
from billing.periods import Period, period_at, period_before
from tenants.audit import sentence
from tenants.models import AuditEntry, Tenant, User
from usage.models import Alert, Delivery
from usage.reports import dates
from usage.reports.alerts import CHANNELS, STAFF_INBOX, code_of, text_of

# One line for each metric and day: the last hour stands for it, the first is in its text.
REFUSALS = """
SELECT max(hour), metric_id, min(hour), sum(refused)::bigint FROM usage_refusalhour
WHERE tenant_id = %(tenant)s AND hour <= %(at)s
GROUP BY (hour AT TIME ZONE 'UTC')::date, metric_id
HAVING (max(hour), metric_id) < (%(at)s, %(id)s)
ORDER BY 1 DESC, 2 DESC LIMIT %(size)s
"""
BEHIND = "~"  # after every id, as text
LARGEST = UUID(int=2**128 - 1)


class Mark(NamedTuple):
    """A place in the timeline, which falls from mark to mark: time, source, and the row's id there, as text."""

    at: datetime
    source: int
    id: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; `code` is the state it is drawn as, else `icon` stands for it."""

    mark: Mark
    text: str
    code: str = ""
    icon: str = "cal"
    actor: User | None = None
    reason: str = ""


class Before(NamedTuple):
    """What is before a mark in one source: earlier, or at the same time and of a smaller id."""

    at: datetime
    id: str
    source: int

    @property
    def number(self) -> int:
        """The id where ids are numbers."""
        return int(self.id) if self.id.isdecimal() else 2**62 if self.id == BEHIND else -1

    @property
    def uuid(self) -> UUID:
        """The same for ids that are not."""
        return UUID(self.id) if len(self.id) > 1 else LARGEST if self.id == BEHIND else UUID(int=0)

    def mark(self, at: datetime, number: int) -> Mark:
        return Mark(at, self.source, f"{number:020}")

    def newest(
        self, rows: QuerySet[Any], column: str, size: int, *, last: int | UUID | None = None
    ) -> Sequence[Any]:
        """The newest rows before the mark; `last` is the id to stay below where it is no number."""
        same = Q(**{column: self.at, "pk__lt": self.number if last is None else last})
        return list(rows.filter(Q(**{f"{column}__lt": self.at}) | same).order_by(f"-{column}", "-pk")[:size])


def happenings(tenant: Tenant, before: Mark, size: int) -> list[Happening]:
    """The newest `size` before a mark, over all sources; one query for each."""
    found: list[Happening] = []
    for number, source in enumerate(SOURCES):
        beside = before.id if number == before.source else BEHIND if number < before.source else ""
        found += source(tenant, Before(before.at, beside, number), size)
    return sorted(found, key=lambda one: one.mark, reverse=True)[:size]


def _changes(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    rows = EntitlementChange.objects.filter(tenant=tenant).select_related("actor")
    for row in before.newest(rows, "at", size):
        mark = before.mark(row.at, row.pk)
        yield Happening(mark, row.get_kind_display(), actor=row.actor, reason=row.reason)


def _plans_begun(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    """Those that were scheduled; a plan that acts at once is told by its change."""
    told = EntitlementChange.objects.filter(tenant=tenant, at=OuterRef("starts"))
    rows = Subscription.objects.filter(~Exists(told), tenant=tenant).select_related("plan", "author")
    for row in before.newest(rows, "starts", size):
        text = _("%(plan)s began") % {"plan": row.plan.name}
        yield Happening(before.mark(row.starts, row.pk), text, actor=row.author, reason=row.reason)


def _plans_ended(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    """Those that nothing followed: the default plan holds."""
    told = EntitlementChange.objects.filter(tenant=tenant, at=OuterRef("ends"))
    next_one = Subscription.objects.filter(tenant=tenant, starts=OuterRef("ends"))
    rows = Subscription.objects.filter(~Exists(told), ~Exists(next_one), tenant=tenant, ends__isnull=False)
    for row in before.newest(rows.select_related("plan", "ended_by"), "ends", size):
        text = _("%(plan)s ended") % {"plan": row.plan.name}
        yield Happening(before.mark(row.ends, row.pk), text, actor=row.ended_by, reason=row.end_reason)


def _overrides_ended(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    rows = Override.objects.filter(tenant=tenant, ends__isnull=False).select_related("metric", "author")
    for row in before.newest(rows, "ends", size):
        text = _("%(metric)s: an override ended") % {"metric": row.metric.name}
        yield Happening(before.mark(row.ends, row.pk), text, actor=row.author, reason=row.reason)


def _status(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    """Suspended, closed, opened again, or given another day on which periods begin."""
    kind = ContentType.objects.get_for_model(Tenant)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(tenant.pk), action_flag=CHANGE)
    told = Q(change_message__startswith="Now ") | Q(change_message__iregex="status|anchor")
    for row in before.newest(rows.filter(told).select_related("user"), "action_time", size):
        mark = before.mark(row.action_time, row.pk)
        yield Happening(mark, _("Organisation changed"), actor=row.user, reason=row.get_change_message())


def _alerts(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    rows = Alert.objects.filter(tenant=tenant).select_related("metric")
    for row in before.newest(rows, "at", size):
        reason = "" if row.is_sent else _("Not told: it was no news.")
        yield Happening(before.mark(row.at, row.pk), text_of(row), code=code_of(row), reason=reason)


def _failed_deliveries(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    rows = Delivery.objects.filter(tenant=tenant, status=Delivery.Status.DEAD, ended_at__isnull=False)
    for row in before.newest(rows.exclude(channel=STAFF_INBOX), "ended_at", size, last=before.uuid):
        names = {"channel": CHANNELS.get(row.channel, row.channel), "target": row.target}
        text = _("Could not be told by %(channel)s: %(target)s") % names
        yield Happening(Mark(row.ended_at, before.source, str(row.pk)), text, icon="send", reason=row.error)


def _audited(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    """What people did to the tenant's members, keys and name."""
    rows = AuditEntry.objects.of_its_people().filter(tenant=tenant).select_related("actor")
    for row in before.newest(rows, "at", size):
        icon = "key" if row.is_of_key else "m-users"
        yield Happening(before.mark(row.at, row.pk), sentence(row), icon=icon, actor=row.actor)


def _refusals(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    names = dict(Metric.objects.values_list("pk", "name"))
    with connection.cursor() as cursor:
        values: dict[str, int | datetime] = {
            "tenant": tenant.pk,
            "at": before.at,
            "id": before.number,
            "size": size,
        }
        cursor.execute(REFUSALS, values)
        for last, metric, first, refused in cursor.fetchall():
            text = ngettext(
                "%(metric)s: %(n)s request refused", "%(metric)s: %(n)s requests refused", refused
            )
            hours = (
                _("In the hour from %(last)s")
                if first == last
                else _("From %(first)s to the hour from %(last)s")
            )
            yield Happening(
                before.mark(last, metric),
                text % {"metric": names[metric], "n": f"{refused:,}"},
                code="full",
                reason=hours % {"first": _hour(first), "last": dates.minute(last)},
            )


def _hour(at: datetime) -> str:
    return f"{localtime(at):%H:%M}"


def _resets(tenant: Tenant, before: Before, size: int) -> Iterator[Happening]:
    periods = takewhile(lambda one: one.starts > tenant.created_at, _periods_back(tenant, before.at))
    for period, _number in zip(periods, range(size + 1), strict=False):
        mark = before.mark(period.starts, 0)
        if (mark.at, mark.id) < (before.at, before.id):
            yield Happening(mark, _("Counts started anew"), icon="retry", reason=_("A new period began"))


def _periods_back(tenant: Tenant, at: datetime) -> Iterator[Period]:
    period = period_at(tenant, at)
    while True:
        yield period
        period = period_before(tenant, period)


Source = Callable[[Tenant, Before, int], Iterator[Happening]]
SOURCES: tuple[Source, ...] = (
    _resets,
    _alerts,
    _refusals,
    _failed_deliveries,
    _overrides_ended,
    _status,
    _audited,
    _changes,
    _plans_begun,
    _plans_ended,
)
