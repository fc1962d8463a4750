"""What a new version of a closed month changed against the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import Allocation, CostShare
from tenants.models import Tenant
from usage.costs.allocate import money as dollars
from usage.costs.moves import Move, moves_in
from usage.reports.money import money

MOST = 25


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A part of a service that became another."""

    who: str
    slug: str  # empty for what is nobody's
    provider: str
    service: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True, slots=True)
class Moves:
    """Why there is this version, how many parts moved and by how much in all, and the largest of them."""

    version: int
    note: str
    count: int
    total: str
    rows: Sequence[MoveRow]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def moves(allocation: Allocation) -> Moves | None:
    """None of a first version. Two queries."""
    if allocation.version == 1:
        return None
    found = moves_in(allocation)[:MOST]
    names = Tenant.objects.in_bulk([one.tenant_id for one in found if one.tenant_id])
    kept = allocation.moved
    return Moves(
        version=allocation.version,
        note=allocation.note,
        count=int(str(kept.get("count", 0))),
        total=_signed(Decimal(str(kept.get("sum", 0)))),
        rows=[_row(one, names.get(one.tenant_id or 0)) for one in found],
    )


def _row(one: Move, tenant: Tenant | None) -> MoveRow:
    return MoveRow(
        who=tenant.name if tenant else str(CostShare.Kind(one.kind).label),
        slug=tenant.slug if tenant else "",
        provider=one.provider,
        service=one.service,
        before=money(dollars(one.before)),
        after=money(dollars(one.after)),
        difference=_signed(dollars(one.after - one.before)),
    )


def _signed(amount: Decimal) -> str:
    return _("+%s") % money(amount) if amount > 0 else money(amount)
