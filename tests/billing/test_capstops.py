"""Cap stops as a pure function: who stays there never spends more than the cap, and never less than was possible."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from billing.capstops import Rest, affordable, cap_stops
from billing.models import MAX_QUANTITY
from billing.pricing import Bill, Price, Tier, Use, bill
from tests.billing.test_pricing import flat, prices

MB = 10**6
CENT = Decimal("0.01")
MONEY = st.decimals(0, 2_000, places=2)


def spent(prices: Mapping[str, Price], uses: Mapping[str, Use]) -> Bill:
    return bill((), prices, uses)


def amount(price: Price, use: Use) -> Decimal:
    return spent({"metric": price}, {"metric": use}).overage


class TestByHand:
    """Each case was worked out by hand; docs/money.md has them too: “A cap reached”."""

    CALLS, BANDWIDTH = flat("0.001", included=500_000), flat("0.02", MB, 100_000 * MB)
    STORAGE = flat("0.05", MB, 50_000 * MB)
    GRADUATED = Price(500_000, (Tier(250_000, Decimal("0.40"), 1_000), Tier(None, Decimal("0.30"), 1_000)))
    PACKAGES = Price(1_000, (Tier(None, Decimal("0.40"), 1_000, rounds_up=True),))

    @pytest.mark.parametrize(
        ("price", "cap", "stop"),
        [
            (CALLS, "390.00", 890_000),
            (CALLS, "0.00", 500_000),
            (GRADUATED, "119.89", 816_300),  # 250 x 0.40 leaves 19.89, which pays for 66 300
            (PACKAGES, "1.00", 3_000),  # two packages; the third would make 1.20
            (Price(500_000, ()), "1.00", None),  # free however much
            (Price(None, (Tier(None, Decimal(1), 1),)), "1.00", None),  # unlimited
        ],
    )
    def test_of_one_metric(self, price: Price, cap: str, stop: int | None) -> None:
        found = cap_stops(spent({"metric": price}, {"metric": Use(0)}), Decimal(cap), {})
        assert found.get("metric") == stop

    @pytest.mark.parametrize(
        ("calls", "megabytes", "stops"),
        [
            (0, 0, (890_000, 119_500)),
            (700_000, 105_000, (790_000, 109_500)),  # 200.00 and 100.00 leave each other 190.00 and 290.00
            (
                890_000,
                90_000,
                (890_000, 100_000),
            ),  # reached: calls have used theirs, nothing is left for others
            (900_000, 90_000, (890_000, 100_000)),
        ],
    )
    def test_of_two_metrics_shares_the_money(
        self, calls: int, megabytes: int, stops: tuple[int, int]
    ) -> None:
        uses = {"api_calls": Use(calls), "bandwidth": Use(megabytes * MB)}
        now = spent({"api_calls": self.CALLS, "bandwidth": self.BANDWIDTH}, uses)
        found = cap_stops(now, Decimal("390.00"), {})
        assert (found["api_calls"], found["bandwidth"] // MB) == stops

    @pytest.mark.parametrize(
        ("over", "now", "hours", "above"),
        [
            (0, 0, 720, 1_000),  # 50.00 pay for a mean of 1 000 MB over 720 hours
            (480 * 1_000, 1_000, 240, 1_000),  # stood there since: stays there
            (480 * 500, 500, 240, 2_000),  # 20 days at half of it: double for ten days
            (480 * 1_500, 1_500, 240, 0),  # all spent after 20 days
            (480 * 1_500 + 1, 1_500, 240, 0),  # and more
            (719 * 1_000, 1_000, 1, 1_000),
            (0, 3_000, 720, 997),  # 3 000 in the first hour leave 717 000 for 719 hours
            (719_000, 2_000, 1, 0),  # the last hour's peak took more than was left
        ],
    )
    def test_of_a_level(self, over: int, now: int, hours: int, above: int) -> None:
        use = Use(0, (over + now) * MB, 720)
        rest = Rest(50_000 * MB, hours, now * MB)
        stops = cap_stops(
            spent({"storage": self.STORAGE}, {"storage": use}), Decimal("50.00"), {"storage": rest}
        )
        assert stops["storage"] // MB == 50_000 + above

    def test_of_what_can_never_be_used_is_none(self) -> None:
        nearly_free = {"metric": flat("0.000000001", included=0)}
        assert cap_stops(spent(nearly_free, {}), Decimal(10_000_000), {}) == {}
        assert cap_stops(spent(nearly_free, {}), Decimal(9_000_000), {})["metric"] < MAX_QUANTITY


class TestAffordable:
    @given(prices(), MONEY)
    def test_is_never_billed_more_than_the_money(self, price: Price, money: Decimal) -> None:
        units = affordable(price, money)
        if units is not None:
            assert amount(Price(0, price.tiers), Use(units)) <= money

    @given(prices(), MONEY)
    def test_spends_all_but_the_cents_of_rounding(self, price: Price, money: Decimal) -> None:
        units = affordable(price, money)
        if units is not None:
            assert price.of(units + 1) > money - CENT * len(price.tiers)

    def test_of_tiers_that_are_rounded_up_leaves_the_last_cent(self) -> None:
        """1.5 cents and 1.5 cents are billed as 2 and 2."""
        price = Price(0, (Tier(1, Decimal("0.015"), 1), Tier(None, Decimal("0.015"), 1)))
        assert price.units_for(Decimal("0.03")) == 2
        assert affordable(price, Decimal("0.03")) == 1


metrics = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.tuples(prices(), st.integers(0, 5_000)), min_size=1
)


class TestCapStops:
    @given(metrics, MONEY)
    def test_whoever_stays_at_one_of_them_spends_at_most_the_cap(
        self, found: dict[str, tuple[Price, int]], cap: Decimal
    ) -> None:
        prices = {code: price for code, (price, _) in found.items()}
        uses = {code: Use(used) for code, (_, used) in found.items()}
        now = spent(prices, uses)
        assume(now.overage <= cap)
        for code, stop in cap_stops(now, cap, {}).items():
            assert spent(prices, {**uses, code: Use(stop)}).overage <= cap

    @given(metrics, MONEY)
    def test_none_is_below_what_is_included(self, found: dict[str, tuple[Price, int]], cap: Decimal) -> None:
        prices = {code: price for code, (price, _) in found.items()}
        uses = {code: Use(used) for code, (_, used) in found.items()}
        for code, stop in cap_stops(spent(prices, uses), cap, {}).items():
            assert stop >= (prices[code].included or 0)

    @given(metrics, MONEY)
    def test_once_the_cap_is_passed_nothing_more_fits(
        self, found: dict[str, tuple[Price, int]], over: Decimal
    ) -> None:
        prices = {code: price for code, (price, _) in found.items()}
        uses = {code: Use(used) for code, (_, used) in found.items()}
        now = spent(prices, uses)
        cap = max(Decimal(0), now.overage - over)
        for code, stop in cap_stops(now, cap, {}).items():
            assert spent(prices, {**uses, code: Use(max(stop, uses[code].used))}).overage <= max(
                cap, now.overage
            )

    @given(
        prices(),
        MONEY,
        st.integers(2, 60),
        st.lists(st.integers(0, 300), min_size=1, max_size=59),
        st.integers(0, 300),
    )
    @example(flat("0.5", included=10), Decimal(100), 20, [10, 10, 200], 15)
    def test_a_level_that_stays_there_to_the_end_costs_at_most_the_cap(
        self, price: Price, cap: Decimal, hours: int, peaks: list[int], included: int
    ) -> None:
        """`peaks`: of each hour so far, above what is included; the last one is the present hour."""
        peaks = peaks[:hours]
        use = Use(0, sum(peaks), hours)
        now = spent({"level": price}, {"level": use})
        assume(now.overage <= cap)
        left = hours - len(peaks) + 1
        stop = cap_stops(now, cap, {"level": Rest(included, left, peaks[-1])}).get("level")
        if stop is None:
            assert affordable(price, cap) is None
            return
        above = stop - included
        assert above >= 0
        whole = amount(price, Use(0, sum(peaks[:-1]) + max(peaks[-1], above) + (left - 1) * above, hours))
        assert whole <= max(cap, now.overage)
        more = sum(peaks[:-1]) + max(peaks[-1], above + 1) + (left - 1) * (above + 1)
        if more > use.excess:  # one unit more is more than the money pays for
            assert Fraction(more, hours) > (affordable(price, cap) or 0)
