"""Tables as CSV (RFC 4180, UTF-8) that a spreadsheet takes for text and numbers, never for formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO

Cell = str | int | Decimal | None
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The whole table; texts that a spreadsheet would calculate are marked as text, numbers are as they are."""
    written = StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return written.getvalue()


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(DANGEROUS):
        return f"'{cell}"
    return f"{cell:f}" if isinstance(cell, Decimal) else cell
