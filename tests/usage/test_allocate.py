"""A month's bills divided and kept: by hand, again and again, as versions, and due at the right time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.closings import plan_closings
from billing.costs.bills import TypedRow, type_bill, withdraw
from billing.models import Allocation, Closing, CostAlias, CostLine, CostRule, CostShare
from tests.usage.costing import (
    AT,
    NOVEMBER,
    ROWS,
    SETTLED,
    FourTenants,
    bill_again,
    borne,
    four_tenants,
    lines,
    use,
)
from usage.costs.allocate import allocate_month, is_settled
from usage.costs.due import EVERY, allocate_costs, due
from usage.costs.months import Month
from usage.costs.moves import Move, moves_in

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> FourTenants:
    return four_tenants()


def made(at: datetime = AT, reason: str = "") -> Allocation:
    allocation = allocate_month(NOVEMBER, at, reason=reason)
    assert allocation is not None
    return allocation


class TestThreeServicesOverFourTenants:
    """Worked out by hand in docs/money.md."""

    def test_each_service_goes_where_a_person_puts_it(self, world: FourTenants) -> None:
        assert lines(made()) == {
            "Compute": ("612.47", "0.00", "0.00", "612.47"),
            "Storage": ("200.01", "0.00", "87.52", "287.53"),
            "Support": ("100.00", "0.00", "0.00", "100.00"),
        }

    def test_each_tenant_has_the_margin_a_person_computes(self, world: FourTenants) -> None:
        assert borne(made()) == {
            "acme": ("29.00", "547.49", "-518.49"),
            "birch": ("199.00", "261.81", "-62.81"),
            "cedar": ("199.00", "103.18", "95.82"),
            "dune": ("1499.00", "0.00", "1499.00"),
            "shared": ("0.00", "0.00", "0.00"),
            "none": ("0.00", "87.52", "-87.52"),
        }

    def test_a_tenants_lines_say_what_of_which_service(self, world: FourTenants) -> None:
        share = CostShare.objects.get(allocation=made(), tenant=world["acme"])
        names = dict(CostLine.objects.values_list("number", "service"))
        assert {names[int(number)]: cost for number, cost in share.lines.items()} == {
            "Compute": "367.48",
            "Storage": "120.01",
            "Support": "60.00",
        }

    def test_totals_are_the_bills(self, world: FourTenants) -> None:
        one = made()
        assert (one.bill, one.to_tenants, one.shared, one.unallocated, one.revenue) == (
            Decimal("1000.00"),
            Decimal("912.48"),
            Decimal("0.00"),
            Decimal("87.52"),
            Decimal("1926.00"),
        )
        assert sum(share.cost for share in CostShare.objects.all()) == one.bill

    def test_a_name_that_nobody_has_is_shown_and_given_by_an_alias(self, world: FourTenants) -> None:
        assert CostLine.objects.get(allocation=made(), service="Storage").strangers == ["zeta"]
        CostAlias.objects.create(value="Zeta", tenant=world["dune"])
        assert lines(made())["Storage"] == ("287.53", "0.00", "0.00", "287.53")

    def test_no_rule_leaves_it_apart(self, world: FourTenants) -> None:
        CostRule.objects.all().delete()
        one = made()
        assert lines(one)["Compute"] == ("0.00", "612.47", "0.00", "612.47")
        assert borne(one)["shared"] == ("0.00", "1000.00", "-1000.00")
        line = CostLine.objects.get(allocation=one, service="Compute")
        assert (line.rule, line.driver, line.is_shared) == ("", "not split", True)


class TestAnOpenMonth:
    def test_is_divided_again_in_its_place(self, world: FourTenants) -> None:
        first = made()
        use(world["dune"], 100_000)
        again = made()
        assert (again.pk, again.version, again.is_final) == (first.pk, 1, False)
        assert lines(again)["Compute"] == lines(first)["Compute"]
        assert borne(again)["dune"][1] != "0.00"
        assert CostShare.objects.count() == 6

    def test_without_a_bill_has_nothing(self) -> None:
        assert allocate_month(NOVEMBER, AT) is None
        assert not Allocation.objects.exists()

    def test_whose_bill_is_withdrawn_comes_to_nothing(self, world: FourTenants) -> None:
        made()
        withdraw(world.bill, author=None, at=AT)
        one = made()
        assert (one.bill, lines(one)) == (Decimal("0.00"), {})

    def test_several_bills_are_divided_together(self, world: FourTenants) -> None:
        bill_again(TypedRow("Compute", Decimal("10.005")), provider="Azure")
        one = made()
        assert one.bill == Decimal("1010.00")
        assert CostLine.objects.filter(allocation=one).values("provider").distinct().count() == 2

    def test_credits_lower_what_their_tenants_bear(self, world: FourTenants) -> None:
        bill_again(*ROWS, TypedRow("Storage", Decimal("-120.004"), sub_account="acme"))
        one = made()
        assert borne(one)["acme"][1] == "420.55"  # and less of what is shared in proportion
        assert sum(share.cost for share in one.shares.all()) == one.bill == Decimal("880.00")


class TestAFinalMonth:
    def test_keeps_what_was_reported(self, world: FourTenants) -> None:
        one = made(SETTLED)
        assert one.is_final
        use(world["dune"], 100_000)
        CostRule.objects.all().delete()
        again = made(SETTLED + HOUR)
        assert (again.pk, again.made_at) == (one.pk, SETTLED)
        assert borne(again)["dune"] == ("1499.00", "0.00", "1499.00")

    def test_is_a_new_version_when_a_bill_is_imported_again(self, world: FourTenants) -> None:
        before = made(SETTLED)
        told = borne(before)
        bill_again(TypedRow("Compute", Decimal("700")), *ROWS[1:])
        one = made(SETTLED + HOUR)
        assert (one.version, one.is_final, one.note) == (2, True, "AWS is at version 2")
        assert one.bill == Decimal("1087.53")
        assert borne(before) == told

    def test_says_what_moved_the_largest_first(self, world: FourTenants) -> None:
        made(SETTLED)
        bill_again(TypedRow("Compute", Decimal("700")), *ROWS[1:4], TypedRow("Backup", Decimal("5")))
        one = made(SETTLED + HOUR)
        acme, birch, cedar = (world[slug].pk for slug in ("acme", "birch", "cedar"))
        assert moves_in(one) == [
            Move("tenant", acme, "AWS", "Support", 60_00, 0),
            Move("tenant", acme, "AWS", "Compute", 367_48, 420_00),
            Move("tenant", birch, "AWS", "Support", 28_69, 0),
            Move("tenant", birch, "AWS", "Compute", 153_12, 175_00),
            Move("tenant", cedar, "AWS", "Compute", 91_87, 105_00),
            Move("tenant", cedar, "AWS", "Support", 11_31, 0),
            Move("shared", None, "AWS", "Backup", 0, 5_00),
        ]
        assert (one.moved["count"], one.moved["sum"]) == (7, "-7.47")

    def test_is_divided_anew_for_a_reason(self, world: FourTenants) -> None:
        made(SETTLED)
        CostRule.objects.filter(name="Compute").delete()
        one = made(SETTLED + HOUR, reason="Compute is shared")
        assert (one.version, one.note, one.is_final) == (2, "Compute is shared", True)
        assert lines(one)["Compute"] == ("0.00", "612.47", "0.00", "612.47")
        assert one.moved["sum"] == "0"

    def test_a_service_that_rules_split_in_another_way_has_moved_once(self, world: FourTenants) -> None:
        made(SETTLED)
        CostRule.objects.create(
            position=0, name="One of two", service="storage", sub_account="zeta", driver="even"
        )
        one = made(SETTLED + HOUR, reason="Zeta is everybody's")
        services = [(move.kind, move.service) for move in moves_in(one) if move.tenant_id is None]
        assert services == [("none", "Storage")]


class TestWhenAMonthIsSettled:
    @pytest.mark.parametrize(
        ("at", "has_open", "is_over"),
        [
            (NOVEMBER.ends - HOUR, False, False),
            (NOVEMBER.ends + HOUR / 2, False, False),
            (NOVEMBER.ends + HOUR, False, True),
            (NOVEMBER.ends + HOUR, True, False),
            (NOVEMBER.ends + 25 * HOUR, True, True),
        ],
    )
    def test_is_when_all_is_issued_or_has_waited_a_day(
        self, world: FourTenants, at: datetime, has_open: bool, is_over: bool
    ) -> None:
        plan_closings(AT)
        Closing.objects.update(period=NOVEMBER.first if has_open else NOVEMBER.until)
        assert is_settled(NOVEMBER, at) == is_over


class TestDue:
    def test_is_a_bill_that_was_not_divided(self, world: FourTenants) -> None:
        assert list(due(AT)) == [NOVEMBER]
        assert allocate_costs(AT) == 1
        assert list(due(AT)) == []

    def test_is_a_bill_that_was_imported_again(self, world: FourTenants) -> None:
        made(SETTLED)
        assert list(due(SETTLED)) == []
        bill_again(*ROWS)
        assert list(due(SETTLED)) == [NOVEMBER]

    def test_is_an_open_month_whose_rules_changed(self, world: FourTenants) -> None:
        made()
        CostRule.objects.get(name="Support").delete()
        assert list(due(AT)) == [NOVEMBER]

    def test_is_an_open_month_now_and_then(self, world: FourTenants) -> None:
        made()
        assert list(due(AT + EVERY - HOUR / 60)) == []
        assert list(due(AT + EVERY)) == [NOVEMBER]

    def test_is_a_month_that_became_settled(self, world: FourTenants) -> None:
        plan_closings(AT)
        assert not made(SETTLED - 2 * HOUR).is_final
        assert list(due(SETTLED)) == [NOVEMBER]
        assert allocate_costs(SETTLED) == 1
        assert Allocation.objects.get().is_final

    def test_is_no_final_month_whatever_rules_say(self, world: FourTenants) -> None:
        made(SETTLED)
        CostRule.objects.all().delete()
        assert list(due(SETTLED + 9 * EVERY)) == []

    def test_is_each_month_by_itself(self, world: FourTenants) -> None:
        made(SETTLED)
        october = Month(date(2026, 10, 1))
        type_bill("AWS", october.first, [TypedRow("Compute", Decimal(1))], author=None, at=AT)
        assert list(due(SETTLED)) == [october]
        assert allocate_costs(SETTLED) == 1


class TestCommand:
    def test_divides_what_is_due(self, world: FourTenants, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("allocate_costs")
        assert "Months divided: 1." in capsys.readouterr().out

    def test_divides_a_month_anew_for_a_reason(
        self, world: FourTenants, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made(SETTLED)
        call_command("allocate_costs", "--month", "2026-11", "--reason", "Zeta is gone")
        assert "2026-11, version 2: 1,000.00 divided." in capsys.readouterr().out
        assert Allocation.objects.of(NOVEMBER.first)[0].note == "Zeta is gone"

    def test_says_that_a_month_has_no_bill(self, db: None, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(CommandError, match="There is no bill of 2026-11"):
            call_command("allocate_costs", "--month", "2026-11")
