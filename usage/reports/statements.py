"""A tenant's statements: the list, and one of them as it was issued, from nothing but its document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.documents import Document, LimitEntry
from billing.models import Allowance, Closing, Metric, Statement
from tenants.models import Tenant
from usage.reports import dates, keyset
from usage.reports.bill_lines import Line, amount_of, fee_line, usage_line
from usage.reports.money import money

SIZE = 24  # two years
BEYOND = {
    Allowance.Beyond.STOP.value: gettext_lazy("Stops at the limit"),
    Allowance.Beyond.BILL.value: gettext_lazy("Billed over"),
    Allowance.Beyond.NOTIFY.value: gettext_lazy("Notify only"),
}
NEWEST_FIRST: keyset.Order[Statement] = keyset.Order(
    salt="usage.statements",
    first="period",
    second="pk",
    is_second_descending=True,
    place=lambda row: [row.period.isoformat(), row.pk],
)


@dataclass(frozen=True, slots=True)
class Row:
    """One document in the list; `of` is the number of what an adjustment adjusts."""

    number: str
    of: str
    days: str
    total: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Statements:
    """One page of them, and when the next is due; none where there will be none."""

    rows: tuple[Row, ...]
    previous: str | None
    next: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """What the tenant could use of a metric."""

    name: str
    included: str
    limit: str
    rule: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A statement or an adjustment, in words."""

    statement: Statement
    document: Document
    days: str
    lines: tuple[Line, ...]
    limits: tuple[LimitRow, ...]
    total: str
    adjustments: tuple[Row, ...]

    @property
    def is_adjustment(self) -> bool:
        return self.statement.kind == Statement.Kind.ADJUSTMENT


def statements(tenant: Tenant, *, after: str) -> Statements:
    """A page of the tenant's statements and adjustments, newest period first."""
    rows = Statement.objects.filter(tenant=tenant).select_related("of").defer("document", "of__document")
    page = keyset.page(rows, NEWEST_FIRST, after=after, size=SIZE)
    due_at = Closing.objects.filter(tenant=tenant).values_list("due_at", flat=True).first()
    return Statements(tuple(_row(one) for one in page.rows), page.previous, page.next, due_at)


def paper(statement: Statement) -> Paper:
    """A statement as it is shown; one query, for its adjustments."""
    document: Document = statement.document
    currency = statement.currency
    adjustments = (
        Statement.objects.filter(of=statement).select_related("of").defer("document", "of__document")
    )
    fees = (fee_line(fee, currency) for fee in document["fees"])
    sign = statement.kind == Statement.Kind.ADJUSTMENT
    return Paper(
        statement=statement,
        document=document,
        days=_days(statement),
        lines=(*fees, *(usage_line(line, currency, is_signed=sign) for line in document["lines"])),
        limits=tuple(_limit(limit, document) for limit in document["limits"]),
        total=money(statement.total, currency),
        adjustments=tuple(_row(one) for one in adjustments.order_by("pk")),
    )


def _row(one: Statement) -> Row:
    of = one.of.number if one.of else ""
    return Row(one.number, of, _days(one), money(one.total, one.currency), one.issued_at)


def _days(one: Statement) -> str:
    return dates.days(one.period, one.until - timedelta(days=1))


def _limit(limit: LimitEntry, document: Document) -> LimitRow:
    is_priced = any(line["tiers"] for line in document["lines"] if line["metric"] == limit["metric"])
    is_free = limit["beyond"] == Allowance.Beyond.BILL and not is_priced
    metric = Metric(code=limit["metric"], name=limit["name"], unit=limit["unit"])
    return LimitRow(
        name=limit["name"],
        included=amount_of(metric, limit["included"], _("unlimited")),
        limit=amount_of(metric, limit["stop"], "–"),
        rule=_("Not charged over") if is_free else str(BEYOND.get(limit["beyond"], "")),
    )
