"""Bills as they are written: versions that replace one another whole, or not at all."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.costs import bills as writing
from billing.costs.bills import TypedRow, former_of, import_bill, type_bill, withdraw
from billing.focus import Reading, Refused
from billing.focus_lines import unpacked
from billing.models import CostBill, CostRow
from tenants.models import User
from tests.billing.focus_files import bill, small, state

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
OCTOBER, SEPTEMBER = date(2026, 10, 1), date(2026, 9, 1)
RENT = [TypedRow("Servers", Decimal("412.10")), TypedRow("Credit", Decimal(-12), "Credit", "main")]


def import_file(content: bytes, author: User | None = None, source: str = "bill.csv") -> list[CostBill]:
    reading = Reading(unpacked(io.BytesIO(content)), provider="AWS")
    return import_bill(reading, source=source, author=author, at=AT)


@pytest.mark.django_db
class TestImport:
    def test_keeps_every_row_and_their_sum(self, staff: User) -> None:
        rows = [{"EffectiveCost": "1.5E-7"}, {"EffectiveCost": "-3", "ServiceName": "Credit", "Tags": ""}]
        (made,) = import_file(bill(*rows), staff, "oct.csv")
        made.refresh_from_db()
        assert (made.provider, made.month, made.version, made.is_current) == ("AWS", OCTOBER, 1, True)
        assert (made.currency, made.source, made.rows, made.author) == ("USD", "oct.csv", 2, staff)
        assert (made.total, made.imported_at, len(made.sha256)) == (Decimal("-2.99999985"), AT, 64)
        first, second = made.charges.order_by("line")
        assert (first.line, first.service, first.category, first.sub_account) == (
            2,
            "Compute",
            "Usage",
            "1234",
        )
        assert (first.tags, first.amount) == ({"tenant": "northwind"}, Decimal("0.00000015"))
        assert (first.starts, first.ends) == (
            datetime(2026, 10, 1, tzinfo=UTC),
            datetime(2026, 10, 2, tzinfo=UTC),
        )
        assert (second.line, second.tags, int(second.amount)) == (3, dict[str, str](), -3)

    def test_of_the_month_again_replaces_its_rows_and_keeps_its_header(self) -> None:
        import_file(small({"BilledCost": "1"}, {"BilledCost": "2"}))
        import_file(small({"BilledCost": "5", "ServiceName": "Storage"}))
        assert state() == [
            ("AWS", OCTOBER, 1, False, 3),
            ("AWS", OCTOBER, 2, True, 5),
            (2, 2, "Storage", 5),
        ]

    def test_of_the_same_file_makes_the_same_version_again(self) -> None:
        first, second = import_file(bill())[0], import_file(bill())[0]
        assert (second.version, second.sha256, second.total) == (2, first.sha256, first.total)

    def test_leaves_other_months_and_providers_alone(self) -> None:
        type_bill("Hetzner", OCTOBER, RENT, author=None, at=AT)
        import_file(small({"ChargePeriodStart": "2026-09-01"}))
        import_file(small())
        assert [row[:4] for row in state()[:3]] == [
            ("Hetzner", OCTOBER, 1, True),
            ("AWS", SEPTEMBER, 1, True),
            ("AWS", OCTOBER, 1, True),
        ]

    def test_of_a_file_with_several_makes_them_together(self) -> None:
        places = [
            ("AWS", "2026-09-30 23:00:00"),
            ("GCP", "2026-10-01"),
            ("AWS", "2026-10-01"),
            ("AWS", "2026-09-01"),
        ]
        rows = [{"ProviderName": name, "ChargePeriodStart": at, "ServiceName": at} for name, at in places]
        made = import_file(small(*rows, also=("ProviderName",)))
        assert [(one.provider, one.month, one.rows) for one in made] == [
            ("AWS", SEPTEMBER, 2),
            ("GCP", OCTOBER, 1),
            ("AWS", OCTOBER, 1),
        ]
        assert list(made[0].charges.values_list("line", flat=True)) == [2, 5]

    def test_knows_a_provider_in_any_case(self) -> None:
        type_bill("aws", OCTOBER, RENT, author=None, at=AT)
        (made,) = import_file(small())
        assert (made.provider, made.version) == ("aws", 2)
        former = former_of("AWS", OCTOBER)
        assert former == made

    def test_of_more_rows_than_a_chunk_keeps_them_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "CHUNK", 7)
        (made,) = import_file(small(*({"BilledCost": str(n), "ServiceName": f"s {n}"} for n in range(50))))
        assert (made.rows, made.total, CostRow.objects.count()) == (50, Decimal(1225), 50)

    def test_keeps_what_looks_like_sql_html_or_a_formula_as_it_is(self) -> None:
        names = ["'); DROP TABLE x; --", "<script>alert(1)</script>", "=cmd()", "a\tb\\n\\.", "\\N", "Ü\r\n☃"]
        import_file(small(*({"ServiceName": name} for name in names)))
        assert list(CostRow.objects.order_by("line").values_list("service", flat=True)) == names


@pytest.mark.django_db(transaction=True)
class TestRefusedImport:
    @pytest.mark.parametrize(
        "bad", [{"BilledCost": "x"}, {"ChargePeriodStart": "x"}, {"BillingCurrency": "EUR"}]
    )
    def test_changes_nothing(self, bad: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "CHUNK", 2)
        import_file(small({"BilledCost": "1"}))
        before = state()
        with pytest.raises(Refused) as refused:
            import_file(small({}, {}, {}, bad, {}, also=("BillingCurrency",)))
        assert refused.value.mistakes[0].line == 5
        assert state() == before


class TestSum(TestCase):
    @given(amounts=st.lists(st.decimals(min_value=-(10**14), max_value=10**14, places=12), max_size=12))
    def test_is_that_of_the_rows_to_the_last_place(self, amounts: list[Decimal]) -> None:
        rows = [TypedRow("Servers", one) for one in amounts]
        made = type_bill("Hetzner", OCTOBER, rows, author=None, at=AT)
        made.refresh_from_db()
        whole = sum(int(one.scaleb(12)) for one in made.charges.values_list("amount", flat=True))
        assert int(made.total.scaleb(12)) == whole == sum(int(one.scaleb(12)) for one in amounts)


@pytest.mark.django_db
class TestTypedBill:
    def test_is_for_the_whole_month(self, staff: User) -> None:
        made = type_bill("Hetzner", OCTOBER, RENT, author=staff, at=AT)
        assert (made.total, made.rows, made.is_typed, made.sha256) == (Decimal("400.10"), 2, True, "")
        row = made.charges.get(line=2)
        assert (row.service, row.category, row.sub_account, row.tags) == ("Credit", "Credit", "main", {})
        assert (row.starts, row.ends) == (
            datetime(2026, 10, 1, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
        )

    def test_typed_again_is_the_next_version(self) -> None:
        type_bill("Hetzner", OCTOBER, RENT, author=None, at=AT)
        type_bill("Hetzner", OCTOBER, RENT[:1], author=None, at=AT)
        assert [row[2:] for row in state()] == [
            (1, False, Decimal("400.10")),
            (2, True, Decimal("412.10")),
            ("Servers", Decimal("412.10")),
        ]

    def test_that_is_withdrawn_costs_nothing_until_there_is_another(self, staff: User) -> None:
        made = type_bill("Hetzner", OCTOBER, RENT, author=None, at=AT)
        gone = withdraw(made, author=staff, at=AT)
        assert (gone.version, gone.rows, gone.source) == (2, 0, "withdrawn")
        assert gone.author == staff
        assert state() == [
            ("Hetzner", OCTOBER, 1, False, Decimal("400.10")),
            ("Hetzner", OCTOBER, 2, True, 0),
        ]


@pytest.mark.django_db
class TestTables:
    def test_take_one_current_bill_per_provider_and_month(self) -> None:
        made = type_bill("Hetzner", OCTOBER, RENT, author=None, at=AT)
        made.pk, made.version = None, 2  # a copy
        with pytest.raises(IntegrityError, match="one_current_bill_per_month"), transaction.atomic():
            made.save()

    def test_take_months_by_their_first_day(self) -> None:
        with pytest.raises(IntegrityError, match="bill_month_is_a_first"), transaction.atomic():
            CostBill.objects.create(
                provider="x", month=date(2026, 10, 2), currency="USD", source="x", imported_at=AT
            )
