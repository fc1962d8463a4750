"""The pages of imports: the bills there are, and what a file that waits would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor
from uuid import UUID

from django.conf import settings
from django.utils.dateformat import format as written
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.costs.bills import former_of
from billing.costs.summary import BillSum, from_json
from billing.models import WITHDRAWN, CostBill, PendingImport
from billing.pricing import rounded
from usage.reports import dates, keyset
from usage.reports.money import money

SIZE = 25
MOST_SERVICES = 20

NEWEST_FIRST: keyset.Order[CostBill] = keyset.Order(
    salt="usage.imports",
    first="imported_at",
    second="pk",
    is_second_descending=True,
    place=lambda bill: [bill.imported_at.isoformat(), bill.pk],
)


@dataclass(frozen=True, slots=True)
class Line:
    """One version of a provider's month as the list shows it."""

    id: int
    provider: str
    month: str
    version: int
    rows: int
    total: str
    source: str
    author: str
    at: datetime
    when: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Imports:
    """One page of the list."""

    lines: tuple[Line, ...]
    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service of a bill, its sum to the cent; the cents of all of them sum to the bill's."""

    service: str
    rows: int
    total: str


@dataclass(frozen=True, slots=True)
class BillPreview:
    """What a file would write of a provider and month, and what that replaces."""

    provider: str
    month: str
    period: str
    rows: int
    total: str
    services: tuple[ServiceLine, ...]
    replaces: str  # empty where there is none
    difference: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A file that waits for a yes; `same` says when these very bytes were imported before."""

    id: UUID
    name: str
    rows: int
    total: str
    bills: tuple[BillPreview, ...]
    unknown: tuple[str, ...]
    same: str
    by: str
    currency: str


def imports(*, after: str | None, at: datetime, size: int = SIZE) -> Imports:
    """A page of all versions of all bills, newest first; two queries at most."""
    page = keyset.page(CostBill.objects.select_related("author"), NEWEST_FIRST, after=after, size=size)
    return Imports(tuple(_line(bill, at) for bill in page.rows), page.previous, page.next)


def preview(pending: PendingImport, at: datetime) -> Preview:
    """What saying yes would do now: beside the bills that are current now, not when the file was sent."""
    summary = from_json(pending.summary)
    same = CostBill.objects.filter(sha256=pending.sha256).order_by("-imported_at").first()
    return Preview(
        id=pending.pk,
        name=pending.name,
        rows=summary.rows,
        total=money(sum((bill.total for bill in summary.bills), Decimal(0))),
        bills=tuple(_bill(bill) for bill in summary.bills),
        unknown=summary.unknown,
        same=f"{dates.when(same.imported_at, at)} {dates.zone_at(same.imported_at)}" if same else "",
        by=str(same.author or "") if same else "",
        currency=settings.HEADROOM_CURRENCY,
    )


def in_cents(parts: Sequence[Decimal]) -> list[Decimal]:
    """Parts to the cent so that they sum to their rounded sum: the largest remainders get the cents that are left."""
    floors = [floor(part * 100) for part in parts]
    left = int(rounded(sum(parts, Decimal(0))) * 100) - sum(floors)
    order = sorted(range(len(parts)), key=lambda place: floors[place] - parts[place] * 100)
    for place in order[:left]:
        floors[place] += 1
    return [Decimal(cents).scaleb(-2) for cents in floors]


def _line(bill: CostBill, at: datetime) -> Line:
    return Line(
        id=bill.pk,
        provider=bill.provider,
        month=written(bill.month, "M Y"),
        version=bill.version,
        rows=bill.rows,
        total=money(bill.total),
        source=_source(bill),
        author=str(bill.author or _("Command")),
        at=bill.imported_at,
        when=dates.when(bill.imported_at, at),
        is_current=bill.is_current,
    )


def _source(bill: CostBill) -> str:
    if bill.is_typed:
        return _("typed in")
    return _("withdrawn") if bill.source == WITHDRAWN else bill.source


def _bill(bill: BillSum) -> BillPreview:
    former = former_of(bill.provider, bill.month)
    return BillPreview(
        provider=bill.provider,
        month=written(bill.month, "F Y"),
        period=_period(bill),
        rows=bill.rows,
        total=money(bill.total),
        services=_services(bill),
        replaces=_replaces(former) if former else "",
        difference=_difference(bill.total - former.total) if former else "",
    )


def _period(bill: BillSum) -> str:
    """The days its charges are for; the end is exclusive."""
    last = max(bill.first, bill.last - timedelta(microseconds=1))
    return dates.days(bill.first.astimezone(UTC).date(), last.astimezone(UTC).date())


def _services(bill: BillSum) -> tuple[ServiceLine, ...]:
    """The dearest services, and the others in one line."""
    shown, others = bill.services[:MOST_SERVICES], bill.services[MOST_SERVICES:]
    lines = [(one.service, one.rows, one.total) for one in shown]
    if others:
        name = _("%(n)d other services") % {"n": len(others)}
        lines.append((name, sum(one.rows for one in others), sum((one.total for one in others), Decimal(0))))
    cents = in_cents([total for _name, _rows, total in lines])
    return tuple(
        ServiceLine(name, rows, money(sum_)) for (name, rows, _), sum_ in zip(lines, cents, strict=True)
    )


def _replaces(former: CostBill) -> str:
    words = {"version": former.version, "rows": f"{former.rows:,}", "total": money(former.total)}
    text = ngettext(
        "version %(version)d with %(rows)s row, %(total)s",
        "version %(version)d with %(rows)s rows, %(total)s",
        former.rows,
    )
    return text % words


def _difference(change: Decimal) -> str:
    """“+$12.00”, “−$0.05”, “no difference”; less than a cent is one all the same."""
    if not change:
        return _("no difference")
    if not rounded(change):
        return _("less than a cent")
    return f"+{money(change)}" if change > 0 else money(change)
