"""The rows of the table by tenant as they are shown: revenue, cost by driver, margin, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext as _

from usage.reports.cost_flow import percent, shown
from usage.reports.cost_shares import ABOVE, BELOW, Sums
from usage.reports.meters import Look
from usage.reports.money import money


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table as it is shown; cells that hold nothing are empty. Rows of no tenant have no slug."""

    name: str
    note: str
    slug: str
    plan: str
    revenue: str
    revenue_share: str
    cells: tuple[str, ...]
    cost: str
    cost_share: str
    margin: str
    is_loss: bool
    percent: str
    flag: Look | None


class Head(NamedTuple):
    """The head of a column: where a click leads, and how the rows are sorted by it now."""

    key: str
    name: str
    is_number: bool
    address: str
    sorted: str  # ascending, descending or empty


@dataclass(frozen=True)
class Rows:
    """One page of tenants, what stands below them, and where the pages before and after are."""

    heads: Sequence[Head]
    tenants: Sequence[Row]
    rest: Sequence[Row]
    total: Row
    previous: str | None
    next: str | None
    only: str

    @property
    def width(self) -> int:
        """How many columns there are, plan and flag among them."""
        return len(self.heads) + 2

    @property
    def filters(self) -> list[tuple[str, str]]:
        return [
            ("", _("All tenants")),
            (BELOW, _("Below cost")),
            (ABOVE, _("Cost share above revenue share")),
        ]


class Named(NamedTuple):
    """A tenant that is named."""

    slug: str
    name: str


class Names(NamedTuple):
    """Some tenants, and how many more there are."""

    shown: Sequence[Named]
    more: int


class Amounts(NamedTuple):
    """What a row is made of."""

    revenue: Decimal
    cost: Decimal
    cells: Sequence[Decimal]


def row(
    name: str,
    of: Amounts,
    sums: Sums,
    *,
    note: str = "",
    slug: str = "",
    plan: str = "",
    flag: Look | None = None,
    has_shares: bool = True,
) -> Row:
    """The row as it is shown; `has_shares`: it stands for tenants, whose shares of the sums are said."""
    margin = of.revenue - of.cost
    return Row(
        name=name,
        note=note,
        slug=slug,
        plan=plan,
        revenue=money(of.revenue) if of.revenue or has_shares else "",
        revenue_share=percent(of.revenue, sums.income) if has_shares else "",
        cells=tuple(shown(cell) for cell in of.cells),
        cost=money(of.cost),
        cost_share=percent(of.cost, sums.burden) if has_shares else "",
        margin=money(margin),
        is_loss=margin < 0,
        percent=percent(margin, of.revenue, 0),
        flag=flag,
    )
