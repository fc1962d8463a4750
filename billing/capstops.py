"""How far the money left under a spend cap reaches: of each metric the quantity at which billed use stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.models import MAX_QUANTITY
from billing.pricing import Bill, Line, Price

CENT, NOTHING = Decimal("0.01"), Decimal(0)


@dataclass(frozen=True, slots=True)
class Rest:
    """The rest of a level's period: full `hours` with the present one, and what is `included` in them.

    `now`: what the present hour adds so far to the excess of the level's use, in unit-hours.
    """

    included: int | None
    hours: int
    now: int


def cap_stops(spent: Bill, cap: Decimal, rests: Mapping[str, Rest]) -> dict[str, int]:
    """The cap stops of the metrics of `spent`, by code: who stays there spends no more than `cap` in the period.

    Each metric may spend what the others left, so a stop moves when others spend. Included amounts always stay:
    no stop is below them. A metric that can't spend the money left has none. `rests` are those of levels.
    """
    stops = {}
    for line in spent.lines:
        left = max(NOTHING, cap - (spent.overage - line.amount))
        stop = _stop(line, left, rests.get(line.metric))
        if stop is not None and stop <= MAX_QUANTITY:
            stops[line.metric] = stop
    return stops


def affordable(price: Price, money: Decimal) -> int | None:
    """The most billable units whose bill, each tier rounded for itself, is at most `money`; None = any number."""
    spare = money
    units = price.units_for(spare)
    while units is not None and _billed(price, units) > money:
        spare -= CENT  # the tiers were rounded up
        units = price.units_for(spare)
    return units


def _billed(price: Price, units: int) -> Decimal:
    return sum((part.amount for part in price.parts(Fraction(units))), NOTHING)


def _stop(line: Line, money: Decimal, rest: Rest | None) -> int | None:
    included = rest.included if rest else line.price.included
    units = affordable(line.price, money)
    if included is None or units is None:
        return None
    return included + (_above(line, units, rest) if rest else units)


def _above(line: Line, units: int, rest: Rest) -> int:
    """How far above the included amount a level may stand from now to the period's end.

    The money pays for a mean of `units` over the period's H hours, so for units x H unit-hours. Of these the hours
    that are over took E, the excess without that of the present hour. A level that stands y above the included
    amount for the h hours left takes h x y more, so y = (units x H - E) / h.

    Unless it stood higher within the present hour, which counts with its peak, p above: then that hour takes p
    whatever comes, and y = (units x H - E - p) / (h - 1). Neither is ever below 0: what stands there stays.
    """
    left = units * line.use.hours - (line.use.excess - rest.now)
    above = left // rest.hours
    if above < rest.now:
        above = (left - rest.now) // (rest.hours - 1) if rest.hours > 1 else 0
    return max(0, above)
