"""Divides the bills of a month among tenants and sets them beside what these bring in; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from billing.allocation import Parts, allocate
from billing.costs.charges import charges
from billing.costs.division import Item, costs_of, items_of
from billing.costs.rules import last_changes, rule_book
from billing.models import CostShare
from usage.costs.drivers import drivers
from usage.costs.months import Month
from usage.costs.revenue import revenue

Kind = CostShare.Kind
Lines = dict[int, int]  # cents by the number of a line


@dataclass(frozen=True)
class Share:
    """What a tenant, or nobody, bears of which line, and what it brings in; in cents."""

    kind: str
    tenant_id: int | None
    revenue: int
    lines: Lines

    @cached_property
    def cost(self) -> int:
        return sum(self.lines.values())


@dataclass(frozen=True)
class Divided:
    """Services, each with the parts of it and with names in it that no tenant has, and who brings in what.

    `bills` are the ids of the bills that were divided, `rules` the numbers of the last changes of rules.
    """

    bills: list[int]
    rules: list[int]
    items: Sequence[Item]
    parts: Sequence[Parts]
    strangers: Sequence[list[str]]
    revenue: Mapping[int, int]

    @cached_property
    def to_tenants(self) -> list[int]:
        """What tenants bear of each service."""
        return [sum(parts.tenants.values()) for parts in self.parts]

    def shares(self) -> Iterator[Share]:
        """One for each tenant that bears or brings in something, then what is shared and what is nobody's."""
        lines: dict[int, Lines] = {tenant: {} for tenant in self.revenue}
        for number, parts in enumerate(self.parts):
            for tenant, cents in parts.tenants.items():
                lines.setdefault(tenant, {})[number] = cents
        for tenant in sorted(lines):
            yield Share(Kind.TENANT, tenant, self.revenue.get(tenant, 0), lines[tenant])
        yield self._nobodys(Kind.SHARED, [parts.shared for parts in self.parts])
        yield self._nobodys(Kind.UNALLOCATED, [parts.unallocated for parts in self.parts])

    @staticmethod
    def _nobodys(kind: str, cents: Sequence[int]) -> Share:
        return Share(kind, None, 0, {number: part for number, part in enumerate(cents) if part})


def divide(month: Month, at: datetime) -> Divided | None:
    """The current bills of `month`, divided by what was used by `at`; None where there is no bill."""
    # Read first: a rule that changes meanwhile is one change more than these.
    changes, book = last_changes(), rule_book()
    found = charges(month.first, book.tags)
    if not found.bills:
        return None
    items = items_of(found.rows, book)
    used = drivers(month, at)
    costs, strangers = costs_of(items, used)
    parts = allocate(costs, used.active)
    return Divided(list(found.bills), changes, items, parts, strangers, revenue(month, at))
