"""Hands PostgreSQL many values at once, as one array: an IN list or an adapted list costs ten times their writing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from django.db.models import BooleanField, F, Func, Value


def among(name: str, ids: Iterable[int]) -> Func:
    """A condition for `filter`: the field `name`, a key, is one of `ids`.

    Its text stays the same however many they are, and PostgreSQL looks them up in the index; where they come from a
    subquery it would rather read the whole table.
    """
    return Func(
        F(name),
        Value(array(ids)),
        template="%(expressions)s::bigint[])",
        arg_joiner=" = ANY (",
        output_field=BooleanField(),
    )


def columns(rows: Iterable[tuple[object, ...]]) -> list[str]:
    """The columns of `rows`, which must not be none, each as an array to unnest."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Iterable[object]) -> str:
    """Numbers, dates, times and texts as an array's literal, which the statement casts to the type it wants."""
    return f"{{{','.join([str(one) if one.__class__ is int else _element(one) for one in values])}}}"


@lru_cache(maxsize=10_000, typed=True)  # the same hours and days come again and again
def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
