"""What quantities cost: a pure function of quantities and prices. The estimate and every bill are this call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from billing.models import Allowance

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tier:
    """`price` per `per` base units, for billable units up to `up_to` (none = all the rest)."""

    up_to: int | None
    price: Decimal
    per: int


@dataclass(frozen=True, slots=True)
class Price:
    """What units beyond `included` cost; no tiers = they are free."""

    included: int | None
    tiers: tuple[Tier, ...]

    def billable(self, used: int) -> int:
        """Units of `used` beyond the included ones."""
        return 0 if self.included is None else max(0, used - self.included)

    def of(self, units: int) -> Decimal:
        """The exact, unrounded amount of `units` billable units, tier after tier."""
        amount, below = Decimal(0), 0
        for tier in self.tiers:
            top = units if tier.up_to is None else min(units, tier.up_to)
            if top > below:
                amount += Decimal(top - below) * tier.price / Decimal(tier.per)
                below = top
        return amount


@dataclass(frozen=True, slots=True)
class Line:
    """One metric on an estimate: units beyond the included ones and their exact amount."""

    metric: str
    used: int
    billable: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a period costs with the quantities given; amounts are exact until `rounded`."""

    base_fee: Decimal
    lines: tuple[Line, ...]

    @property
    def overage(self) -> Decimal:
        """The sum of the lines, each rounded to the cent, so that what is shown adds up."""
        return sum((rounded(line.amount) for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        return rounded(self.base_fee) + self.overage


def price_of(allowance: Allowance, included: int | None) -> Price:
    """The price of what goes beyond `included`; only billed use has one. Reads the prefetched tiers."""
    if allowance.beyond != Allowance.Beyond.BILL:
        return Price(included, ())
    tiers = sorted(allowance.tiers.all(), key=lambda tier: (tier.up_to is None, tier.up_to or 0))
    return Price(included, tuple(Tier(tier.up_to, tier.price, tier.per) for tier in tiers))


def estimate(base_fee: Decimal, prices: Mapping[str, Price], quantities: Mapping[str, int]) -> Estimate:
    """Price `quantities` (metric code -> used base units); metrics without a price are not on it."""
    return Estimate(base_fee, tuple(_lines(prices, quantities)))


def _lines(prices: Mapping[str, Price], quantities: Mapping[str, int]) -> Iterable[Line]:
    for metric, price in prices.items():
        used = quantities.get(metric, 0)
        units = price.billable(used)
        yield Line(metric, used, units, price.of(units))


def rounded(amount: Decimal) -> Decimal:
    """`amount` to the cent, halves to the even cent; done only where money is shown or issued."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
