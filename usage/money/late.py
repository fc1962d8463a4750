"""What came too late for its period's statement becomes an adjustment of it, at the statement's own prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime

from django.conf import settings
from django.db import connection, transaction

from billing.corrections import difference, rates_in
from billing.documents import Document
from billing.models import Closing, Metric, Statement
from billing.statements import adjustment, issue
from usage.alerts.issued import announce
from usage.money.bills import priced

MARKS = 500  # in one transaction

TAKE = """
DELETE FROM usage_lateuse WHERE id = ANY (ARRAY(
    SELECT id FROM usage_lateuse WHERE at <= %s ORDER BY tenant_id, period LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING tenant_id, period
"""
Key = tuple[int, date]  # tenant id, first day of the period


def adjust(at: datetime) -> int:
    """Price periods again of which hours were written late, a grace after that; returns how many adjustments it made.

    Any number of these may run at once, and die anywhere.
    """
    count = 0
    while (made := _adjust_some(at)) is not None:
        count += made
    return count


@transaction.atomic
def _adjust_some(at: datetime) -> int | None:
    """Adjust for some marks that nobody else is at; None where there are none left."""
    marked = _take(at)
    if not marked:
        return None
    originals = _originals(marked)
    made = issue(_drafts(originals, at)) if originals else []
    announce(made, at)
    return len(made)


def _take(at: datetime) -> set[Key]:
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [at - settings.HEADROOM_CLOSE_GRACE, MARKS])
        return set(cursor.fetchall())


def _originals(marked: Collection[Key]) -> list[Statement]:
    """The statements of these periods, locked: of two who adjust one of them the second sees what the first did.

    Who issues a statement holds the tenant's closing: it has committed before this goes on, or begins after it and
    sees what was late. So a statement that is not there yet will have everything.
    """
    tenants = {tenant for tenant, _ in marked}
    list(Closing.objects.filter(pk__in=tenants).order_by("pk").select_for_update().values_list("pk"))
    rows = Statement.objects.originals().filter(tenant__in=tenants, period__in={first for _, first in marked})
    rows = rows.select_related("tenant").select_for_update(of=("self",)).order_by("pk")
    return [one for one in rows if (one.tenant_id, one.period) in marked]


def _drafts(originals: Sequence[Statement], at: datetime) -> list[Statement]:
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    rates = [rates_in(one, one.tenant, metrics) for one in originals]
    costs, issued = priced(rates, at), _issued(originals)
    found = [
        (one, difference(rate, costs[rate.key], issued[one.pk]))
        for one, rate in zip(originals, rates, strict=True)
    ]
    return [adjustment(one, lines, at) for one, lines in found if lines]


def _issued(originals: Sequence[Statement]) -> dict[int, list[Document]]:
    """What each statement and its adjustments so far say."""
    documents: dict[int, list[Document]] = defaultdict(list)
    for one in (*originals, *Statement.objects.filter(of__in=originals)):
        documents[one.of_id or one.pk].append(one.document)
    return documents
