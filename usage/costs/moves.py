"""What a version of an allocation changed against the one before: per tenant and service, the largest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from billing.models import Allocation, CostLine
from billing.pricing import CENTS
from usage.costs.divided import Divided

MOST = 100  # that are kept; of all there is the sum

Place = tuple[str, int | None, str, str]  # kind, tenant id, provider, service


class Move(NamedTuple):
    """A part of a service that became another, in cents."""

    kind: str
    tenant_id: int | None
    provider: str
    service: str
    before: int
    after: int

    @property
    def size(self) -> int:
        return abs(self.after - self.before)


def moved(before: Allocation, after: Divided) -> dict[str, object]:
    """What is kept of the differences: how many, their sum as text, and the largest."""
    found = list(_moves(dict(_kept(before)), dict(_new(after))))
    largest = heapq.nsmallest(
        MOST, found, key=lambda one: (-one.size, one.kind, one.tenant_id or 0, one.service)
    )
    total = sum(one.after - one.before for one in found)
    return {"count": len(found), "sum": str(Decimal(total) / CENTS), "rows": [list(one) for one in largest]}


def moves_in(allocation: Allocation) -> list[Move]:
    """The largest differences that are kept in an allocation, as they were written."""
    rows = allocation.moved.get("rows", [])
    assert isinstance(rows, list)  # as written above
    return [Move(*row) for row in rows]


def _moves(before: dict[Place, int], after: dict[Place, int]) -> Iterator[Move]:
    for place in {**before, **after}:
        was, now = before.get(place, 0), after.get(place, 0)
        if was != now:
            yield Move(*place, was, now)


def _kept(allocation: Allocation) -> Iterator[tuple[Place, int]]:
    lines = CostLine.objects.filter(allocation=allocation).values_list("number", "provider", "service")
    names = {number: (provider, service) for number, provider, service in lines}
    rows = allocation.shares.values_list("kind", "tenant_id", "lines").iterator()
    return _added(
        ((kind, tenant, *names[int(number)]), int(Decimal(amount) * CENTS))
        for kind, tenant, parts in rows
        for number, amount in parts.items()
    )


def _new(divided: Divided) -> Iterator[tuple[Place, int]]:
    return _added(
        ((share.kind, share.tenant_id, divided.items[number].provider, divided.items[number].service), cents)
        for share in divided.shares()
        for number, cents in share.lines.items()
    )


def _added(parts: Iterable[tuple[Place, int]]) -> Iterator[tuple[Place, int]]:
    """A service that several rules split counts once."""
    found: dict[Place, int] = {}
    for place, cents in parts:
        found[place] = found.get(place, 0) + cents
    yield from found.items()
