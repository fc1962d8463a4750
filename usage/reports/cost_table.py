"""The table by tenant: sorted, narrowed and paged, with rows for the others, what is shared and what is nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import CostLine, CostShare
from usage.reports.cost_choice import Choice
from usage.reports.cost_columns import columns
from usage.reports.cost_flow import NOTHING, sum_of
from usage.reports.cost_rows import Amounts, Head, Named, Names, Row, Rows, row
from usage.reports.cost_shares import ABOVE, BELOW, SORTS, Shares, Sums
from usage.reports.meters import Look

SIZE = 50
LOWEST_FIRST = "percent"
MOST_NAMES = 5


class Table:
    """The rows of the lines that are looked at; `sums` are those of all tenants."""

    def __init__(self, choice: Choice, lines: Sequence[CostLine]) -> None:
        self._choice, self._lines = choice, lines
        self._columns = columns(lines)
        self._shares = Shares(choice, lines)
        self.sums: Sums = self._shares.sums()

    def page(self) -> Rows:
        """One query, or two where the page that was asked for is gone."""
        asked = self._choice.asked
        found, number = self._found(asked.page), asked.page
        if not found and number > 1:
            found, number = self._found(1), 1
        amounts = [self._amounts(share) for share in found[:SIZE]]
        rows = [self._tenant(share, one) for share, one in zip(found, amounts, strict=False)]
        return Rows(
            heads=self._heads(),
            tenants=rows,
            rest=[*self._others(amounts), *self._nobodys()],
            total=self._as_row(_("Total, equals the bill"), self._total(), has_shares=False),
            previous=asked.address(page=number - 1) or "?" if number > 1 else None,
            next=asked.address(page=number + 1) if len(found) > SIZE else None,
            only=asked.only,
        )

    def _as_row(self, name: str, of: Amounts, **more: Any) -> Row:
        return row(name, of, self.sums, **more)

    def below(self) -> Names:
        """Who costs more than it brings in, the largest loss first; one query."""
        return self._names(BELOW, "left", self.sums.below)

    def above(self) -> Names:
        """Who bears more of the cost than it brings in of the revenue, the farthest first; one query."""
        return self._names(ABOVE, "-excess", self.sums.above)

    def _names(self, only: str, order: str, count: int) -> Names:
        rows = self._shares.narrowed(only).order_by(order, "pk") if count else CostShare.objects.none()
        names = rows.values_list("tenant__slug", "tenant__name")[:MOST_NAMES]
        shown = [Named(str(slug), str(name)) for slug, name in names]
        return Names(shown, count - len(shown))

    def _found(self, page: int) -> list[CostShare]:
        first = (page - 1) * SIZE
        rows = self._shares.narrowed(self._choice.asked.only)
        return list(self._shares.sorted(rows, self._sort, self._columns)[first : first + SIZE + 1])

    @property
    def _sort(self) -> str:
        """What the rows are sorted by; what is no column counts for nothing."""
        sort = self._choice.asked.sort
        known = {*SORTS, *(column.key for column in self._columns)}
        return sort if sort.removeprefix("-") in known else LOWEST_FIRST

    def _heads(self) -> list[Head]:
        named = [(column.key, column.name) for column in self._columns]
        fixed = [("cost", _("Cost")), ("margin", _("Margin")), (LOWEST_FIRST, _("Margin %"))]
        heads = [("name", _("Tenant")), ("revenue", _("Revenue")), *named, *fixed]
        return [self._head(key, name) for key, name in heads]

    def _head(self, key: str, name: str) -> Head:
        """A click sorts by the column; a second one the other way round."""
        now, is_text = self._sort, key == "name"
        first = key if is_text or key in (LOWEST_FIRST, "margin") else f"-{key}"
        second = key if first.startswith("-") else f"-{key}"
        order = {key: "ascending", f"-{key}": "descending"}.get(now, "")
        to = second if now == first else first
        address = self._choice.asked.address(sort="" if to == LOWEST_FIRST else to, page=1)
        return Head(key, name, not is_text, address or "?", order)

    def _amounts(self, share: CostShare) -> Amounts:
        cells = [column.of(share.lines) for column in self._columns]
        return Amounts(share.revenue, sum(cells, NOTHING), cells)

    def _tenant(self, share: CostShare, amounts: Amounts) -> Row:
        tenant, found = share.tenant, _annotated(share)
        assert tenant is not None  # a tenant's share
        flag = None
        if found.left < 0:
            flag = Look("full", _("Below cost"))
        elif found.excess > 0:
            flag = Look("near", _("High share"))
        return self._as_row(tenant.name, amounts, slug=tenant.slug, plan=found.plan, flag=flag)

    def _others(self, amounts: Sequence[Amounts]) -> Iterable[Row]:
        """All tenants that are not on this page, whether or not the filter hides them."""
        count = self.sums.tenants - len(amounts)
        if count:
            name = ngettext("%s other tenant", "%s other tenants", count) % f"{count:,}"
            cells = [
                column.to_tenants - sum((one.cells[place] for one in amounts), NOTHING)
                for place, column in enumerate(self._columns)
            ]
            revenue = self.sums.income - sum((one.revenue for one in amounts), NOTHING)
            cost = self.sums.burden - sum((one.cost for one in amounts), NOTHING)
            yield self._as_row(name, Amounts(revenue, cost, cells))

    def _nobodys(self) -> Iterable[Row]:
        apart = [column.shared for column in self._columns]
        services = sorted({line.service for line in self._lines if line.shared})
        note = ", ".join(services[:MOST_NAMES])
        if any(apart):
            yield self._nobody(_("Shared, not split"), note, apart)
        lost = [column.unallocated for column in self._columns]
        if any(lost):
            strangers = sorted({name for line in self._lines for name in line.strangers})
            names = ", ".join(strangers[:MOST_NAMES])
            note = _("no tenant is called %s") % names if names else _("no usage matched the cost")
            yield self._nobody(_("Unallocated"), note, lost)

    def _nobody(self, name: str, note: str, cells: Sequence[Decimal]) -> Row:
        return self._as_row(name, Amounts(NOTHING, sum(cells, NOTHING), cells), note=note, has_shares=False)

    def _total(self) -> Amounts:
        cells = [column.amount for column in self._columns]
        return Amounts(self.sums.income, sum_of(self._lines, "amount"), cells)


def _annotated(share: CostShare) -> Any:
    """The share with what the query adds to it: left, excess and plan."""
    return share
