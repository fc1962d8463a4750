"""What quantities cost: a pure function of quantities and prices. Estimate, what-if and statement are this call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from billing.models import Allowance

CENTS = 100
NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Tier:
    """`price` per `per` base units, for billable units up to `up_to` (none = all the rest).

    `rounds_up`: a begun package of `per` units costs as much as a whole one.
    """

    up_to: int | None
    price: Decimal
    per: int
    rounds_up: bool = False

    def of(self, units: Fraction) -> Fraction:
        """The exact amount of `units` of this tier."""
        packages = units / self.per
        return Fraction(self.price) * (ceil(packages) if self.rounds_up else packages)

    def units_for(self, money: Fraction) -> int:
        """The most units of this tier that `money` pays for; its price is not zero."""
        packages = money / Fraction(self.price)
        return floor(packages) * self.per if self.rounds_up else floor(packages * self.per)


@dataclass(frozen=True, slots=True)
class TierPart:
    """What of a metric's billable units falls into one tier, the units `above` those of the tiers before."""

    tier: Tier
    above: int
    units: Fraction
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Use:
    """What was used of a metric in a period: of a sum its units, of a distinct its members, of a level what stands.

    A level also has the `excess` of its hours, unit-hours above what was included then, and the `hours` of its period.
    """

    used: int
    excess: int = 0
    hours: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What units beyond `included` cost; no tiers = they are free."""

    included: int | None
    tiers: tuple[Tier, ...]

    def beyond(self, used: int) -> int:
        """Units of `used` above the included ones."""
        return 0 if self.included is None else max(0, used - self.included)

    def billable(self, use: Use) -> Fraction:
        """What is billed: units beyond the included ones; of a level the mean of them over the period's hours."""
        if use.hours:
            return Fraction(use.excess, use.hours) if use.excess else NOTHING
        beyond = self.beyond(use.used)
        return Fraction(beyond) if beyond else NOTHING

    def of(self, units: Fraction | int) -> Fraction:
        """The exact, unrounded amount of `units` billable units."""
        return sum((tier.of(share) for tier, _, share in self._shares(Fraction(units))), NOTHING)

    def parts(self, units: Fraction) -> tuple[TierPart, ...]:
        """`units` billable units, tier after tier, each rounded, so that what is shown adds up."""
        return tuple(
            TierPart(tier, above, share, rounded(tier.of(share)))
            for tier, above, share in self._shares(units)
        )

    def units_for(self, money: Decimal) -> int | None:
        """The most billable units that `money` pays for; None where no number of them costs more."""
        left, units = Fraction(money), 0
        for tier in self.tiers:
            size = None if tier.up_to is None else tier.up_to - units
            most = tier.units_for(left) if tier.price else size
            if size is None or (most is not None and most < size):
                return None if most is None else units + most
            left, units = left - tier.of(Fraction(size)), units + size
        return None

    def _shares(self, units: Fraction) -> Sequence[tuple[Tier, int, Fraction]]:
        """Each tier that `units` reach, the units below it, and how many fall into it."""
        shares, below = [], 0
        for tier in self.tiers:
            if units > below:
                top = units if tier.up_to is None else min(units, Fraction(tier.up_to))
                shares.append((tier, below, top - below))
            below = tier.up_to or below
        return shares


@dataclass(frozen=True, slots=True)
class Fee:
    """A plan's base fee for `days` of a period's `of` days."""

    plan: str
    fee: Decimal
    days: int
    of: int

    @property
    def exact(self) -> Fraction:
        return Fraction(self.fee) * self.days / self.of

    @property
    def amount(self) -> Decimal:
        return rounded(self.exact)


@dataclass(frozen=True, slots=True)
class Line:
    """One metric on a bill: what was used, what of it is billed, and the price of each tier it reached."""

    metric: str
    price: Price
    use: Use
    billable: Fraction
    parts: tuple[TierPart, ...]

    @property
    def amount(self) -> Decimal:
        return sum((part.amount for part in self.parts), Decimal(0))


@dataclass(frozen=True, slots=True)
class Bill:
    """What a period costs with the quantities given. Lines are rounded, so that they add up to the total."""

    fees: tuple[Fee, ...]
    lines: tuple[Line, ...]

    @property
    def base_fee(self) -> Decimal:
        return sum((fee.amount for fee in self.fees), Decimal(0))

    @property
    def overage(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.base_fee + self.overage


def price_of(allowance: Allowance, included: int | None) -> Price:
    """The price of what goes beyond `included`; only billed use has one. Reads the prefetched tiers."""
    if allowance.beyond != Allowance.Beyond.BILL:
        return Price(included, ())
    tiers = sorted(allowance.tiers.all(), key=lambda tier: (tier.up_to is None, tier.up_to or 0))
    return Price(included, tuple(Tier(tier.up_to, tier.price, tier.per, tier.rounds_up) for tier in tiers))


def bill(fees: Sequence[Fee], prices: Mapping[str, Price], uses: Mapping[str, Use]) -> Bill:
    """Price `uses` (metric code -> use); metrics without a price are not on it."""
    return Bill(
        tuple(fees), tuple(_line(code, price, uses.get(code, Use(0))) for code, price in prices.items())
    )


def _line(metric: str, price: Price, use: Use) -> Line:
    billable = price.billable(use)
    return Line(metric, price, use, billable, price.parts(billable))


def rounded(amount: Fraction | Decimal) -> Decimal:
    """`amount` to the cent, halves to the even cent; done only where money is shown or issued."""
    return Decimal(round(Fraction(amount) * CENTS)).scaleb(-2)
