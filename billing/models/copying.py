"""Adds many rows with COPY, several times as fast as INSERT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connections, models


def copy_in(
    rows: models.QuerySet[models.Model], columns: Sequence[str], values: Iterable[tuple[object, ...]]
) -> None:
    """Add to the table of `rows` the values of these columns; JSON as text. No defaults, no signals."""
    table = rows.model._meta.db_table
    with (
        connections[rows.db].cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for row in values:
            copy.write_row(row)
