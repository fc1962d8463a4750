"""A statement for programs and spreadsheets: all of it as JSON, its lines as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.documents import Document, LineEntry
from billing.models import Statement
from usage.reports.sheets import Cell, as_csv

PLACES = Decimal("1.000000")  # of units where a fraction has no end; the JSON has them exact
HEAD = (
    "number",
    "kind",
    "adjusts",
    "tenant",
    "first_day",
    "last_day",
    "currency",
    "line",
    "name",
    "quantity",
    "included",
    "billable",
    "unit_price",
    "per",
    "whole_packages",
    "amount",
)


def statement_json(statement: Statement) -> dict[str, Any]:
    """Amounts and prices as decimal text, quantities in base units, a level's billable mean as an exact fraction."""
    document: Document = statement.document
    return {
        "number": statement.number,
        "kind": statement.kind,
        "of": statement.of.number if statement.of else None,
        "period": statement.period.isoformat(),
        "until": statement.until.isoformat(),
        "issued_at": f"{statement.issued_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "currency": statement.currency,
        "base_fee": f"{statement.base_fee:.2f}",
        "overage": f"{statement.overage:.2f}",
        "total": f"{statement.total:.2f}",
        **document,
    }


def statement_csv(statement: Statement) -> str:
    """A row for each fee and each tier of a metric; an amount is unit price × quantity or billable / per."""
    document: Document = statement.document
    about: list[Cell] = [
        statement.number,
        statement.kind,
        statement.of.number if statement.of else "",
        document["tenant"]["slug"],
        statement.period.isoformat(),
        (statement.until - timedelta(days=1)).isoformat(),
        statement.currency,
    ]
    total: list[Cell] = ["total", "", None, None, None, None, None, "", statement.total]
    return as_csv(HEAD, ([*about, *row] for row in [*bill_rows(document), total]))


def bill_rows(document: Document) -> Iterator[list[Cell]]:
    """Line, name, quantity, included, billable, unit price, per how many, whole packages, amount."""
    for fee in document["fees"]:
        price, amount = Decimal(fee["fee"]), Decimal(fee["amount"])
        yield ["base fee", fee["plan"], fee["days"], None, None, price, fee["of"], "", amount]
    for line in document["lines"]:
        yield from _usage(line)


def _usage(line: LineEntry) -> Iterator[list[Cell]]:
    """One row for each tier that something fell into, at least one; what was used stands in the first."""
    about: list[Cell] = [line["used"], line["included"]]
    if not line["tiers"]:
        yield [
            "usage",
            line["name"],
            *about,
            _units(line["billable"]),
            None,
            None,
            "",
            Decimal(line["amount"]),
        ]
    for tier in [one for one in line["tiers"] if Fraction(one["units"])] or line["tiers"][:1]:
        packages = "yes" if tier["rounds_up"] else "no"
        price, amount = Decimal(tier["price"]), Decimal(tier["amount"])
        yield ["usage", line["name"], *about, _units(tier["units"]), price, tier["per"], packages, amount]
        about = [None, None]


def _units(written: str) -> Cell:
    """As a decimal: exact where it has an end within six places."""
    units = Fraction(written)
    return (Decimal(units.numerator) / units.denominator).quantize(PLACES).normalize()
