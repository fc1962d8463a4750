"""Dividing a bill: exact sums, right signs, and the same parts whoever comes first."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.allocation import Cost, Direct, Driven, Mode, Parts, Shared, allocate

ACME, BIRCH, CEDAR, DUNE = 1, 2, 3, 4

tenants = st.integers(1, 12)
# Up to twelve decimals of a unit, that is ten of a cent, as bills have them; credits are negative.
exact_cents = st.builds(
    Fraction, st.integers(-(10**15), 10**15), st.sampled_from([1, 2, 3, 10, 10**4, 10**10])
)
weights = st.dictionaries(tenants, st.integers(0, 10**12), max_size=8)
driven = st.builds(Driven, weights)
direct = st.builds(Direct, st.dictionaries(tenants, exact_cents, max_size=8))
splits = st.one_of(driven, direct, st.builds(Shared, st.sampled_from(Mode)))


@st.composite
def bills(draw: st.DrawFn) -> list[Cost]:
    """The costs of up to three bills, each with a name of its own."""
    rows = draw(st.lists(st.tuples(st.sampled_from("abc"), exact_cents, splits), max_size=7))
    return [Cost(bill, f"service {number}", cents, split) for number, (bill, cents, split) in enumerate(rows)]


def cost(dollars: str, split: Driven | Direct | Shared, name: str = "x") -> Cost:
    return Cost("bill", name, Fraction(dollars) * 100, split)


def rounded_bills(costs: list[Cost]) -> dict[str, int]:
    exact: dict[str, Fraction] = {}
    for one in costs:
        exact[one.bill] = exact.get(one.bill, Fraction(0)) + one.cents
    return {bill: round(cents) for bill, cents in exact.items()}


class TestAnyBill:
    @given(bills(), st.sets(tenants))
    def test_parts_sum_to_their_cost_and_costs_to_the_rounded_bill(
        self, costs: list[Cost], active: set[int]
    ) -> None:
        found: Counter[str] = Counter()
        for one, parts in zip(costs, allocate(costs, active), strict=True):
            assert sum(parts.tenants.values()) + parts.unallocated + parts.shared == parts.amount
            assert abs(parts.amount - one.cents) < 1
            found[one.bill] += parts.amount
        assert dict(found) == rounded_bills(costs)

    @given(bills(), st.sets(tenants))
    def test_no_part_has_the_wrong_sign(self, costs: list[Cost], active: set[int]) -> None:
        for one, parts in zip(costs, allocate(costs, active), strict=True):
            assert parts.amount * one.cents >= 0
            for tenant, cents in parts.tenants.items():
                whose = one.split.cents[tenant] if isinstance(one.split, Direct) else one.cents
                assert cents * whose > 0

    @given(bills(), st.lists(tenants, unique=True), st.randoms())
    def test_the_order_of_rows_and_tenants_never_counts(
        self, costs: list[Cost], active: list[int], random: st.DataObject
    ) -> None:
        mixed = [(number, shuffled(one, random)) for number, one in enumerate(costs)]
        random.shuffle(mixed)  # type: ignore[attr-defined]
        random.shuffle(active)  # type: ignore[attr-defined]
        found = dict(
            zip([number for number, _ in mixed], allocate([one for _, one in mixed], active), strict=True)
        )
        assert [found[number] for number in range(len(costs))] == allocate(costs, sorted(active))

    @given(bills(), st.sets(tenants), st.permutations(range(1, 13)))
    def test_who_has_the_same_share_bears_the_same_under_any_name(
        self, costs: list[Cost], active: set[int], names: list[int]
    ) -> None:
        """Renamed tenants take their parts along; only of equal shares a cent goes by the name."""
        for one, parts, other in zip(
            costs,
            allocate(costs, active),
            allocate([renamed(one, names) for one in costs], {names[t - 1] for t in active}),
            strict=True,
        ):
            if isinstance(one.split, Driven | Direct):
                assert shares(one, parts) == shares(renamed(one, names), other)
            assert parts.amount == other.amount

    @given(bills(), st.sets(tenants))
    def test_turned_into_a_credit_it_is_the_same_with_another_sign(
        self, costs: list[Cost], active: set[int]
    ) -> None:
        costs = [one for one in costs if not isinstance(one.split, Shared)]
        for parts, credit in zip(
            allocate(costs, active), allocate([turned(one) for one in costs], active), strict=True
        ):
            if parts.amount:
                assert credit.amount == -parts.amount
                assert credit.tenants == {tenant: -cents for tenant, cents in parts.tenants.items()}


class TestDriven:
    @given(exact_cents, weights)
    def test_who_used_nothing_pays_nothing(self, cents: Fraction, used: dict[int, int]) -> None:
        (parts,) = allocate([Cost("bill", "x", cents, Driven(used))], ())
        assert parts.tenants.keys() <= {tenant for tenant, weight in used.items() if weight}

    @given(exact_cents, weights)
    def test_each_bears_its_share_of_the_driver_to_one_cent(
        self, cents: Fraction, used: dict[int, int]
    ) -> None:
        (parts,) = allocate([Cost("bill", "x", cents, Driven(used))], ())
        allocated, whole = sum(parts.tenants.values()), sum(used.values())
        for tenant, weight in used.items():
            if whole:
                assert abs(parts.tenants.get(tenant, 0) - Fraction(allocated * weight, whole)) < 1

    @given(exact_cents, st.dictionaries(tenants, st.just(0)))
    def test_what_nobody_used_is_unallocated(self, cents: Fraction, used: dict[int, int]) -> None:
        (parts,) = allocate([Cost("bill", "x", cents, Driven(used))], (ACME,))
        assert (parts.tenants, parts.unallocated) == ({}, round(cents))

    def test_equal_shares_part_a_cent_by_the_smaller_id(self) -> None:
        (parts,) = allocate([cost("0.02", Driven({CEDAR: 1, ACME: 1, BIRCH: 1}))], ())
        assert parts.tenants == {ACME: 1, BIRCH: 1}

    def test_of_equal_remainders_the_larger_share_goes_first(self) -> None:
        """A quarter and three quarters of two cents leave half a cent each."""
        (parts,) = allocate([cost("0.02", Driven({ACME: 1, BIRCH: 3}))], ())
        assert parts.tenants == {BIRCH: 2}


class TestDirect:
    def test_what_names_nobody_is_unallocated(self) -> None:
        (parts,) = allocate([cost("10", Direct({ACME: Fraction(600), BIRCH: Fraction(150)}))], ())
        assert parts == Parts(1000, {ACME: 600, BIRCH: 150}, unallocated=250)

    def test_credits_and_charges_stand_side_by_side(self) -> None:
        (parts,) = allocate([cost("5", Direct({ACME: Fraction(800), BIRCH: Fraction(-300)}))], ())
        assert parts == Parts(500, {ACME: 800, BIRCH: -300})


class TestShared:
    costs = [cost("90", Driven({ACME: 2, BIRCH: 1}), "used")]

    def split(self, mode: Mode, dollars: str = "30", active: tuple[int, ...] = (ACME, BIRCH, CEDAR)) -> Parts:
        return allocate([cost(dollars, Shared(mode), "shared"), *self.costs], active)[0]

    def test_follows_what_tenants_bear_of_the_others_wherever_it_stands(self) -> None:
        assert self.split(Mode.PROPORTIONAL) == Parts(3000, {ACME: 2000, BIRCH: 1000})

    def test_is_the_same_for_each_active_tenant(self) -> None:
        assert self.split(Mode.EVEN) == Parts(3000, {ACME: 1000, BIRCH: 1000, CEDAR: 1000})

    def test_stays_apart(self) -> None:
        assert self.split(Mode.APART) == Parts(3000, {}, shared=3000)

    def test_who_got_more_credit_than_cost_bears_none_of_it(self) -> None:
        costs = [
            cost("10", Driven({ACME: 1}), "used"),
            cost("-5", Direct({BIRCH: Fraction(-500)}), "credit"),
            cost("3", Shared(Mode.PROPORTIONAL), "shared"),
        ]
        assert allocate(costs, ())[2] == Parts(300, {ACME: 300})

    @pytest.mark.parametrize("mode", [Mode.PROPORTIONAL, Mode.EVEN])
    def test_is_unallocated_where_there_is_nobody_to_share_it(self, mode: Mode) -> None:
        assert allocate([cost("3", Shared(mode))], ()) == [Parts(300, {}, unallocated=300)]


class TestBills:
    def test_each_is_rounded_by_itself(self) -> None:
        shared = Shared(Mode.APART)
        costs = [Cost(bill, "x", Fraction("0.4"), shared) for bill in "abc"]
        assert [parts.amount for parts in allocate(costs, ())] == [0, 0, 0]

    def test_a_name_that_stands_twice_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Two costs of bill are called “x”"):
            allocate([cost("1", Shared(Mode.APART)), cost("2", Shared(Mode.APART))], ())


class TestThreeServicesOverFourTenants:
    """Computed by hand in docs/money.md."""

    costs = [
        cost("612.4668", Driven({ACME: 60_000, BIRCH: 25_000, CEDAR: 15_000, DUNE: 0}), "Compute"),
        cost("287.53", Direct({ACME: Fraction("12000.4"), BIRCH: Fraction("8000.25")}), "Storage"),
        cost("100.0032", Shared(Mode.PROPORTIONAL), "Support"),
    ]

    def test_comes_to_what_a_person_computes(self) -> None:
        assert allocate(self.costs, (ACME, BIRCH, CEDAR)) == [
            Parts(612_47, {ACME: 367_48, BIRCH: 153_12, CEDAR: 91_87}),
            Parts(287_53, {ACME: 120_01, BIRCH: 80_00}, unallocated=87_52),
            Parts(100_00, {ACME: 60_00, BIRCH: 28_69, CEDAR: 11_31}),
        ]


def shuffled(one: Cost, random: st.DataObject) -> Cost:
    """The same cost, its tenants in another order."""

    def mix(values: dict[int, int]) -> dict[int, int]:
        items = list(values.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return dict(items)

    match one.split:
        case Driven(found):
            return Cost(one.bill, one.name, one.cents, Driven(mix(dict(found))))
        case Direct(found):
            return Cost(one.bill, one.name, one.cents, Direct(mix(dict(found))))  # type: ignore[arg-type]
    return one


def renamed(one: Cost, names: list[int]) -> Cost:
    match one.split:
        case Driven(found):
            return Cost(one.bill, one.name, one.cents, Driven({names[t - 1]: n for t, n in found.items()}))
        case Direct(cents):
            return Cost(one.bill, one.name, one.cents, Direct({names[t - 1]: n for t, n in cents.items()}))
    return one


def turned(one: Cost) -> Cost:
    split = one.split
    if isinstance(split, Direct):
        split = Direct({tenant: -cents for tenant, cents in split.cents.items()})
    return Cost(one.bill, one.name, -one.cents, split)


def shares(one: Cost, parts: Parts) -> list[tuple[object, int]]:
    """What each share of the cost came to, whoever's it is."""
    found = one.split.weights if isinstance(one.split, Driven) else one.split.cents  # type: ignore[union-attr]
    return sorted((share, parts.tenants.get(tenant, 0)) for tenant, share in found.items())
