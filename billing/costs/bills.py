"""Writes bills: each import of a provider's month is a new version that replaces the former, all or nothing."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from billing.focus import Charge, Reading
from billing.focus_cells import EXACT
from billing.models import TYPED_IN, WITHDRAWN, CostBill, CostRow
from tenants.models import User

CHUNK = 2_000  # rows in memory at once


class TypedRow(NamedTuple):
    """A row as people type it: it is for the whole month."""

    service: str
    amount: Decimal
    category: str = "Usage"
    sub_account: str = ""


def spelled(provider: str) -> str:
    """A provider's name as its bills have it, whatever the case it is written in; else as it is."""
    written = " ".join(provider.split())
    known = (
        CostBill.objects.filter(provider__iexact=written).order_by("pk").values_list("provider", flat=True)
    )
    return known.first() or written


def former_of(provider: str, month: date) -> CostBill | None:
    """The bill that an import of this provider's month replaces."""
    return CostBill.objects.current().of(spelled(provider), month).first()


@transaction.atomic
def import_bill(reading: Reading, *, source: str, author: User | None, at: datetime) -> list[CostBill]:
    """Import all of a file: one bill per provider and month in it, each now the current one.

    Raises Refused where the file has a mistake; then, and wherever it is killed, nothing has changed. Of two imports
    at once the second waits for the first.
    """
    CostBill.objects.alone()
    books = _Books(source, author, at)
    books.add(reading)
    reading.check()
    return books.close(reading.sha256)


@transaction.atomic
def type_bill(
    provider: str, month: date, rows: Sequence[TypedRow], *, author: User | None, at: datetime
) -> CostBill:
    """Write a bill that somebody typed; of none it becomes one of 0."""
    CostBill.objects.alone()
    books = _Books(TYPED_IN, author, at)
    books.open(provider, month)
    books.add(_charge(number, provider, month, row) for number, row in enumerate(rows, 1))
    return books.close("")[0]


@transaction.atomic
def withdraw(bill: CostBill, *, author: User | None, at: datetime) -> CostBill:
    """Take a provider's month back: its new version has no rows, until it is imported again."""
    CostBill.objects.alone()
    books = _Books(WITHDRAWN, author, at)
    books.open(bill.provider, bill.month)
    return books.close("")[0]


@dataclass(slots=True)
class _Sum:
    bill: CostBill
    rows: int = 0
    total: Decimal = Decimal(0)


class _Books:
    """The new versions that an import makes, each opened by its first row."""

    def __init__(self, source: str, author: User | None, at: datetime) -> None:
        self._source, self._author, self._at = source, author, at
        self._names: dict[str, str] = {}
        self._sums: dict[tuple[str, date], _Sum] = {}

    def open(self, provider: str, month: date) -> _Sum:
        """The version that is being made of a provider's month."""
        name = self._names.get(provider) or self._names.setdefault(provider, spelled(provider))
        made = self._sums.get((name, month))
        if made is None:
            made = self._sums[name, month] = _Sum(self._next_version(name, month))
        return made

    def add(self, charges: Iterable[Charge]) -> None:
        """Write charges, so many at a time that memory does not grow with the bill."""
        rest = iter(charges)
        while chunk := list(islice(rest, CHUNK)):
            # Opened before the rows are copied: meanwhile the connection takes no other statement.
            sums = [self.open(charge.provider, charge.month) for charge in chunk]
            CostRow.objects.copy_in(self._counted(sums, chunk))

    def close(self, sha256: str) -> list[CostBill]:
        """Make the new versions current; the former keep their headers alone."""
        for made in self._sums.values():
            bill = made.bill
            former = CostBill.objects.of(bill.provider, bill.month).exclude(pk=bill.pk)
            CostRow.objects.filter(bill__in=former).delete()
            former.current().update(is_current=False)
            bill.rows, bill.total, bill.sha256, bill.is_current = made.rows, made.total, sha256, True
            bill.save(update_fields=["rows", "total", "sha256", "is_current"])
        return [made.bill for made in self._sums.values()]

    def _next_version(self, provider: str, month: date) -> CostBill:
        last = CostBill.objects.of(provider, month).aggregate(last=Max("version"))["last"] or 0
        return CostBill.objects.create(
            provider=provider,
            month=month,
            version=last + 1,
            currency=settings.HEADROOM_CURRENCY,
            source=self._source,
            imported_at=self._at,
            author=self._author,
        )

    @staticmethod
    def _counted(sums: list[_Sum], charges: list[Charge]) -> Iterator[tuple[object, ...]]:
        for made, charge in zip(sums, charges, strict=True):
            made.rows += 1
            made.total = EXACT.add(made.total, charge.amount)
            line, _provider, _month, *values = charge
            yield made.bill.pk, line, *values


def _charge(number: int, provider: str, month: date, row: TypedRow) -> Charge:
    starts = datetime(month.year, month.month, 1, tzinfo=UTC)
    days = calendar.monthrange(month.year, month.month)[1]
    return Charge(
        number,
        provider,
        month,
        row.service,
        row.category,
        row.sub_account,
        "{}",
        row.amount,
        starts,
        starts + timedelta(days=days),
    )
