"""What the admin's forms for allowances and prices read, and which mistakes they name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.forms import inlineformset_factory

from billing.admin.fields import QuantityField
from billing.admin.forms import AllowanceForm, FlatAllowanceForm, TierForm, TierFormSet
from billing.models import Allowance, Metric, PriceTier
from billing.quantities import NotAQuantity, parsed, spelled

pytestmark = pytest.mark.django_db


def errors(metric: str, **data: Any) -> dict[str, list[str]]:
    """The errors of a new allowance of `metric`; what isn't given is as in most plans."""
    given = {"metric": Metric.objects.get(code=metric).pk, "included": 1000, "beyond": "bill", **data}
    return dict(FlatAllowanceForm(given).errors)  # type: ignore[arg-type]


class TestQuantity:
    @pytest.mark.parametrize(
        ("text", "units"),
        [
            ("1000", 1000),
            ("1,000", 1000),
            ("1 000 000", 1_000_000),
            ("5 GB", 5_000_000_000),
            ("5gb", 5_000_000_000),
            ("1.5 MB", 1_500_000),
            ("10,000 MB", 10_000_000_000),
            ("0", 0),
            ("9007199254740992", 2**53),
        ],
    )
    def test_reads(self, text: str, units: int) -> None:
        assert parsed(text) == units

    @pytest.mark.parametrize(
        "text", ["", "lots", "-1", "1,5 GB", "1.5", "5 MiB", "1e6", "1.0000001 MB", str(2**54)]
    )
    def test_asks_about(self, text: str) -> None:
        with pytest.raises(NotAQuantity):
            parsed(text)

    def test_is_spelled_exactly(self) -> None:
        storage, calls = Metric.objects.get(code="storage"), Metric.objects.get(code="api_calls")
        assert spelled(5_000_000_000, storage) == "5,000 MB"
        assert spelled(5_000_000_001, storage) == "5,000,000,001 bytes"
        assert spelled(1_500, storage) == "1,500 bytes"
        assert spelled(2_000, storage) == "2 kB"
        assert spelled(0, storage) == "0 bytes"
        assert spelled(50_000, calls) == "50,000"
        assert spelled(None, calls) == "unlimited"

    def test_empty_is_none(self) -> None:
        assert QuantityField(required=False).clean("") is None


class TestAllowance:
    def test_takes_what_the_seed_has(self) -> None:
        for one in Allowance.objects.select_related("metric"):
            data = {
                name: getattr(one, name) if getattr(one, name) is not None else ""
                for name in ("included", "beyond", "hard_limit", "burst")
            }
            form = AllowanceForm({**data, "metric": one.metric_id}, instance=one)
            assert form.is_valid(), form.errors
            assert not form.has_changed()

    def test_says_below_a_field_what_its_bytes_are(self) -> None:
        html = str(
            FlatAllowanceForm(instance=Allowance.objects.get(plan__slug="pro", metric__code="storage"))
        )
        assert "= 50,000 MB" in html
        assert "= 1 MB" in html

    def test_of_one_that_exists_keeps_its_metric(self) -> None:
        one = Allowance.objects.get(plan__slug="pro", metric__code="storage")
        other = Metric.objects.get(code="users")
        form = AllowanceForm({"metric": other.pk, "included": 5, "beyond": "stop"}, instance=one)
        assert form.is_valid()
        assert form.save().metric.code == "storage"

    @pytest.mark.parametrize(
        ("changes", "field", "message"),
        [
            (
                {"hard_limit": 500},
                "hard_limit",
                "500 lies below the included 1,000: enter 1,000 or more, or leave this empty.",
            ),
            (
                {"hard_limit": 2000, "beyond": "stop"},
                "hard_limit",
                "Use stops at the included 1,000 already: leave this empty, or bill what goes beyond.",
            ),
            (
                {"hard_limit": 2000, "included": ""},
                "hard_limit",
                "2,000 is never reached where all is included: include 2,000, or leave this empty.",
            ),
            (
                {"burst": 0},
                "burst",
                "A burst of 0 would refuse everything: leave it empty for no such limit.",
            ),
            (
                {"burst": 10**9},
                "burst",
                "1,000,000,000 is more than 60,000,000: leave it empty for no such limit.",
            ),
            ({"price": "-1"}, "price", "A price can't be negative: leave it empty for none."),
            ({"price": "1", "per": 0}, "per", "A price for 0 units is no price: write 1, or 1 MB."),
            (
                {"included": "5 GB"},
                "included",
                "“5 GB” is a size, but API calls are counted: write a plain number.",
            ),
        ],
    )
    def test_names_the_mistake_and_its_remedy(
        self, changes: dict[str, object], field: str, message: str
    ) -> None:
        assert errors("api_calls", **changes) == {field: [message]}

    @pytest.mark.parametrize(
        "changes",
        [
            {"hard_limit": 1000},
            {"hard_limit": 5000, "beyond": "notify"},
            {"included": "", "beyond": "stop"},
            {"included": 0, "beyond": "stop"},
            {"burst": 600},
            {"price": ""},  # billed without a price: said aloud after saving, not refused
            {"price": "0.001"},
        ],
    )
    def test_takes(self, changes: dict[str, object]) -> None:
        assert errors("api_calls", **changes) == {}


class TestTiers:
    def formset(self, *rows: dict[str, object]) -> TierFormSet:
        one = Allowance.objects.get(plan__slug="free", metric__code="storage")
        form_set = inlineformset_factory(Allowance, PriceTier, form=TierForm, formset=TierFormSet, extra=0)
        data: dict[str, object] = {"tiers-TOTAL_FORMS": len(rows), "tiers-INITIAL_FORMS": 0}
        for place, row in enumerate(rows):
            data |= {f"tiers-{place}-{name}": value for name, value in row.items()}
        return form_set(data, instance=one)  # type: ignore[return-value]

    def problem(self, *rows: dict[str, object]) -> str:
        tiers = self.formset(*rows)
        assert not tiers.is_valid()
        of_rows = [str(one) for form in tiers.forms for one in form.errors.values()]
        return "; ".join([*tiers.non_form_errors(), *of_rows])

    def test_are_taken_in_any_order(self) -> None:
        rest: dict[str, object] = {"up_to": "", "price": "0.01", "per": "1 MB"}
        first: dict[str, object] = {"up_to": "10 GB", "price": "0.05", "per": "1 MB"}
        tiers = self.formset(rest, first)
        assert tiers.is_valid(), tiers.errors
        tiers.save()
        saved = PriceTier.objects.filter(allowance__plan__slug="free").values_list("up_to", "price", "per")
        assert list(saved) == [(10**10, Decimal("0.05"), 10**6), (None, Decimal("0.01"), 10**6)]

    def test_need_one_without_an_end(self) -> None:
        assert "Units beyond 10,000 MB have no price" in self.problem(
            {"up_to": "10 GB", "price": "1", "per": 1}
        )

    def test_need_only_one_without_an_end(self) -> None:
        row: dict[str, object] = {"up_to": "", "price": "1", "per": 1}
        assert "Several tiers have no end" in self.problem(row, row)

    def test_end_at_different_amounts(self) -> None:
        row: dict[str, object] = {"up_to": "1 GB", "price": "1", "per": 1}
        assert "Two tiers end at 1,000 MB" in self.problem(row, row, {"up_to": "", "price": "1", "per": 1})

    def test_hold_something(self) -> None:
        assert "A tier that ends at 0 holds nothing" in self.problem(
            {"up_to": 0, "price": "1", "per": 1}, {"up_to": "", "price": "1", "per": 1}
        )

    def test_have_a_price_for_something(self) -> None:
        assert "A price for 0 units" in self.problem({"up_to": "", "price": "1", "per": 0})
