"""Writes how a month's bills are divided: in its place while the month is open, as a new version once it was final."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from billing.costs.division import driver_words
from billing.models import Allocation, Closing, CostBill, CostLine, CostShare
from usage.costs.divided import Divided, divide
from usage.costs.months import Month
from usage.costs.moves import moved

# Statements that are not issued a day after they were due hold up no report.
PATIENCE = timedelta(days=1)


@transaction.atomic
def allocate_month(month: Month, at: datetime, *, reason: str = "") -> Allocation | None:
    """Divide the bills of `month` as they are at `at`; None where there is none.

    What is final stays as it is, unless one of its bills is another now, or with a `reason`: that makes a new
    version, which says what moved. Of two at once the second waits, and does it over; killed anywhere, nothing has
    changed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('costs'), %s)", [month.first.toordinal()])
    last = Allocation.objects.of(month.first).first()
    if last and last.is_final and not reason and not _has_other_bills(last):
        return last
    divided = divide(month, at)
    if divided is None:
        return None
    if last and not last.is_final:
        made = last
        _clear(made)
    else:
        made = _next_version(month, last, divided, reason)
    return _write(made, divided, month, at)


def is_settled(month: Month, at: datetime) -> bool:
    """Whether the month is over and all that it brings in is issued, or has waited long enough."""
    due = month.ends + settings.HEADROOM_CLOSE_GRACE
    if at < due:
        return False
    return at >= due + PATIENCE or not Closing.objects.filter(period__lt=month.until).exists()


def current_bills(month: Month) -> list[int]:
    """The ids of the month's bills that count."""
    return list(
        CostBill.objects.current().filter(month=month.first).order_by("pk").values_list("pk", flat=True)
    )


def _has_other_bills(allocation: Allocation) -> bool:
    return allocation.bills != current_bills(Month(allocation.month))


def _clear(allocation: Allocation) -> None:
    allocation.shares.all().delete()
    CostLine.objects.filter(allocation=allocation).delete()


def _next_version(month: Month, last: Allocation | None, divided: Divided, reason: str) -> Allocation:
    if last is None:
        return Allocation(month=month.first)
    return Allocation(
        month=month.first,
        version=last.version + 1,
        note=(reason or _why(last, divided))[:250],
        moved=moved(last, divided),
    )


def _why(last: Allocation, divided: Divided) -> str:
    """Which bills are others than before: “AWS is at version 2”."""
    new = CostBill.objects.filter(pk__in=set(divided.bills) - set(last.bills)).order_by("provider")
    return "; ".join(
        _("%(provider)s is at version %(version)d") % {"provider": bill.provider, "version": bill.version}
        for bill in new
    )


def _write(made: Allocation, divided: Divided, month: Month, at: datetime) -> Allocation:
    made.made_at, made.is_final = at, is_settled(month, at)
    made.bills, made.rules = divided.bills, divided.rules
    made.bill = money(sum(parts.amount for parts in divided.parts))
    made.to_tenants = money(sum(divided.to_tenants))
    made.shared = money(sum(parts.shared for parts in divided.parts))
    made.unallocated = money(sum(parts.unallocated for parts in divided.parts))
    made.revenue = money(sum(divided.revenue.values()))
    made.save()
    CostLine.objects.bulk_create(_lines(made, divided))
    CostShare.objects.copy_in(_shares(made, divided))
    return made


def _lines(made: Allocation, divided: Divided) -> Iterator[CostLine]:
    for number, (item, parts) in enumerate(zip(divided.items, divided.parts, strict=True)):
        yield CostLine(
            allocation=made,
            number=number,
            provider=item.provider,
            service=item.service,
            rule=item.rule.name if item.rule else "",
            driver=driver_words(item.rule),
            is_shared=item.is_shared,
            strangers=divided.strangers[number],
            to_tenants=money(divided.to_tenants[number]),
            shared=money(parts.shared),
            unallocated=money(parts.unallocated),
            amount=money(parts.amount),
        )


def _shares(made: Allocation, divided: Divided) -> Iterator[tuple[object, ...]]:
    for share in divided.shares():
        lines = {str(number): str(money(cents)) for number, cents in share.lines.items()}
        yield (
            made.pk,
            share.kind,
            share.tenant_id,
            money(share.revenue),
            money(share.cost),
            money(share.revenue - share.cost),
            json.dumps(lines),
        )


def money(cents: int) -> Decimal:
    """Whole cents as an amount with two decimals."""
    return Decimal(cents).scaleb(-2)
