"""Reads a CSV of tenants into rows, and says of each mistake where it is and what to write instead."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field

from tenants.models import Tenant, User

# The columns, each with the model field whose rules its values keep; a plan is looked up instead.
COLUMNS: dict[str, Field[Any, Any] | None] = {
    "slug": Tenant._meta.get_field("slug"),
    "name": Tenant._meta.get_field("name"),
    "plan": None,
    "owner": User._meta.get_field("email"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a tenant, the slug of its plan and its owner's address."""

    line: int
    slug: str
    name: str
    plan: str
    owner: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong on a line, and what to do about it."""

    line: int
    column: str
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column} “{self.value}”: {self.remedy}"


def read_rows(lines: Iterable[str], plans: Iterable[str]) -> tuple[list[Row], list[Mistake]]:
    """The rows of a CSV whose first line names the columns, in any order, and all mistakes in it.

    `plans` are the slugs there are. Rows with a mistake are left out.
    """
    reader = csv.reader(lines, strict=True)
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    known, first_lines = sorted(plans), dict[str, int]()
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        mistakes += _header_mistakes(header)
        for cells in [] if mistakes else reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                mistakes.append(_wrong_width(reader.line_num, cells, len(header)))
                continue
            row = _row(reader.line_num, dict(zip(header, cells, strict=True)))
            found = [*_mistakes_in(row, known, first_lines)]
            first_lines.setdefault(row.slug, row.line)
            mistakes += found
            rows += [] if found else [row]
    except csv.Error as error:
        mistakes.append(
            Mistake(reader.line_num, "text", str(error), "Close each quotation mark on its line.")
        )
    return rows, mistakes


def _row(line: int, cells: dict[str, str]) -> Row:
    values = {name: value.strip() for name, value in cells.items()}
    return Row(line, values["slug"], values["name"], values["plan"], values["owner"].lower())


def _header_mistakes(header: list[str]) -> Iterator[Mistake]:
    if set(header) != set(COLUMNS) or len(header) != len(COLUMNS):
        remedy = f"Begin the file with the line {','.join(COLUMNS)} and part columns by commas."
        yield Mistake(1, "header", ",".join(header), remedy)


def _wrong_width(line: int, cells: list[str], width: int) -> Mistake:
    remedy = f"It has {len(cells)} columns instead of {width}: put values that hold a comma in quotes."
    return Mistake(line, "row", ",".join(cells), remedy)


def _mistakes_in(row: Row, plans: list[str], first_lines: dict[str, int]) -> Iterator[Mistake]:
    for column, field in COLUMNS.items():
        value: str = getattr(row, column)
        try:
            if field is not None:
                field.clean(value, None)
        except ValidationError as error:
            yield Mistake(row.line, column, value, " ".join(error.messages))
    if row.plan not in plans:
        yield Mistake(row.line, "plan", row.plan, f"There is no such plan: use {', '.join(plans)}.")
    if row.slug in first_lines:
        remedy = f"It is on line {first_lines[row.slug]} already: keep one of them."
        yield Mistake(row.line, "slug", row.slug, remedy)
