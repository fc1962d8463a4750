"""The page of cost and margin: what a month's bills come to, where they go, and which tenants carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import CostBill, CostLine
from billing.pricing import rounded
from usage.reports import dates
from usage.reports.cost_choice import Asked, Choice, choice
from usage.reports.cost_flow import NOTHING, Flow, flow, percent, sum_of
from usage.reports.cost_moves import Moves, moves
from usage.reports.cost_rows import Names, Rows
from usage.reports.cost_table import Table
from usage.reports.money import money
from usage.reports.summary import Tile


@dataclass(frozen=True)
class Costs:
    """Everything the page shows; `difference` is what the rows are off from the bills, as it is computed."""

    choice: Choice
    tiles: Sequence[Tile]
    flow: Flow
    rows: Rows
    below: Names
    above: Names
    moves: Moves | None
    difference: str
    is_whole: bool
    made_at: datetime


def costs(asked: Asked, at: datetime) -> Costs | None:
    """What the page shows; None where nothing was divided yet. Ten queries, however many tenants there are."""
    chosen = choice(asked, at)
    if chosen is None:
        return None
    lines = list(lines_of(chosen))
    table = Table(chosen, lines)
    off = table.sums.all_rows - sum((rounded(bill.total) for bill in chosen.bills), NOTHING)
    return Costs(
        choice=chosen,
        tiles=_tiles(chosen, lines, table),
        flow=flow(lines, with_provider=len(chosen.bills) > 1),
        rows=table.page(),
        below=table.below(),
        above=table.above(),
        moves=moves(chosen.allocation),
        difference=money(off),
        is_whole=not off,
        made_at=chosen.allocation.made_at,
    )


def lines_of(chosen: Choice) -> Sequence[CostLine]:
    """The services of the bills that are looked at."""
    lines = CostLine.objects.filter(allocation=chosen.allocation)
    return list(lines.filter(provider=chosen.asked.provider) if chosen.asked.provider else lines)


def _tiles(chosen: Choice, lines: Sequence[CostLine], table: Table) -> Sequence[Tile]:
    bill, to_tenants, sums = sum_of(lines, "amount"), sum_of(lines, "to_tenants"), table.sums
    tenants = ngettext("%s tenant", "%s tenants", sums.tenants) % f"{sums.tenants:,}"
    margin = sums.income - bill
    return (
        Tile(_("Bill"), money(bill), _imported(chosen.bills, chosen.at)),
        Tile(
            _("Allocated to tenants"),
            money(to_tenants),
            _("%s of the bill") % percent(to_tenants, bill),
        ),
        Tile(_("Revenue, same days"), money(sums.income), tenants),
        Tile(_("Margin after all cost"), percent(margin, sums.income), money(margin)),
        Tile(_("Below cost"), f"{sums.below:,}", _loss(sums.below, sums.loss)),
    )


def _loss(count: int, loss: Decimal) -> str:
    words = ngettext("tenant, %s", "tenants, %s together", count)
    return words % money(loss) if count else _("tenants")


def _imported(bills: Sequence[CostBill], at: datetime) -> str:
    """“imported 23 Nov 06:10 UTC”; of several how many, and when the last came."""
    last = max((bill.imported_at for bill in bills), default=at).astimezone(UTC)
    when = f"{dates.short(last.date())}, {last:%H:%M} UTC"
    if len(bills) == 1:
        return _("imported %s") % when
    return _("%(n)d bills, the last imported %(when)s") % {"n": len(bills), "when": when}
