"""Reading bills as FOCUS CSV: of each version, to the last place, and with every mistake a row can have."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from billing.focus import Charge, Refused
from billing.focus_columns import BY_FOLDED
from tests.billing.focus_files import COLUMNS, COUNTS, NEEDED, bill, mistakes, read, small


class TestVersions:
    @pytest.mark.parametrize("version", COLUMNS)
    def test_are_read_alike(self, version: str) -> None:
        assert len(COLUMNS[version]) == COUNTS[version]
        (charge,), reading = read(bill(version=version), provider="")
        assert charge == Charge(
            line=2,
            provider="AWS",
            month=date(2026, 10, 1),
            service="Compute",
            category="Usage",
            sub_account="1234",
            tags='{"tenant": "northwind"}',
            amount=Decimal("8.000000000000"),
            starts=datetime(2026, 10, 1, tzinfo=UTC),
            ends=datetime(2026, 10, 2, tzinfo=UTC),
        )
        assert (reading.mistakes, reading.unknown) == ([], [])

    def test_know_no_column_that_none_of_them_has(self) -> None:
        assert set(BY_FOLDED.values()) == {name for names in COLUMNS.values() for name in names}

    def test_name_the_provider_by_the_newer_column(self) -> None:
        row = {"ServiceProviderName": "Snowflake", "ProviderName": "AWS"}
        (charge,), _ = read(bill(row, version="1.3"))
        assert charge.provider == "Snowflake"

    def test_fall_back_to_the_older_column_and_then_to_what_was_named(self) -> None:
        rows = [{"ServiceProviderName": ""}, {"ServiceProviderName": "", "ProviderName": "NULL"}]
        charges, _ = read(bill(*rows, version="1.3"), provider="Hetzner")
        assert [charge.provider for charge in charges] == ["AWS", "Hetzner"]


class TestColumns:
    def test_that_are_needed_are_enough(self) -> None:
        (charge,), _ = read(small({"BilledCost": "-1.5E-7"}))
        assert charge.amount == Decimal("-0.00000015")
        assert (charge.month, charge.ends, charge.tags, charge.sub_account) == (
            date(2026, 10, 1),
            None,
            "{}",
            "",
        )

    @pytest.mark.parametrize("name", NEEDED)
    def test_that_are_needed_are_named_where_they_miss(self, name: str) -> None:
        found = mistakes(bill(columns=[one for one in COLUMNS["1.0"] if one != name]))
        assert found[0].startswith("line 1, header")
        assert f"{name} missing" in found[0]

    def test_may_come_in_any_order_and_case(self) -> None:
        content = bill(columns=COLUMNS["1.0"][::-1]).decode()
        head, rows = content.split("\r\n", 1)
        (charge,), reading = read(f" {head.upper()}\r\n{rows}".encode())
        assert (charge.service, reading.unknown) == ("Compute", [])

    def test_of_the_provider_are_fine_and_others_are_listed(self) -> None:
        _, reading = read(small(also=("x_Discounts", "X_Code", "Cost", "Service Name")))
        assert reading.unknown == ["Cost", "Service Name"]
        assert not reading.mistakes

    def test_may_stand_once(self) -> None:
        (found,) = mistakes(small(also=("Tags", "tags")))
        assert found == "line 1, header “Tags”: It stands twice: keep one of the columns."

    def test_parted_by_semicolons_are_none(self) -> None:
        (found,) = mistakes(small().replace(b",", b";"))
        assert "ChargePeriodStart, ChargeCategory, BilledCost, ServiceName missing" in found
        assert "parted by commas" in found


class TestCharges:
    def test_have_the_effective_cost_where_given_also_of_zero(self) -> None:
        rows = [{"EffectiveCost": "0"}, {"EffectiveCost": ""}, {"EffectiveCost": "2", "BilledCost": ""}]
        charges, _ = read(bill(*rows))
        assert [charge.amount for charge in charges] == [0, 10, 2]

    def test_belong_to_the_billing_month_else_to_the_month_they_begin_in(self) -> None:
        late = {"BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargePeriodStart": "2026-10-31 23:00:00"}
        late["ChargePeriodEnd"] = ""
        charges, _ = read(bill(late, {**late, "BillingPeriodStart": ""}))
        assert [charge.month.month for charge in charges] == [11, 10]

    def test_begin_in_utc(self) -> None:
        (charge,), _ = read(small({"ChargePeriodStart": "2026-10-01T01:00:00+02:00"}))
        assert charge.month == date(2026, 9, 1)

    def test_have_the_name_of_a_sub_account_without_an_id(self) -> None:
        (charge,), _ = read(bill({"SubAccountId": ""}))
        assert charge.sub_account == "Production"

    def test_say_on_which_line_they_begin(self) -> None:
        rows = [{"ServiceName": "two\nlines"}, {}, {}]
        content = small(*rows).replace(b"\r\n", b"\n").replace(b"Compute\n", b"Compute\n\n", 1)
        assert [charge.line for charge in read(content)[0]] == [2, 4, 6]

    @given(
        amounts=st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=12), min_size=1, max_size=30)
    )
    def test_sum_to_what_the_file_says(self, amounts: list[Decimal]) -> None:
        charges, _ = read(small(*({"BilledCost": f"{one:E}"} for one in amounts)))
        assert sum(charge.amount for charge in charges) == sum(amounts)

    @given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
    def test_keep_any_name(self, name: str) -> None:
        charges, reading = read(small({"ServiceName": name}))
        if charges:
            assert charges[0].service == name.strip()
        else:
            assert "ServiceName" in str(reading.mistakes[0])

    @given(tags=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=5))
    def test_keep_any_tags_that_can_be_kept(self, tags: dict[str, str]) -> None:
        charges, reading = read(small({"Tags": json.dumps(tags)}, also=("Tags",)))
        assert [json.loads(charge.tags) for charge in charges] == ([] if reading.mistakes else [tags])
        assert bool(reading.mistakes) == any("\0" in text for pair in tags.items() for text in pair)


class TestMistakes:
    @pytest.mark.parametrize(
        ("column", "value", "remedy"),
        [
            ("ChargePeriodStart", "yesterday", "Write a time"),
            ("ChargePeriodStart", "", "It is empty"),
            ("ChargePeriodEnd", "2026-99-01", "Write a time"),
            ("ChargePeriodEnd", "2026-09-30 00:00", "It lies before ChargePeriodStart"),
            ("BillingPeriodStart", "October", "Write a time"),
            ("BilledCost", "12,50", "Write a number"),
            ("BilledCost", "NaN", "Write a number"),
            ("EffectiveCost", "Infinity", "Write a number"),
            ("EffectiveCost", "1e15", "more than any bill"),
            ("ChargeCategory", "", "It is empty"),
            ("ServiceName", "", "It is empty"),
            ("ServiceName", "x" * 201, "at most 200"),
            ("SubAccountId", "x" * 121, "at most 120"),
            ("ServiceProviderName", "x" * 61, "at most 60"),
            ("BillingCurrency", "", "It is empty"),
            ("Tags", "team=core", "Write tags as a JSON object"),
        ],
    )
    def test_name_line_column_value_and_remedy(self, column: str, value: str, remedy: str) -> None:
        (found,) = mistakes(bill({}, {column: value}, version="1.3"))
        shown = value if len(value) <= 60 else f"{value[:60]}…"
        assert found.startswith(f"line 3, {column} “{shown}”: ")
        assert remedy in found

    def test_name_another_currency_once(self) -> None:
        found = mistakes(
            bill({"BillingCurrency": "EUR"}, {"BillingCurrency": "EUR"}, {"BillingCurrency": "CHF"})
        )
        assert [one[:31] for one in found] == [
            "line 2, BillingCurrency “EUR”: ",
            "line 4, BillingCurrency “CHF”: ",
        ]
        assert "Amounts are kept in USD (HEADROOM_CURRENCY)" in found[0]

    def test_know_the_currency_of_the_settings(self, settings: Settings) -> None:
        settings.HEADROOM_CURRENCY = "EUR"
        assert mistakes(bill({"BillingCurrency": "eur"})) == []
        assert "Amounts are kept in EUR" in mistakes(bill())[0]

    def test_say_that_nobody_named_the_provider(self) -> None:
        (found,) = mistakes(small(), provider="")
        assert "line 2, ServiceProviderName" in found
        assert "--provider" in found

    def test_say_that_a_row_has_no_amount(self) -> None:
        (found,) = mistakes(bill({"BilledCost": "", "EffectiveCost": ""}))
        assert found == "line 2, BilledCost “”: It is empty: every row needs it."

    @pytest.mark.parametrize(("end", "cells"), [(b",1,2", 6), (b"", 3)])
    def test_count_the_cells_of_a_row(self, end: bytes, cells: int) -> None:
        row = b"2026-10-01,Usage,1,Compute" if end else b"2026-10-01,Usage,1"
        (found,) = mistakes(small() + row + end)
        assert f"line 3, row “{(row + end).decode()}”: It has {cells} cells, the header has 4" in found

    def test_show_the_first_twenty_and_count_all(self) -> None:
        charges, reading = read(small(*({"BilledCost": f"x{n}"} for n in range(500)), {}))
        assert (len(charges), len(reading.mistakes), reading.count) == (1, 20, 500)
        with pytest.raises(Refused) as refused:
            reading.check()
        assert refused.value.more == 480

    def test_are_all_of_a_row(self) -> None:
        found = mistakes(small({"BilledCost": "x", "ChargePeriodStart": "y", "ServiceName": ""}))
        assert len(found) == 3

    def test_show_nothing_that_steers_a_terminal(self) -> None:
        (found,) = mistakes(small({"BilledCost": "\x1b[2J1"}))
        assert "\x1b" not in found
