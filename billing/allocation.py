"""Divides what providers bill among tenants: a pure function of exact costs and of how each is split, to the cent.

Largest remainders, twice: a bill is rounded once and its costs sum to it, each cost's parts sum to the cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

NOBODY = 0  # in place of a tenant's id: what names none

Key = TypeVar("Key", bound=int | str)


class Mode(StrEnum):
    """What becomes of a shared cost."""

    PROPORTIONAL = "proportional"  # to what each tenant bears of the costs that are not shared
    EVEN = "even"  # over the active tenants
    APART = "apart"  # borne by nobody: a row of its own


@dataclass(frozen=True, slots=True)
class Direct:
    """What of a cost names a tenant, in exact cents by tenant id; the rest names nobody."""

    cents: Mapping[int, Fraction]


@dataclass(frozen=True, slots=True)
class Driven:
    """Split by whole weights, none negative, by tenant id: quantities used, fixed shares, or one for each."""

    weights: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Shared:
    """Split after all others, or not at all."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Cost:
    """What a bill asks for one thing, in exact cents, and how that is split; a credit is negative.

    No other cost of the bill has its `name`.
    """

    bill: str
    name: str
    cents: Fraction
    split: Direct | Driven | Shared


@dataclass(frozen=True, slots=True)
class Parts:
    """Who bears a cost, in whole cents: tenants by id, nobody, or all together. The parts sum to `amount`."""

    amount: int
    tenants: Mapping[int, int]
    unallocated: int = 0
    shared: int = 0


def allocate(costs: Sequence[Cost], active: Collection[int]) -> list[Parts]:
    """Who bears each of `costs`, in their order; `active` are the tenants (ids) that an even share is for.

    Shared costs come last, wherever they stand: they follow what tenants bear of the others.
    """
    amounts = _amounts(costs)
    borne: Counter[int] = Counter()
    parts: dict[int, Parts] = {}
    for number, cost in enumerate(costs):
        if isinstance(cost.split, Shared):
            continue
        parts[number] = _own(cost, amounts[number])
        borne.update(parts[number].tenants)
    weights = {
        Mode.PROPORTIONAL: {tenant: cents for tenant, cents in borne.items() if cents > 0},
        Mode.EVEN: dict.fromkeys(active, 1),
    }
    for number, cost in enumerate(costs):
        if isinstance(cost.split, Shared):
            parts[number] = _shared(cost.split.mode, amounts[number], weights)
    return [parts[number] for number in range(len(costs))]


def _amounts(costs: Sequence[Cost]) -> list[int]:
    """Each cost in whole cents; those of a bill sum to the rounded bill."""
    bills: dict[str, dict[str, Fraction]] = {}
    for cost in costs:
        names = bills.setdefault(cost.bill, {})
        if cost.name in names:
            raise ValueError(f"Two costs of {cost.bill} are called “{cost.name}”: add them up.")
        names[cost.name] = cost.cents
    amounts = {bill: _rounded(exact, round(sum(exact.values()))) for bill, exact in bills.items()}
    return [amounts[cost.bill].get(cost.name, 0) for cost in costs]


def _own(cost: Cost, amount: int) -> Parts:
    """A cost that is split by what is known of it alone."""
    if isinstance(cost.split, Driven):
        return _driven(amount, cost.split.weights)
    assert isinstance(cost.split, Direct)
    named = cost.split.cents
    tenants = _rounded({**named, NOBODY: cost.cents - sum(named.values())}, amount)
    nobodys = tenants.pop(NOBODY, 0)
    return Parts(amount, tenants, unallocated=nobodys)


def _shared(mode: Mode, amount: int, weights: Mapping[Mode, Mapping[int, int]]) -> Parts:
    return Parts(amount, {}, shared=amount) if mode == Mode.APART else _driven(amount, weights[mode])


def _driven(amount: int, weights: Mapping[int, int]) -> Parts:
    """`amount` by weights; all of it unallocated where there are none."""
    whole = sum(weights.values())
    if not whole:
        return Parts(amount, {}, unallocated=amount)
    shares = ((tenant, *divmod(abs(amount) * weight, whole)) for tenant, weight in weights.items())
    return Parts(amount, _signed(shares, amount))


def _rounded(exact: Mapping[Key, Fraction], amount: int) -> dict[Key, int]:
    """Exact cents, whose sum is less than a cent from `amount`, in whole cents that sum to it."""
    sign = -1 if amount < 0 else 1
    return _signed(((key, *divmod(sign * cents, 1)) for key, cents in exact.items()), amount)


def _signed(shares: Iterable[tuple[Key, int, int | Fraction]], amount: int) -> dict[Key, int]:
    """Shares of the absolute amount as (key, whole cents, remainder): what is left goes to the largest remainders.

    So none has the wrong sign, and who has no remainder gets none of it. Of equal remainders the larger share goes
    first, of equal shares the smaller key: the order of the rows never counts. Keys that get nothing are left out.
    """
    rows = [row for row in shares if row[1] or row[2]]
    rows.sort(key=lambda row: (-row[2], -row[1], row[0]))
    sign, left = -1 if amount < 0 else 1, abs(amount) - sum(row[1] for row in rows)
    whole = ((key, cents + (place < left)) for place, (key, cents, _) in enumerate(rows))
    return {key: sign * cents for key, cents in whole if cents}
