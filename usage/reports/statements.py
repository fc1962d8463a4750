"""A tenant's statements: the list, and one of them as it was issued, from nothing but its document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.documents import Document, FeeEntry, LimitEntry, LineEntry, TierEntry
from billing.models import Allowance, Closing, Metric, Statement
from billing.pricing import Tier, rounded
from tenants.models import Tenant
from usage import units
from usage.reports import dates, keyset
from usage.reports.money import money, price

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
class TierRow:
    """What fell into one tier of a price."""

    name: str
    billable: str
    price: str
    amount: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a plan's fee, or a metric with its tiers where it has several."""

    name: str
    note: str
    used: str
    included: str
    billable: str
    price: str
    amount: str
    tiers: tuple[TierRow, ...] = ()


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
    fees: tuple[Line, ...]
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
    sign = statement.kind == Statement.Kind.ADJUSTMENT
    return Paper(
        statement=statement,
        document=document,
        days=_days(statement),
        fees=tuple(_fee(fee, currency) for fee in document["fees"]),
        lines=tuple(_line(line, currency, is_signed=sign) for line in document["lines"]),
        limits=tuple(_limit(limit, document) for limit in document["limits"]),
        total=money(statement.total, currency),
        adjustments=tuple(_row(one) for one in adjustments.order_by("pk")),
    )


def _row(one: Statement) -> Row:
    of = one.of.number if one.of else ""
    return Row(one.number, of, _days(one), money(one.total, one.currency), one.issued_at)


def _days(one: Statement) -> str:
    return dates.days(one.period, one.until - timedelta(days=1))


def _fee(fee: FeeEntry, currency: str) -> Line:
    is_whole = fee["days"] == fee["of"]
    return Line(
        name=_("%(plan)s plan") % {"plan": fee["plan"]},
        note="" if is_whole else _("%(days)s of %(of)s days") % fee,
        used="",
        included="",
        billable="",
        price=money(Decimal(fee["fee"]), currency),
        amount=money(Decimal(fee["amount"]), currency),
    )


def _line(line: LineEntry, currency: str, *, is_signed: bool) -> Line:
    metric = Metric(code=line["metric"], name=line["name"], kind=line["kind"], unit=line["unit"])
    reached = [tier for tier in line["tiers"] if Fraction(tier["units"])]
    plus = "+" if is_signed else ""
    return Line(
        name=metric.name,
        note=_("mean over %(hours)s hours") % line if line["hours"] and line["tiers"] else "",
        used=_signed(units.number(metric, line["used"]), plus),
        included=_amount(metric, line["included"], _("unlimited")),
        billable=_signed(_billable(metric, line["billable"]), plus) if line["tiers"] else "",
        price=_price(metric, line["tiers"], currency),
        amount=money(Decimal(line["amount"]), currency),
        tiers=tuple(_tiers(metric, reached, currency)) if len(line["tiers"]) > 1 else (),
    )


def _tiers(metric: Metric, reached: list[TierEntry], currency: str) -> Iterator[TierRow]:
    for entry in reached:
        if entry["above"]:
            name = _("above %(units)s") % {"units": units.number(metric, entry["above"])}
        else:
            name = _("first %(units)s") % {"units": units.number(metric, entry["up_to"] or 0)}
        amount = money(Decimal(entry["amount"]), currency)
        yield TierRow(name, _billable(metric, entry["units"]), price(metric, _tier(entry), currency), amount)


def _price(metric: Metric, tiers: list[TierEntry], currency: str) -> str:
    if not tiers:
        return _("not charged")
    if len(tiers) > 1:
        return _("%(count)s tiers") % {"count": len(tiers)}
    return price(metric, _tier(tiers[0]), currency)


def _tier(entry: TierEntry) -> Tier:
    return Tier(entry["up_to"], Decimal(entry["price"]), entry["per"], entry["rounds_up"])


def _billable(metric: Metric, written: str) -> str:
    """Bytes in four figures, other units with two decimals where they are no whole ones; exact in CSV and JSON."""
    found = Fraction(written)
    if metric.unit == Metric.Unit.BYTES or found.denominator == 1:
        return units.number(metric, int(found))
    return f"{rounded(found):,}".replace("-", "−")


def _signed(text: str, plus: str) -> str:
    return text if text.startswith("−") else f"{plus}{text}"


def _limit(limit: LimitEntry, document: Document) -> LimitRow:
    is_priced = any(line["tiers"] for line in document["lines"] if line["metric"] == limit["metric"])
    is_free = limit["beyond"] == Allowance.Beyond.BILL and not is_priced
    metric = Metric(code=limit["metric"], name=limit["name"], unit=limit["unit"])
    return LimitRow(
        name=limit["name"],
        included=_amount(metric, limit["included"], _("unlimited")),
        limit=_amount(metric, limit["stop"], "–"),
        rule=_("Not charged over") if is_free else str(BEYOND.get(limit["beyond"], "")),
    )


def _amount(metric: Metric, known: int | None, none: str) -> str:
    return none if known is None else units.number(metric, known)
