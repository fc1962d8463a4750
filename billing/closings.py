"""Which period of each tenant is to be issued next, and from when on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time
from itertools import islice

from django.conf import settings
from django.db import transaction

from billing.models import Closing, Statement
from billing.periods import Period, period_after, period_at
from tenants.models import Tenant

CHUNK = 1_000


def plan_closings(at: datetime) -> None:
    """Give every tenant that has none its next period, and see whose will be the last.

    A new tenant begins with the period it was made in, one that was closed and came back with the present one.
    """
    rest = Tenant.objects.open().filter(closing=None).order_by("pk").iterator(chunk_size=CHUNK)
    while tenants := list(islice(rest, CHUNK)):
        _plan(tenants, at)
    _see_closed(at)
    Closing.objects.exclude(last=None).exclude(tenant__status=Tenant.Status.CLOSED).update(last=None)


def statuses_changed(tenants: Sequence[Tenant], at: datetime) -> None:
    """The present period is the last of who was closed at `at`; who came back goes on.

    Call it in the transaction that changed them.
    """
    closed = [one for one in tenants if one.is_closed]
    _plan(closed, at)
    for one in closed:
        Closing.objects.filter(pk=one.pk).update(last=period_at(one, at).first)
    Closing.objects.filter(pk__in=[one.pk for one in tenants if not one.is_closed]).update(last=None)


def period_of(one: Closing) -> Period:
    """The period that is to be issued."""
    return period_at(one.tenant, datetime.combine(one.period, time(), UTC))


def move_on(closings: Collection[Closing]) -> None:
    """These are issued: the next periods come; none for who was closed in this one.

    Call it in the transaction that issued them.
    """
    ended = [one for one in closings if one.last is not None and one.last <= one.period]
    Closing.objects.filter(pk__in=[one.pk for one in ended]).delete()
    rest = [one for one in closings if one not in ended]
    for one in rest:
        following = closing(one.tenant, period_after(one.tenant, period_of(one)))
        one.period, one.due_at = following.period, following.due_at
    Closing.objects.bulk_create(
        rest, update_conflicts=True, unique_fields=["tenant"], update_fields=["period", "due_at"]
    )


def closing(tenant: Tenant, period: Period) -> Closing:
    """The row that lets `period` be issued after its end and the grace, not saved."""
    return Closing(tenant=tenant, period=period.first, due_at=period.ends + settings.HEADROOM_CLOSE_GRACE)


def _plan(tenants: Sequence[Tenant], at: datetime) -> None:
    billed = set(Statement.objects.filter(tenant__in=tenants).values_list("tenant_id", flat=True))
    Closing.objects.bulk_create(
        [closing(one, period_at(one, at if one.pk in billed else one.created_at)) for one in tenants],
        ignore_conflicts=True,  # some may have theirs, or another worker was first
    )


@transaction.atomic
def _see_closed(at: datetime) -> None:
    """Who was closed without a word, but by now: in the present period, as this is looked at every minute."""
    found = Closing.objects.filter(tenant__status=Tenant.Status.CLOSED, last=None).select_related("tenant")
    rows = list(found.select_for_update(of=("self",), skip_locked=True))
    for one in rows:
        one.last = period_at(one.tenant, at).first
    Closing.objects.bulk_update(rows, ["last"])
