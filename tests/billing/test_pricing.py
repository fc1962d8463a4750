"""Prices as a pure function: tiers, packages, levels over time, fees by days, and the way back from money to units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pricing import Bill, Fee, Price, Tier, Use, bill, rounded

MB = 10**6
HOURS = 30 * 24


def flat(price: str, per: int = 1, included: int | None = 0) -> Price:
    return Price(included, (Tier(None, Decimal(price), per),))


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """One to four tiers with rising ends, some sold in whole packages that fill their tier."""
    tiers, end = [], 0
    for is_last in [*[False] * draw(st.integers(0, 3)), True]:
        per, rounds_up = draw(st.integers(1, 50)), draw(st.booleans())
        size = draw(st.integers(1, 40)) * (per if rounds_up else draw(st.integers(1, 50)))
        end += size
        price = draw(st.decimals(0, 20, places=4))
        tiers.append(Tier(None if is_last else end, price, per, rounds_up))
    return Price(draw(st.integers(0, 1_000)), tuple(tiers))


class TestPrice:
    """Each case was worked out by hand; docs/money.md has them too."""

    GRADUATED = Price(500_000, (Tier(250_000, Decimal("0.40"), 1_000), Tier(None, Decimal("0.30"), 1_000)))
    PACKAGES = Price(1_000, (Tier(None, Decimal(5), 100, rounds_up=True),))

    @pytest.mark.parametrize(
        ("price", "used", "amount"),
        [
            (flat("0.001", included=500_000), 500_000, "0.00"),
            (flat("0.001", included=500_000), 501_500, "1.50"),
            (flat("0.02", MB, 100_000 * MB), 100_050 * MB + 1, "1.00"),
            (flat("0.05", MB, 50_000 * MB), 53_200 * MB, "160.00"),
            (GRADUATED, 816_305, "119.89"),  # 250 x 0.40 + 66.305 x 0.30
            (GRADUATED, 750_000, "100.00"),
            (GRADUATED, 750_001, "100.00"),
            (PACKAGES, 1_000, "0.00"),
            (PACKAGES, 1_001, "5.00"),
            (PACKAGES, 1_230, "15.00"),
            (Price(3, ()), 100, "0.00"),
            (flat("9", included=None), 10**15, "0.00"),
        ],
    )
    def test_of_what_was_used(self, price: Price, used: int, amount: str) -> None:
        assert bill((), {"metric": price}, {"metric": Use(used)}).overage == Decimal(amount)

    def test_of_a_level_that_stood_over_for_ten_days_is_that_of_ten_days(self) -> None:
        stored = Use(50_000 * MB, excess=10 * 24 * 3_000 * MB, hours=HOURS)
        [line] = bill((), {"storage": flat("0.05", MB, 50_000 * MB)}, {"storage": stored}).lines
        assert (line.billable, line.amount) == (Fraction(1_000 * MB), Decimal("50.00"))

    @given(prices(), st.fractions(0, 10**6), st.fractions(0, 10**6))
    def test_never_falls_with_the_quantity(self, price: Price, one: Fraction, other: Fraction) -> None:
        less, more = sorted((one, other))
        assert price.of(less) <= price.of(more)
        assert sum(part.amount for part in price.parts(less)) <= sum(
            part.amount for part in price.parts(more)
        )

    @given(prices(), st.fractions(0, 10**6))
    def test_is_that_of_its_parts(self, price: Price, units: Fraction) -> None:
        parts = price.parts(units)
        assert sum(part.units for part in parts) == units
        assert sum(part.tier.of(part.units) for part in parts) == price.of(units)
        assert [part.above for part in parts] == [
            sum(before.units for before in parts[:place]) for place in range(len(parts))
        ]

    @given(prices(), st.decimals(0, 10_000, places=2))
    def test_tells_how_many_units_money_pays_for(self, price: Price, money: Decimal) -> None:
        units = price.units_for(money)
        if units is None:
            assert price.of(10**12) <= money
        else:
            assert price.of(units) <= money < price.of(units + 1)


class TestFee:
    def test_goes_by_days(self) -> None:
        starter, pro = Fee("Starter", Decimal(29), 22, 30), Fee("Pro", Decimal(199), 8, 30)
        assert (starter.amount, pro.amount) == (Decimal("21.27"), Decimal("53.07"))
        assert bill((starter, pro), {}, {}).total == Decimal("74.34")

    @given(st.decimals(0, 10_000, places=2), st.lists(st.integers(1, 31), min_size=1, max_size=5))
    def test_of_the_parts_of_a_period_is_that_of_the_whole(self, fee: Decimal, days: list[int]) -> None:
        whole = sum(days)
        assert sum(Fee("Pro", fee, part, whole).exact for part in days) == Fraction(fee)


class TestBill:
    @given(
        st.dictionaries(st.sampled_from("abcd"), st.tuples(prices(), st.integers(0, 10**6))),
        st.decimals(0, 1_000, places=2),
        st.integers(0, 30),
    )
    def test_is_the_sum_of_its_rounded_lines(
        self, metrics: dict[str, tuple[Price, int]], fee: Decimal, days: int
    ) -> None:
        whole = bill(
            (Fee("Pro", fee, days, 30),),
            {code: price for code, (price, _) in metrics.items()},
            {code: Use(used) for code, (_, used) in metrics.items()},
        )
        shown = [*(one.amount for one in whole.fees), *(line.amount for line in whole.lines)]
        assert whole.total == sum(shown, Decimal(0)) == whole.base_fee + whole.overage
        assert all(amount == rounded(amount) for amount in shown)
        assert [line.amount for line in whole.lines] == [
            sum((part.amount for part in line.parts), Decimal(0)) for line in whole.lines
        ]

    def test_of_nothing_is_nothing(self) -> None:
        assert Bill((), ()).total == 0

    def test_has_a_line_for_a_metric_that_was_not_used(self) -> None:
        [line] = bill((), {"api_calls": flat("1", included=5)}, {}).lines
        assert (line.use, line.billable, line.amount) == (Use(0), Fraction(0), Decimal(0))


@pytest.mark.parametrize(
    ("amount", "cents"), [("0.005", "0.00"), ("0.015", "0.02"), ("-0.015", "-0.02"), ("2.675", "2.68")]
)
def test_halves_are_rounded_to_the_even_cent(amount: str, cents: str) -> None:
    assert rounded(Decimal(amount)) == rounded(Fraction(amount)) == Decimal(cents)
