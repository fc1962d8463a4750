"""What tenants bring in during a calendar month: of their periods the days that lie in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import islice

from django.db.models import Sum

from billing.models import Statement
from billing.periods import Period, period_after, period_at
from billing.pricing import CENTS
from tenants.models import Tenant
from usage.costs.months import Month
from usage.money.bills import bills

CHUNK = 1_000

Totals = dict[tuple[int, date], Fraction]


def revenue(month: Month, at: datetime) -> dict[int, int]:
    """Cents that each tenant brings in in `month` as seen at `at`, by id; who brings in nothing is left out.

    Of each of its periods the share of days that lie in the month, of what was issued or, where nothing is yet, of
    what it costs so far. A period that has not begun brings in nothing yet.
    """
    found: dict[int, int] = {}
    tenants = Tenant.objects.filter(created_at__lt=month.ends).order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(tenants, CHUNK)):
        found.update(_of(chunk, month, at))
    return found


def _of(tenants: Sequence[Tenant], month: Month, at: datetime) -> dict[int, int]:
    wanted = [(tenant, period) for tenant in tenants for period in _periods(tenant, month, at)]
    totals = _issued(tenants, month)
    open_ones = [(tenant, period) for tenant, period in wanted if (tenant.pk, period.first) not in totals]
    for (pk, period), bill in bills(open_ones, at).items():
        totals[pk, period.first] = Fraction(bill.total)
    exact: dict[int, Fraction] = {}
    for tenant, period in wanted:
        days = (min(period.until, month.until) - max(period.first, month.first)).days
        share = totals[tenant.pk, period.first] * days / period.days
        exact[tenant.pk] = exact.get(tenant.pk, Fraction(0)) + share
    return {pk: cents for pk, amount in exact.items() if (cents := round(amount * CENTS))}


def _periods(tenant: Tenant, month: Month, at: datetime) -> Iterator[Period]:
    """The tenant's periods that reach into the month and have begun."""
    period = period_at(tenant, month.starts)
    while period.first < month.until and period.starts <= at:
        if period.ends > tenant.created_at:
            yield period
        period = period_after(tenant, period)


def _issued(tenants: Sequence[Tenant], month: Month) -> Totals:
    """What was issued, adjustments with it, by tenant id and the period's first day."""
    rows = (
        Statement.objects.filter(tenant__in=tenants, period__lt=month.until, until__gt=month.first)
        .order_by()
        .values_list("tenant_id", "period")
        .annotate(issued=Sum("total"))
    )
    return {(pk, first): Fraction(total) for pk, first, total in rows}
