"""Pages of a long list by the place of their first or last row, so that page 2 000 costs what page 1 does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Order(Generic[Row]):
    """An order by two columns: their names, which of them descend, and where a row stands in them, as JSON.

    `salt` keeps a cursor of one list from another.
    """

    salt: str
    first: str
    second: str
    is_second_descending: bool
    place: Callable[[Row], list[Any]]
    is_first_descending: bool = True


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in order, and the opaque cursors of the pages before and after; none where there is none."""

    rows: Sequence[Row]
    previous: str | None
    next: str | None


def page(rows: QuerySet[Row], order: Order[Row], *, after: str | None, size: int) -> Page[Row]:
    """The page of at most `size` rows that the cursor `after` names.

    The first one without a cursor, with one that is not ours, and where the cursor's rows are gone. One query,
    or two where it has to begin anew.
    """
    cursor = _read(order, after)
    if cursor is None:
        return _forward(rows, order, None, size)
    is_back, place = cursor
    found = _back(rows, order, place, size) if is_back else _forward(rows, order, place, size)
    return found if found and found.rows else _forward(rows, order, None, size)


def _forward(rows: QuerySet[Row], order: Order[Row], place: list[Any] | None, size: int) -> Page[Row]:
    found = _next(rows, order, place, is_back=False, most=size + 1)
    shown = found[:size]
    previous = _written(order, shown[0], is_back=True) if place is not None and shown else None
    return Page(shown, previous, _written(order, shown[-1], is_back=False) if len(found) > size else None)


def _back(rows: QuerySet[Row], order: Order[Row], place: list[Any], size: int) -> Page[Row] | None:
    """The page before; None where it would not be full: then it is the first."""
    found = _next(rows, order, place, is_back=True, most=size + 1)
    if len(found) < size:
        return None
    shown = found[:size][::-1]
    previous = _written(order, shown[0], is_back=True) if len(found) > size else None
    return Page(shown, previous, _written(order, shown[-1], is_back=False))


def _next(
    rows: QuerySet[Row], order: Order[Row], place: list[Any] | None, *, is_back: bool, most: int
) -> list[Row]:
    """The `most` rows that follow `place` in that direction, or are the first of all."""
    if place is not None:
        rows = rows.filter(_beyond(order, place, is_back=is_back))
    return list(rows.order_by(*_columns(order, is_back=is_back))[:most])


def _columns(order: Order[Row], *, is_back: bool) -> tuple[str, str]:
    first, second = ("-" if is_down != is_back else "" for is_down in _downs(order))
    return first + order.first, second + order.second


def _beyond(order: Order[Row], place: list[Any], *, is_back: bool) -> Q:
    """Rows on the far side of `place`; the first column bounds the index scan, the second parts equals."""
    first, second = place
    ahead, beside = ("lt" if is_down != is_back else "gt" for is_down in _downs(order))
    further = Q(**{f"{order.first}__{ahead}": first}) | Q(**{f"{order.second}__{beside}": second})
    return Q(**{f"{order.first}__{ahead}e": first}) & further


def _downs(order: Order[Row]) -> tuple[bool, bool]:
    return order.is_first_descending, order.is_second_descending


def _written(order: Order[Row], row: Row, *, is_back: bool) -> str:
    return Signer(salt=order.salt).sign_object([is_back, *order.place(row)])


def _read(order: Order[Row], cursor: str | None) -> tuple[bool, list[Any]] | None:
    """Direction and place of a cursor; None for none and for one that was not written here."""
    if not cursor:
        return None
    try:
        is_back, *place = Signer(salt=order.salt).unsign_object(cursor)
    except BadSignature:
        return None
    return bool(is_back), place
