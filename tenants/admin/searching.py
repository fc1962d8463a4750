"""Finds rows of long lists by words of their tenant and by what else names them, each from an index of its own."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property

Row = TypeVar("Row", bound=Model)


class CappedPaginator(Paginator[Any]):
    """Counts no further than its cap, so that a list of millions opens at once; beyond it one searches."""

    CAP = 5_000

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]  # the admin gives querysets
        return rows.order_by()[: self.CAP].count()


def some(found: QuerySet[Row]) -> QuerySet[Row, dict[str, Any]]:
    """The ids of what was found, at most as many as a list counts: who finds more asks more closely.

    With its end in sight the database reads what was found first, and not the whole list in its order.
    """
    return found.order_by().values("pk")[: CappedPaginator.CAP]


def any_of(rows: QuerySet[Row], *found: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` that one of `found` has; asked one by one, as an OR over tables can use no index."""
    first, *others = map(some, found)
    return rows.filter(pk__in=first.union(*others) if others else first)
