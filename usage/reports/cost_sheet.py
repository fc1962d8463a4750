"""Cost and margin as a table for spreadsheets: a row a tenant, a column a service, and the sum of the bill below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import CostLine, CostShare
from usage.reports.cost_choice import Choice
from usage.reports.cost_flow import NOTHING
from usage.reports.cost_shares import Shares, Sums
from usage.reports.costs import lines_of
from usage.reports.sheets import Cell, csv_lines

CHUNK = 2_000
PLACES = Decimal("0.0001")  # of a share: a hundredth of a percent


def cost_csv(chosen: Choice) -> Iterator[str]:
    """The lines of the file, one after another: memory does not grow with the tenants. Four queries."""
    lines = lines_of(chosen)
    shares = Shares(chosen, lines)
    return csv_lines(_head(lines), _rows(shares, lines, shares.sums()))


def _head(lines: Sequence[CostLine]) -> list[str]:
    services = [f"{line.provider}: {line.service} ({line.driver})" for line in lines]
    fixed = [_("Cost"), _("Margin"), _("Margin share"), _("Share of revenue"), _("Share of cost"), _("Flag")]
    return [_("Tenant"), _("Slug"), _("Revenue"), *services, *fixed]


def _rows(shares: Shares, lines: Sequence[CostLine], sums: Sums) -> Iterator[list[Cell]]:
    for share in shares.tenants.order_by("tenant__slug").iterator(chunk_size=CHUNK):
        assert share.tenant is not None  # a tenant's share
        amounts = [Decimal(share.lines.get(str(line.number), "0.00")) for line in lines]
        names: list[Cell] = [share.tenant.name, share.tenant.slug]
        yield [*names, *_amounts(share.revenue, amounts), *_shares(share, amounts, sums)]
    for kind, column in ((CostShare.Kind.SHARED, "shared"), (CostShare.Kind.UNALLOCATED, "unallocated")):
        apart = [getattr(line, column) for line in lines]
        yield [str(kind.label), "", *_amounts(NOTHING, apart), "", "", ""]
    yield [_("Total"), "", *_amounts(sums.income, [line.amount for line in lines]), "", "", ""]


def _amounts(revenue: Decimal, amounts: Sequence[Decimal]) -> list[Cell]:
    """Revenue, the services, their sum, the margin and what share of the revenue that is."""
    cost = sum(amounts, NOTHING)
    return [revenue, *amounts, cost, revenue - cost, _share(revenue - cost, revenue)]


def _shares(share: CostShare, amounts: Sequence[Decimal], sums: Sums) -> list[Cell]:
    cost = sum(amounts, NOTHING)
    is_above = cost * sums.income > share.revenue * sums.burden
    flag = (
        _("below cost") if cost > share.revenue else _("cost share above revenue share") if is_above else ""
    )
    return [_share(share.revenue, sums.income), _share(cost, sums.burden), flag]


def _share(part: Decimal, whole: Decimal) -> Cell:
    return (part / whole).quantize(PLACES) if whole else ""
