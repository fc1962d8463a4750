"""Tables as CSV (RFC 4180, UTF-8) that a spreadsheet takes for text and numbers, never for formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from io import StringIO
from itertools import chain

Cell = str | int | Decimal | None
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The whole table; texts that a spreadsheet would calculate are marked as text, numbers are as they are."""
    return "".join(csv_lines(head, rows))


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The same line by line, for tables that are too long to hold."""
    written = StringIO()
    writer = csv.writer(written)
    for row in chain([head], rows):
        writer.writerow([_safe(cell) for cell in row])
        yield written.getvalue()
        written.seek(0)
        written.truncate()


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(DANGEROUS):
        return f"'{cell}"
    return f"{cell:f}" if isinstance(cell, Decimal) else cell
