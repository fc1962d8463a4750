"""The staff page of cost and margin: figures that sum to the bill, rows in every order, by HTMX and without."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.costs.bills import TypedRow
from billing.models import Allocation, CostRow, CostRule, CostShare
from tenants.models import User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.costing import AT, NOVEMBER, ROWS, SETTLED, FourTenants, bill_again, four_tenants, use
from usage.costs.allocate import allocate_month
from usage.reports.cost_choice import Asked
from usage.reports.costs import Costs
from usage.reports.costs import costs as read_costs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

PAGE, FILE, ANEW = (reverse(f"usage:{name}") for name in ("costs", "costs_csv", "allocate_anew"))
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def world() -> FourTenants:
    """Divided while November is open."""
    world = four_tenants()
    allocate_month(NOVEMBER, AT)
    return world


@pytest.fixture
def closed(world: FourTenants) -> FourTenants:
    """November is reported; then Compute came to 700."""
    allocate_month(NOVEMBER, SETTLED)
    bill_again(TypedRow("Compute", Decimal("700")), *ROWS[1:])
    allocate_month(NOVEMBER, SETTLED + timedelta(hours=1))
    return world


def report(**asked: Any) -> Costs:
    found = read_costs(Asked(**asked), AT)
    assert found
    return found


def names(**asked: Any) -> list[str]:
    return [row.name for row in report(**asked).rows.tenants]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def dollars(cells: str) -> Decimal:
    """An amount as the page writes it."""
    return Decimal(cells.replace("−", "-").replace("$", "").replace(",", "") or 0)


class TestWhoMayOpenIt:
    @pytest.mark.parametrize("page", [PAGE, FILE])
    def test_owners_find_nothing(
        self, client_for: Callable[[User], Client], owner: User, world: FourTenants, page: str
    ) -> None:
        assert client_for(owner).get(page).status_code == 404
        assert client_for(owner).get(page, **HTMX).status_code == 404  # type: ignore[arg-type]

    def test_strangers_are_asked_to_sign_in(self, client: Client, world: FourTenants) -> None:
        assert client.get(PAGE).status_code == 302

    def test_staff_may_before_anything_was_divided(self, browser: Client) -> None:
        assert "No bill was divided yet" in text(browser.get(PAGE))
        assert browser.get(PAGE, **HTMX).status_code == 200  # type: ignore[arg-type]
        assert browser.get(FILE).status_code == 404


class TestFigures:
    def test_are_those_that_a_person_computes(self, world: FourTenants) -> None:
        tiles = [(tile.figure, tile.note) for tile in report().tiles]
        assert tiles == [
            ("$1,000.00", "imported 23 Nov, 14:02 UTC"),
            ("$912.48", "91.2 % of the bill"),
            ("$1,926.00", "4 tenants"),
            ("48.1 %", "$926.00"),
            ("2", "tenants, −$581.30 together"),
        ]

    def test_name_who_is_below_cost_and_who_bears_more_than_its_share(self, world: FourTenants) -> None:
        found = report()
        assert [one.name for one in found.below.shown] == ["Acme", "Birch"]
        # Of the revenue Cedar has 10.3 %, of the cost 11.3 %.
        assert [one.name for one in found.above.shown] == ["Acme", "Birch", "Cedar"]

    def test_say_that_the_rows_sum_to_the_bill(self, browser: Client, world: FourTenants) -> None:
        assert "Rows sum to the bill, difference $0.00" in text(browser.get(PAGE))

    def test_say_so_when_they_do_not(self, browser: Client, world: FourTenants) -> None:
        share = CostShare.objects.get(tenant=world["acme"])
        CostShare.objects.filter(pk=share.pk).update(cost=share.cost - Decimal("0.01"))
        assert "Rows do not sum to the bill, difference −$0.01" in text(browser.get(PAGE))

    def test_name_what_no_tenant_is_called(self, browser: Client, world: FourTenants) -> None:
        assert "no tenant is called zeta" in text(browser.get(PAGE))


class TestFlow:
    def test_its_columns_sum_to_the_bill(self, world: FourTenants) -> None:
        flow = report().flow
        for column in ("to_tenants", "shared", "unallocated", "amount"):
            cells = [dollars(getattr(row, column)) for row in flow.rows]
            assert sum(cells) == dollars(getattr(flow.total, column))
        assert flow.total.amount == "$1,000.00"
        assert [row.service for row in flow.rows] == ["Compute", "Storage", "Support"]
        assert [row.driver for row in flow.rows] == ["API calls", "Sub-account", "shared in proportion"]

    def test_both_bars_are_whole(self, world: FourTenants) -> None:
        flow = report().flow
        for bar in (flow.services, flow.carriers):
            whole = sum((Decimal(one.width) for one in bar), Decimal(0))
            assert abs(whole - 100) < Decimal("0.1")
        assert flow.spoken_carriers == "Tenants 91 %, Unallocated 9 %"

    def test_a_credit_has_no_length(self, world: FourTenants) -> None:
        bill_again(*ROWS, TypedRow("Discount", Decimal("-50")))
        allocate_month(NOVEMBER, AT)
        flow = report().flow
        assert [row.amount for row in flow.rows][-1] == "−$50.00"
        assert "Discount" not in flow.spoken_services


class TestRows:
    def test_are_the_lowest_margin_first(self, world: FourTenants) -> None:
        assert names() == ["Acme", "Birch", "Cedar", "Dune"]

    def test_say_each_tenants_share_of_cost_beside_its_share_of_revenue(self, world: FourTenants) -> None:
        row = report().rows.tenants[1]
        assert (row.revenue, row.revenue_share, row.cost, row.cost_share) == (
            "$199.00",
            "10.3 %",
            "$261.81",
            "28.7 %",
        )
        assert (row.margin, row.percent, row.is_loss, row.plan) == ("−$62.81", "−32 %", True, "Pro")
        assert row.flag
        assert row.flag.word == "Below cost"

    def test_columns_sum_to_the_total_and_cells_to_their_cost(self, world: FourTenants) -> None:
        rows = report().rows
        every = [*rows.tenants, *rows.rest]
        for place in range(len(rows.total.cells)):
            assert sum(dollars(row.cells[place]) for row in every) == dollars(rows.total.cells[place])
        for row in [*every, rows.total]:
            assert sum(dollars(cell) for cell in row.cells) == dollars(row.cost)
        assert sum(dollars(row.revenue) for row in every) == dollars(rows.total.revenue)
        assert [head.name for head in rows.heads][2:-3] == ["API calls", "Sub-account", "Shared"]

    def test_are_sorted_by_any_column(self, world: FourTenants) -> None:
        firsts = {
            "Acme": "name revenue -cost margin -by1 -shared tenant__slug -by9",
            "Dune": "-name -revenue cost -margin -percent by0",
        }
        for first, sorts in firsts.items():
            for sort in sorts.split():
                assert names(sort=sort)[0] == first, sort

    def test_heads_lead_to_the_other_way_round(self, world: FourTenants) -> None:
        heads = {head.key: head for head in report(sort="-cost").rows.heads}
        assert (heads["cost"].sorted, heads["cost"].address) == ("descending", "?sort=cost")
        assert (heads["revenue"].sorted, heads["revenue"].address) == ("", "?sort=-revenue")
        assert heads["percent"].address == "?"

    def test_are_narrowed_to_those_below_cost(self, world: FourTenants) -> None:
        rows = report(only="below").rows
        assert [row.name for row in rows.tenants] == ["Acme", "Birch"]
        assert rows.rest[0].name == "2 other tenants"
        assert rows.total.cost == "$1,000.00"

    def test_are_narrowed_to_those_with_more_of_the_cost_than_of_the_revenue(
        self, world: FourTenants
    ) -> None:
        assert names(only="share") == ["Acme", "Birch", "Cedar"]
        flags = [row.flag.word for row in report(only="share").rows.tenants if row.flag]
        assert flags == ["Below cost", "Below cost", "High share"]

    def test_who_brings_in_nothing_and_costs_something_comes_first(
        self, world: FourTenants, make_tenant: MakeTenant
    ) -> None:
        use(make_tenant("free"), 1)
        allocate_month(NOVEMBER, AT)
        row = report().rows.tenants[0]
        assert (row.name, row.revenue, row.percent, row.plan) == ("Free", "$0.00", "–", "Free")

    def test_come_fifty_a_page_with_a_row_for_the_others(
        self, world: FourTenants, make_tenant: MakeTenant
    ) -> None:
        for number in range(60):
            use(make_tenant(f"t{number:02}"), 10 + number)
        allocate_month(NOVEMBER, AT)
        first, second = report().rows, report(page=2).rows
        assert (len(first.tenants), len(second.tenants)) == (50, 14)
        assert (first.previous, first.next, second.previous, second.next) == (None, "?page=2", "?", None)
        assert first.rest[0].name == "14 other tenants"
        for rows in (first, second):
            every = [*rows.tenants, *rows.rest]
            assert sum(dollars(row.cost) for row in every) == dollars(rows.total.cost) == Decimal(1000)
        assert {row.slug for row in first.tenants}.isdisjoint(row.slug for row in second.tenants)
        assert [row.slug for row in report(page=9).rows.tenants] == [row.slug for row in first.tenants]

    def test_many_drivers_share_a_column(self, world: FourTenants) -> None:
        names = ["one", "two", "three", "four", "five"]
        for name in names:
            CostRule.objects.create(position=0, name=name, service=name, driver="tag", tag_key=name)
        bill_again(*ROWS, *(TypedRow(name, Decimal(1)) for name in names))
        for name in names:
            CostRow.objects.filter(service=name).update(tags={name: "x"})
        allocate_month(NOVEMBER, AT)
        rows = report().rows
        assert [head.key for head in rows.heads][2:-3] == ["by0", "by1", "by2", "by3", "others", "shared"]
        assert sum(dollars(cell) for cell in rows.total.cells) == dollars(rows.total.cost)


class TestProviders:
    @pytest.fixture
    def two(self, world: FourTenants) -> None:
        bill_again(TypedRow("Compute", Decimal("50")), TypedRow("Backup", Decimal("7")), provider="Azure")
        allocate_month(NOVEMBER, AT)

    def test_are_all_looked_at_together(self, two: None) -> None:
        found = report()
        assert found.tiles[0].figure == "$1,057.00"
        assert found.tiles[0].note == "2 bills, the last imported 23 Nov, 14:02 UTC"
        assert {row.provider for row in found.flow.rows} == {"AWS", "Azure"}

    def test_may_be_looked_at_one_by_one(self, two: None) -> None:
        found = report(provider="Azure")
        assert found.tiles[0].figure == "$57.00"
        assert found.is_whole
        assert [row.service for row in found.flow.rows] == ["Compute", "Backup"]
        acme = next(row for row in found.rows.tenants if row.name == "Acme")
        assert (acme.cost, acme.revenue, acme.margin) == ("$30.00", "$29.00", "−$1.00")
        assert [row.name for row in found.rows.rest] == ["Shared, not split"]
        assert [row.note for row in found.rows.rest] == ["Backup"]
        assert found.below.shown[0].name == "Acme"

    def test_that_have_no_bill_are_not_asked_for(self, two: None) -> None:
        assert report(provider="Hetzner").tiles[0].figure == "$1,057.00"


class TestVersions:
    def test_the_newest_is_shown_with_what_it_moved(self, browser: Client, closed: FourTenants) -> None:
        html = text(browser.get(PAGE))
        assert "$1,087.53" in html
        assert "What version 2 moved" in html
        assert "AWS is at version 2" in html
        assert "+$52.52" in html
        assert "5 parts moved" in html
        assert "+$87.53" in html

    def test_an_older_one_is_what_was_reported(self, browser: Client, closed: FourTenants) -> None:
        first = Allocation.objects.get(version=1)
        html = text(browser.get(PAGE, {"version": first.pk}))
        assert "$1,000.00" in html
        assert "What version" not in html
        assert "difference $0.00" in html

    def test_another_months_is_not_asked_for(self, closed: FourTenants) -> None:
        other = Allocation.objects.create(month="2026-10-01", made_at=AT)
        assert report(version=str(other.pk)).choice.allocation.version == 2
        assert report(month="2026-10").choice.allocation == other
        assert report(month="2019-01").choice.allocation.version == 2

    def test_closed_months_say_so(self, browser: Client, closed: FourTenants) -> None:
        html = text(browser.get(PAGE))
        assert "Nov 2026, closed" in html
        assert "version 2 stays as it was reported" in html


class TestDividingAnew:
    def test_makes_a_version_with_a_reason(self, browser: Client, closed: FourTenants) -> None:
        sent = {"month": "2026-11", "reason": "Compute is shared"}
        answer = browser.post(ANEW, sent, follow=True)
        assert "2026-11, version 3 is divided." in text(answer)
        assert Allocation.objects.of(NOVEMBER.first)[0].note == "Compute is shared (sam@ops.example)"

    def test_is_offered_for_closed_months_alone(self, browser: Client, world: FourTenants) -> None:
        assert "Divide this month anew" not in text(browser.get(PAGE))
        allocate_month(NOVEMBER, SETTLED)
        assert "Divide this month anew" in text(browser.get(PAGE))

    @pytest.mark.parametrize("sent", [{}, {"month": "x", "reason": "y"}])
    def test_needs_a_month(self, browser: Client, closed: FourTenants, sent: dict[str, str]) -> None:
        assert browser.post(ANEW, sent).status_code == 400

    def test_needs_a_reason(self, browser: Client, closed: FourTenants) -> None:
        before = Allocation.objects.count()
        answer = browser.post(ANEW, {"month": "2026-11", "reason": " "})
        assert answer.status_code == 422
        assert "This field is required." in text(answer)
        assert Allocation.objects.count() == before

    def test_of_a_month_without_bills_is_not_found(self, browser: Client, closed: FourTenants) -> None:
        assert browser.post(ANEW, {"month": "2020-01", "reason": "x"}).status_code == 404

    def test_needs_the_permission(
        self, client_for: Callable[[User], Client], make_user: MakeUser, closed: FourTenants
    ) -> None:
        clerk = make_user("clerk@ops.example", is_staff=True)
        sent = {"month": "2026-11", "reason": "x"}
        assert client_for(clerk).post(ANEW, sent).status_code == 403
        assert "Divide this month anew" not in text(client_for(clerk).get(PAGE))
        clerk.user_permissions.add(Permission.objects.get(codename="add_allocation"))
        assert client_for(clerk).post(ANEW, sent).status_code == 302


class TestHtmx:
    def test_swaps_all_that_follows_the_choice(self, browser: Client, world: FourTenants) -> None:
        response = browser.get(PAGE, {"only": "below", "sort": "", "page": "1"}, **HTMX)  # type: ignore[arg-type]
        html = response.content.decode()
        assert "<html" not in html
        for part in ("tiles", "named", "moves", "flow", "rows", "pager", "chosen", "fresh"):
            assert f'id="{part}"' in html
        assert html.count('hx-swap-oob="true"') == 8
        assert response["HX-Push-Url"] == "/staff/costs/?only=below"
        assert "HX-Request" in response["Vary"]

    @pytest.mark.parametrize("page", ["x", "-1", "0", "9" * 30])
    def test_a_page_that_is_none_is_the_first(self, browser: Client, world: FourTenants, page: str) -> None:
        assert len(browser.get(PAGE, {"page": page}).context["report"].rows.tenants) == 4


class TestQueries:
    def test_are_few_however_many_tenants_there_are(
        self,
        browser: Client,
        closed: FourTenants,
        make_tenant: MakeTenant,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(60):
            use(make_tenant(f"t{number:02}"), 10 + number)
        allocate_month(NOVEMBER, SETTLED, reason="x")
        browser.get(PAGE)
        with django_assert_max_num_queries(12):
            browser.get(PAGE, {"provider": "AWS", "sort": "-by0"})


class TestFile:
    def rows(self, browser: Client, **asked: Any) -> list[list[str]]:
        answer: Any = browser.get(FILE, asked)
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        content = answer.getvalue().decode()
        return list(csv.reader(StringIO(content, newline="")))

    def test_has_a_row_a_tenant_and_sums_to_the_bill(self, browser: Client, world: FourTenants) -> None:
        head, *rows = self.rows(browser)
        assert head == [
            "Tenant",
            "Slug",
            "Revenue",
            "AWS: Compute (API calls)",
            "AWS: Storage (Sub-account)",
            "AWS: Support (shared in proportion)",
            "Cost",
            "Margin",
            "Margin share",
            "Share of revenue",
            "Share of cost",
            "Flag",
        ]
        assert rows[0] == [
            *("Acme", "acme", "29.00", "367.48", "120.01", "60.00", "547.49", "-518.49"),
            *("-17.8790", "0.0151", "0.6000", "below cost"),
        ]
        assert rows[3][3:7] == ["0.00", "0.00", "0.00", "0.00"]
        assert [row[0] for row in rows[4:]] == ["Shared, not split", "Unallocated", "Total"]
        for column in range(2, 8):
            assert sum(Decimal(row[column]) for row in rows[:-1]) == Decimal(rows[-1][column])
        assert rows[-1][6] == "1000.00"

    def test_holds_names_as_text(self, browser: Client, world: FourTenants) -> None:
        world["acme"].name = '=HYPERLINK("http://evil.example"), "Acme"'
        world["acme"].save()
        assert self.rows(browser)[1][0] == '\'=HYPERLINK("http://evil.example"), "Acme"'

    def test_is_of_the_provider_and_version_that_are_looked_at(
        self, browser: Client, closed: FourTenants
    ) -> None:
        bill_again(TypedRow("Backup", Decimal("7")), provider="Azure")
        allocate_month(NOVEMBER, SETTLED + timedelta(hours=2))
        assert self.rows(browser, provider="Azure")[0][3] == "Azure: Backup (not split)"
        first = Allocation.objects.get(version=1)
        assert self.rows(browser, version=first.pk)[-1][6] == "1000.00"
        assert (
            'filename="costs-2026-11-v1.csv"'
            in browser.get(FILE, {"version": first.pk})["Content-Disposition"]
        )
