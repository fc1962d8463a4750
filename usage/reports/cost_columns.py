"""The columns of the table by tenant: what it bears of the services that a driver splits, and of what is shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import CostLine
from usage.reports.cost_flow import NOTHING, sum_of

MOST = 4  # drivers with a column of their own
OTHERS = "others"
SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Column:
    """Lines that are added up in a column; `key` names it in addresses."""

    key: str
    name: str
    lines: Sequence[CostLine]

    @property
    def numbers(self) -> list[int]:
        return [line.number for line in self.lines]

    @property
    def amount(self) -> Decimal:
        return sum_of(self.lines, "amount")

    @property
    def to_tenants(self) -> Decimal:
        return sum_of(self.lines, "to_tenants")

    @property
    def shared(self) -> Decimal:
        return sum_of(self.lines, "shared")

    @property
    def unallocated(self) -> Decimal:
        return sum_of(self.lines, "unallocated")

    def of(self, parts: Mapping[str, str]) -> Decimal:
        """What of a share's lines belongs here."""
        return sum((Decimal(parts.get(str(number), 0)) for number in self.numbers), NOTHING)


def columns(lines: Sequence[CostLine]) -> list[Column]:
    """The dearest drivers, the others together, and what is shared: every line is in one of them."""
    drivers: dict[str, list[CostLine]] = {}
    for line in lines:
        if not line.is_shared:
            drivers.setdefault(line.driver, []).append(line)
    ranked = sorted(drivers, key=lambda name: (-sum_of(drivers[name], "amount"), name))
    most = len(ranked) if len(ranked) == MOST + 1 else MOST
    found = [Column(f"by{place}", name, drivers[name]) for place, name in enumerate(ranked[:most])]
    if rest := [line for name in ranked[most:] for line in drivers[name]]:
        found.append(Column(OTHERS, _("Other drivers"), rest))
    return [*found, Column(SHARED, _("Shared"), [line for line in lines if line.is_shared])]
