"""Which months' costs are to be divided anew: of new bills and rules at once, of open months now and then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.db import connection, transaction

from billing.costs.rules import last_changes
from billing.models import Allocation, CostBill
from usage.costs.allocate import allocate_month, is_settled
from usage.costs.months import Month
from usage.heartbeats import beats

EVERY = timedelta(minutes=15)


@beats
def allocate_costs(at: datetime) -> int:
    """Divide what is due; returns how many months.

    What is due is seen from what was divided last, so nothing is lost where this dies or nobody rings. A month that
    another is at is left to it.
    """
    return sum(_allocate(month, at) for month in list(due(at)))


def due(at: datetime) -> Iterator[Month]:
    """Months whose bills are others than those divided, and open ones that are to be looked at again."""
    changes = last_changes()
    newest = {one.month: one for one in Allocation.objects.order_by("version")}
    for first, bills in _current().items():
        month, last = Month(first), newest.get(first)
        if last is None or last.bills != bills or (not last.is_final and _is_old(last, changes, month, at)):
            yield month


def _is_old(last: Allocation, changes: list[int], month: Month, at: datetime) -> bool:
    return last.rules != changes or last.made_at <= at - EVERY or is_settled(month, at)


def _current() -> dict[date, list[int]]:
    """The ids of all bills that count, by month, the oldest first."""
    found: dict[date, list[int]] = {}
    rows = CostBill.objects.current().order_by("month", "pk").values_list("month", "pk")
    for month, bill in rows:
        found.setdefault(month, []).append(bill)
    return found


@transaction.atomic
def _allocate(month: Month, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('costs'), %s)", [month.first.toordinal()])
        if not cursor.fetchone()[0]:
            return False
    # Another may have been at it since this month was found to be due.
    if month not in due(at):
        return False
    return allocate_month(month, at) is not None
