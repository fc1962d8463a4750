"""The cost page's figures: the same as the overview's and the statement's, on every plan, in every period."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examine
from hypothesis import strategies as st

from billing.models import Allowance, Metric, PriceTier, Statement
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.billed import CLOSES, DAY, ENDS, FIRST, HOUR, close, example
from tests.usage.counted import NOW, ago, move, see, use, use_daily
from usage.amounts import money
from usage.models import UsageLevel, UsagePeriod
from usage.reports import dashboard
from usage.reports.cost import CostReport, cost_report
from usage.reports.cost_files import cost_csv

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6
SECOND = timedelta(seconds=1)


def read(tenant: Tenant, at: datetime = NOW, period: str = "") -> CostReport:
    return cost_report(tenant, period, at)


def amount(text: str) -> Decimal:
    """What “$1,499.00” says."""
    return Decimal(re.sub(r"[^\d.−]", "", text).replace("−", "-"))


def tiles(report: CostReport) -> dict[str, tuple[str, str]]:
    return {tile.name: (tile.figure, tile.note) for tile in report.tiles}


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    """A tenant with 35 days of 20,000 calls behind it: 448,000 are used, 596,333 will be."""
    tenant = make_tenant(plan="pro")
    use_daily(tenant, "api_calls", 20_000, days=35)
    use(tenant, "api_calls", 8_000)
    return tenant


class TestLines:
    def test_add_up_to_the_total(self, pro: Tenant) -> None:
        use(pro, "api_calls", 52_345, label="GET /more")
        use(pro, "bandwidth", 100_123 * MB)
        report = read(pro)
        assert sum(amount(line.amount) for line in report.lines) == report.total == Decimal("201.80")
        assert report.total_text == "$201.80"

    def test_say_what_was_used_included_and_billed(self, pro: Tenant) -> None:
        use(pro, "api_calls", 53_500, label="GET /more")
        calls = next(line for line in read(pro).lines if line.name == "API calls")
        assert (calls.used, calls.included, calls.billable) == ("501,500", "500,000", "1,500")
        assert (calls.price, calls.amount) == ("$0.001 each", "$1.50")

    def test_have_a_row_for_each_tier_that_was_reached(self, pro: Tenant) -> None:
        calls = Allowance.objects.get(plan__slug="pro", metric__code="api_calls")
        PriceTier.objects.filter(allowance=calls).delete()
        for up_to, price in ((1_000, "0.40"), (5_000, "0.30"), (None, "0.20")):
            PriceTier.objects.create(allowance=calls, up_to=up_to, price=Decimal(price), per=1_000)
        use(pro, "api_calls", 55_000, label="GET /more")
        line = next(line for line in read(pro).lines if line.name == "API calls")
        assert (line.price, line.amount) == ("3 tiers", "$1.00")
        assert [(one.name, one.billable, one.price, one.amount) for one in line.tiers] == [
            ("first 1,000", "1,000", "$0.40 per 1,000", "$0.40"),
            ("above 1,000", "2,000", "$0.30 per 1,000", "$0.60"),
        ]

    def test_explain_the_mean_of_a_level(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        move(tenant, added=60_000 * MB, closing=60_000 * MB, at=ago(days=40))
        storage = next(line for line in read(tenant).lines if line.name == "Storage")
        assert storage.note == "mean of 720 hours above 50 GB"
        # 10 GB over for 543 of the 720 hours so far.
        assert (storage.used, storage.billable, storage.amount) == ("60 GB", "7.541 GB", "$377.08")

    def test_have_the_base_fee_by_days_where_the_plan_changed(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=FIRST)
        example(tenant)
        report = read(tenant, ENDS - SECOND)
        assert [(line.name, line.note, line.amount) for line in report.lines[:2]] == [
            ("Starter plan", "22 of 30 days", "$21.27"),
            ("Pro plan", "8 of 30 days", "$53.07"),
        ]
        assert report.plans == "Starter, then Pro"


class TestEstimate:
    def test_is_that_of_the_overview(self, pro: Tenant) -> None:
        use(pro, "bandwidth", 100_123 * MB)
        board, report = dashboard(pro, NOW), read(pro)
        assert report.offers is not None
        assert report.offers.own.bill == board.bill
        assert report.offers.own.outlook == board.outlook
        figures = [tile.figure for tile in report.tiles[:2]]
        assert figures == [tile.figure for tile in board.tiles[:2]]

    def test_at_the_last_second_is_what_is_issued(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=FIRST)
        example(tenant)
        last = read(tenant, ENDS - SECOND)
        [statement] = close()
        assert last.total == statement.total == Decimal("127.05")
        assert last.document == statement.document

    @given(
        st.sampled_from(["free", "starter", "pro", "enterprise"]),
        st.integers(0, 6_000_000),
        st.integers(0, 2_000_000),
        st.integers(0, 700_000),
        st.booleans(),
    )
    @examine(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_is_what_ones_own_plan_would_cost(
        self, make_tenant: MakeTenant, plan: str, calls: int, traffic: int, stored: int, is_early: bool
    ) -> None:
        """The row of the present plan among the others: as used where nothing is forecast, else as forecast."""
        tenant = Tenant.objects.filter(slug=plan).first() or make_tenant(plan, plan)
        at = NOW.replace(day=1) if is_early else NOW
        for model in (UsagePeriod, UsageLevel):
            model.objects.filter(tenant=tenant).delete()
        use(tenant, "api_calls", calls, at=at)
        use(tenant, "bandwidth", traffic * MB, at=at)
        move(tenant, added=stored * MB, closing=stored * MB, at=at)
        board, report = dashboard(tenant, at), read(tenant, at)
        assert report.offers is not None
        [own] = [one for one in report.offers.rows if one.is_current]
        assert board.bill is not None
        assert own.expected.total == (board.outlook or board.bill).total
        assert report.total == board.bill.total
        assert (own.outlook is None) is is_early


class TestOtherPlans:
    def test_are_priced_with_the_use_that_is_forecast(self, pro: Tenant) -> None:
        offers = read(pro).offers
        assert offers is not None
        assert offers.with_use == "With use as forecast for 30 Nov"
        assert [
            (one.plan.slug, one.base, one.usage, one.total, difference) for one, difference in offers.priced
        ] == [
            ("starter", "$29.00", "$0.00", "$29.00", "−$266.33"),
            ("pro", "$199.00", "$96.33", "$295.33", ""),
            ("enterprise", "$1,499.00", "$0.00", "$1,499.00", "+$1,203.67"),
        ]

    def test_say_what_would_happen(self, pro: Tenant) -> None:
        offers = read(pro).offers
        assert offers is not None
        # 26 days of 20,000 and the rest of the 23rd: the 500,000th call comes on the 26th.
        assert [one.look.word for one in offers.rows] == [
            "API calls would not fit",
            "API calls billed from 26 Nov",
            "Lasts the period",
        ]

    def test_that_stop_say_when(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        use_daily(tenant, "api_calls", 1_800, days=35)
        offers = read(tenant).offers
        assert offers is not None
        assert offers.rows[0].look == ("near", "API calls stop on 29 Nov")

    def test_that_are_hopeless_are_left_out_with_the_reason(self, pro: Tenant) -> None:
        offers = read(pro).offers
        assert offers is not None
        assert [one.left_out for one in offers.left_out] == [
            "Free is left out: 448,000 API calls do not fit its 1,000."
        ]

    def test_name_the_storage_that_does_not_fit(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        move(tenant, added=31_000 * MB, closing=31_000 * MB)
        offers = read(tenant).offers
        assert offers is not None
        assert [one.left_out for one in offers.left_out] == [
            "Free is left out: 31 GB of storage does not fit its 100 MB."
        ]

    def test_are_all_there_where_all_fit(self, tenant: Tenant) -> None:
        offers = read(tenant).offers
        assert offers is not None
        assert [one.plan.slug for one in offers.rows] == ["free", "starter", "pro", "enterprise"]
        assert not offers.left_out

    def test_are_priced_as_used_until_there_is_a_forecast(self, pro: Tenant) -> None:
        report = read(pro, NOW.replace(day=1))
        assert report.offers is not None
        assert report.offers.with_use == "With use so far: there is no forecast yet"
        assert tiles(report)["Forecast"] == ("–", "once a day and 5 % of the period are over")


class TestPeriods:
    @pytest.fixture
    def billed(self, make_tenant: MakeTenant) -> Tenant:
        """A tenant whose November cost 127.05, in December."""
        tenant = make_tenant(created_at=FIRST)
        example(tenant)
        return tenant

    def test_are_the_present_one_and_those_that_were_issued(self, billed: Tenant) -> None:
        close()
        report = read(billed, CLOSES + DAY)
        assert [(one.code, one.text, one.is_shown) for one in report.choices] == [
            ("2026-12-01", "1–31 Dec 2026, to date", True),
            ("2026-11-01", "1–30 Nov 2026, closed", False),
        ]

    def test_show_the_figures_that_were_issued(self, billed: Tenant) -> None:
        [statement] = close()
        PriceTier.objects.update(price=Decimal(9))
        report = read(billed, CLOSES + DAY, "2026-11-01")
        assert report.statement == statement
        assert report.document == statement.document
        assert tiles(report) == {"Total before tax": ("$127.05", "statement")}
        assert report.title == f"Statement {statement.number}"
        assert (report.offers, report.choices[1].is_shown) == (None, True)

    def test_are_being_closed_until_then(self, billed: Tenant) -> None:
        at = ENDS + HOUR / 2
        report = read(billed, at, "2026-11-01")
        assert report.choices[1].text == "1–30 Nov 2026, being closed"
        assert tiles(report) == {"Bill": ("$127.05", "being closed; its statement comes soon")}
        assert report.statement is None
        [statement] = close()
        assert report.document == statement.document

    def test_show_what_adjusts_them(self, billed: Tenant) -> None:
        [statement] = close()
        Statement.objects.bulk_create([_adjustment(statement)])
        found = read(billed, CLOSES + DAY, "2026-11-01").tiles
        assert [(tile.name, tile.figure, tile.number) for tile in found] == [
            ("Total before tax", "$127.05", statement.number),
            ("Adjustment", "$0.50", "HR-2026-11-0002"),
        ]

    def test_are_held_against_the_one_before(self, billed: Tenant) -> None:
        close()
        use(billed, "api_calls", 1, at=CLOSES + 9 * DAY)
        found = tiles(read(billed, CLOSES + 10 * DAY))
        assert found["November"] == ("$127.05", "statement")
        assert found["Forecast vs November"] == ("+$71.95", "+56.6 %")

    @pytest.mark.parametrize("period", ["", "nonsense", "2026-10-01", "2026-12-02", "0"])
    def test_that_nobody_knows_show_the_present_one(self, billed: Tenant, period: str) -> None:
        assert read(billed, CLOSES + DAY, period).code == "2026-12-01"

    def test_before_the_tenant_was_there_are_not_offered(self, billed: Tenant) -> None:
        assert [one.code for one in read(billed, FIRST + DAY).choices] == ["2026-11-01"]


def _adjustment(of: Statement) -> Statement:
    return Statement(
        number="HR-2026-11-0002",
        kind=Statement.Kind.ADJUSTMENT,
        tenant=of.tenant,
        of=of,
        period=of.period,
        until=of.until,
        issued_at=datetime(2026, 12, 2, tzinfo=UTC),
        currency=of.currency,
        base_fee=Decimal(0),
        overage=Decimal("0.50"),
        total=Decimal("0.50"),
        document=of.document,
    )


def rows(report: CostReport) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(cost_csv(report), newline="")))


class TestCsv:
    def test_has_what_the_page_shows(self, pro: Tenant) -> None:
        use(pro, "api_calls", 53_500, label="GET /more")
        report = read(pro)
        assert report.offers is not None
        found = rows(report)
        by_line = {(row["line"], row["name"]): row for row in found}
        shown = {line.name: line.amount for line in report.lines[1:]}
        assert shown == {
            name: money(Decimal(row["amount"])) for (line, name), row in by_line.items() if line == "usage"
        }
        assert by_line["total", ""]["amount"] == "200.50"
        assert by_line["usage", "API calls"]["billable"] == "1500"
        assert money(Decimal(by_line["forecast", "likely"]["amount"])) == report.tiles[1].figure
        assert {name: row["note"] for (line, name), row in by_line.items() if line == "plan"} == {
            one.plan.name: one.look.word for one in report.offers.rows
        }

    def test_lets_no_name_be_a_formula(self, pro: Tenant) -> None:
        Metric.objects.filter(code="api_calls").update(name="=HYPERLINK(1)")
        assert "'=HYPERLINK(1)" in [row["name"] for row in rows(read(pro))]

    def test_of_a_closed_period_is_that_of_its_statement(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=FIRST)
        example(tenant)
        close()
        found = rows(read(tenant, CLOSES + DAY, "2026-11-01"))
        assert {row["line"] for row in found} == {"base fee", "usage", "total"}
        assert (
            sum(Decimal(row["amount"]) for row in found[:-1])
            == Decimal(found[-1]["amount"])
            == Decimal("127.05")
        )


class TestMembers:
    def test_that_are_free_cost_nothing(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro")
        see(tenant, *(f"user-{n}" for n in range(60)))
        users = next(line for line in read(tenant).lines if line.name == "Active users")
        assert (users.used, users.billable, users.price, users.amount) == ("60", "", "not charged", "$0.00")
