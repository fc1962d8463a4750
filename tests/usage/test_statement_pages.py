"""Pages and files of statements: what they show to whom, and that files say exactly what was issued."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from io import StringIO

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import Allowance, PriceTier, Statement
from billing.statements import adjustment, issue
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.billed import CLOSES, DAY, FIRST, HOUR, close, day, example
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, text
from usage.models import LateUse
from usage.reports.sheets import as_csv

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

NUMBER = "HR-2026-11-0001"


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(created_at=FIRST)


@pytest.fixture
def browser(owner: User, client_for: Callable[[User], Client]) -> Client:
    return client_for(owner)


@pytest.fixture
def statement(tenant: Tenant) -> Statement:
    example(tenant)
    return close()[0]


@pytest.fixture
def adjusted(tenant: Tenant, statement: Statement) -> Statement:
    """2 000 calls came late."""
    use(tenant, "api_calls", 2_000, at=day(30), epoch=2)
    LateUse.objects.create(tenant=tenant, period=FIRST.date(), at=CLOSES)
    return close(CLOSES + 2 * HOUR)[0]


def page(browser: Client, tenant: Tenant, name: str = "statements", **parts: str) -> str:
    """The words of a page, without its tags' line ends."""
    answer = browser.get(address(tenant, name, **parts))
    assert answer.status_code == 200
    return " ".join(text(answer).split())


class TestList:
    def test_has_all_with_what_adjusts_what(
        self, browser: Client, tenant: Tenant, adjusted: Statement
    ) -> None:
        found = page(browser, tenant)
        assert found.index("HR-2026-11-0002</a>") < found.index("HR-2026-11-0001</a>")
        for words in ("adjusts HR-2026-11-0001", "1–30 Nov 2026", "$127.05", "$2.00", "1 Dec 2026 03:00"):
            assert words in found
        assert "The next one comes on 1 Jan 2027, after 01:00 UTC." in found
        assert "estimate" not in found.lower()

    def test_says_where_there_is_none_yet(self, browser: Client, tenant: Tenant) -> None:
        assert "Nothing was issued yet." in page(browser, tenant)

    def test_shows_older_ones_by_htmx(self, browser: Client, tenant: Tenant, statement: Statement) -> None:
        issue([adjustment(statement, [], CLOSES + number * DAY) for number in range(24)])
        first = browser.get(address(tenant, "statements"))
        assert NUMBER not in text(first).replace(f"adjusts {NUMBER}", "")
        older = text(first).split('hx-get="')[1].split('"')[0]
        part = browser.get(older, headers=HTMX)
        assert "<html" not in text(part)
        assert f">{NUMBER}</a>" in text(part)

    def test_costs_as_much_for_many(
        self,
        browser: Client,
        tenant: Tenant,
        statement: Statement,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        issue([adjustment(statement, [], CLOSES + number * DAY) for number in range(20)])
        with django_assert_max_num_queries(12):
            page(browser, tenant)

    def test_is_under_history_beside_why(self, browser: Client, tenant: Tenant) -> None:
        for name in ("statements", "why"):
            found = page(browser, tenant, name)
            assert f'<a href="{address(tenant, "statements")}" aria-current="page">History</a>' in found
            assert f'<a href="{address(tenant, name)}" aria-current="page">' in found


class TestStatement:
    def test_shows_its_lines_prices_and_limits(
        self, browser: Client, tenant: Tenant, statement: Statement
    ) -> None:
        found = page(browser, tenant, "statement", number=NUMBER)
        for words in (
            f"<h1>Statement {NUMBER}</h1>",
            'Starter plan <small class="dim">22 of 30 days</small>',
            "$53.07",
            "501,500",
            "$0.001 each",
            "mean of 720 hours above 50 GB",
            "$0.05 per MB",
            "1.004 GB",
            "Limits then in force",
            "Billed over",
        ):
            assert words in found, words
        assert found.count("$127.05") == 2
        assert "estimate" not in found.lower()

    def test_shows_the_tiers_that_were_reached(self, browser: Client, tenant: Tenant) -> None:
        example(tenant)
        of = Allowance.objects.get(plan__slug="pro", metric__code="api_calls")
        of.tiers.all().delete()
        for up_to, price in ((1_000, "0.40"), (100_000, "0.30"), (None, "0.10")):
            PriceTier.objects.create(allowance=of, up_to=up_to, price=Decimal(price), per=100, rounds_up=True)
        close()
        found = page(browser, tenant, "statement", number=NUMBER)
        for words in (
            "3 tiers",
            "first 1,000",
            "above 1,000",
            "$0.40 per begun 100",
            "$4.00",
            "$1.50",
            "$5.50",
        ):
            assert words in found, words
        assert "above 100,000" not in found

    def test_and_its_adjustment_name_each_other(
        self, browser: Client, tenant: Tenant, adjusted: Statement
    ) -> None:
        of = page(browser, tenant, "statement", number=NUMBER)
        assert address(tenant, "statement", number=adjusted.number) in of
        found = page(browser, tenant, "statement", number=adjusted.number)
        assert f"<h1>Adjustment {adjusted.number}</h1>" in found
        assert address(tenant, "statement", number=NUMBER) in found
        for words in ("+2,000", "$2.00", "counted after the statement was issued"):
            assert words in found
        assert "Bandwidth" not in found

    def test_shows_what_was_true_then(self, browser: Client, tenant: Tenant, statement: Statement) -> None:
        before = page(browser, tenant, "statement", number=NUMBER).partition("<main")[2]
        PriceTier.objects.all().delete()
        Allowance.objects.update(included=1)
        assert page(browser, tenant, "statement", number=NUMBER).partition("<main")[2] == before

    def test_has_a_name_that_was_typed_as_text(self, browser: Client, tenant: Tenant) -> None:
        Tenant.objects.update(name="<script>alert(1)</script>")
        close()
        assert "<script>alert" not in page(browser, tenant, "statement", number=NUMBER)


class TestFiles:
    def test_csv_sums_to_the_total(self, browser: Client, tenant: Tenant, statement: Statement) -> None:
        answer = browser.get(address(tenant, "statement_csv", number=NUMBER))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="{NUMBER}.csv"'
        assert text(answer).count("\r\n") == 8
        *rows, total = csv.DictReader(StringIO(text(answer)))
        assert sum(Decimal(row["amount"]) for row in rows) == Decimal(total["amount"]) == statement.total
        assert [row["name"] for row in rows] == [
            "Starter",
            "Pro",
            "API calls",
            "Storage",
            "Active users",
            "Bandwidth",
        ]
        calls = rows[2]
        assert (calls["quantity"], calls["included"], calls["billable"]) == ("501500", "500000", "1500")
        assert (calls["unit_price"], calls["per"], calls["amount"]) == ("0.001", "1", "1.50")
        assert {row["last_day"] for row in rows} == {"2026-11-30"}

    def test_json_has_all_of_it_exactly(self, browser: Client, tenant: Tenant, statement: Statement) -> None:
        answer = browser.get(address(tenant, "statement_json", number=NUMBER))
        found = json.loads(text(answer), parse_float=lambda written: pytest.fail(f"{written} is a float"))
        head = {key: found.pop(key) for key in ("number", "kind", "of", "period", "until", "issued_at")}
        assert head == {
            "number": NUMBER,
            "kind": "statement",
            "of": None,
            "period": "2026-11-01",
            "until": "2026-12-01",
            "issued_at": "2026-12-01T01:00:00Z",
        }
        money = {key: found.pop(key) for key in ("currency", "base_fee", "overage", "total")}
        assert money == {"currency": "USD", "base_fee": "74.34", "overage": "52.71", "total": "127.05"}
        assert found == statement.document
        [storage] = [line for line in found["lines"] if line["metric"] == "storage"]
        assert Fraction(storage["billable"]) == Fraction(241 * 3_000_000_000, 720)

    def test_of_an_adjustment_are_its_differences(
        self, browser: Client, tenant: Tenant, adjusted: Statement
    ) -> None:
        answer = browser.get(address(tenant, "statement_csv", number=adjusted.number))
        [row, total] = csv.DictReader(StringIO(text(answer)))
        assert (row["adjusts"], row["billable"], total["amount"]) == (NUMBER, "2000", "2.00")

    def test_calculate_nothing_in_a_spreadsheet(self) -> None:
        names = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", 'a "b", c']
        written = as_csv(["name"], [[name] for name in names])
        assert [row[0] for row in csv.reader(StringIO(written, newline=""))][1:] == [
            *(f"'{name}" for name in names[:6]),
            *names[6:],
        ]
        assert as_csv(["a"], [[Decimal("-1.50"), -3, None, Decimal("1E+3")]]) == "a\r\n-1.50,-3,,1000\r\n"


class TestDoor:
    @pytest.mark.parametrize("name", ["statement", "statement_csv", "statement_json"])
    def test_is_shut_for_another_tenants_number(
        self, browser: Client, make_tenant: MakeTenant, tenant: Tenant, name: str
    ) -> None:
        other = make_tenant("other", created_at=FIRST)
        numbers = {one.tenant.slug: one.number for one in close()}
        assert browser.get(address(tenant, name, number=numbers["northwind"])).status_code == 200
        assert browser.get(address(tenant, name, number=numbers["other"])).status_code == 404
        assert browser.get(address(other, name, number=numbers["other"])).status_code == 404

    def test_is_shut_for_viewers_who_still_see_why(
        self, make_user: MakeUser, client_for: Callable[[User], Client], tenant: Tenant, statement: Statement
    ) -> None:
        viewer = client_for(make_user("vera@northwind.example", Membership.Role.VIEWER, tenant))
        assert viewer.get(address(tenant, "statements")).status_code == 403
        assert viewer.get(address(tenant, "statement", number=NUMBER)).status_code == 403
        found = page(viewer, tenant, "why")
        assert address(tenant, "statements") not in found
        assert f'<a href="{address(tenant, "why")}" aria-current="page">History</a>' in found

    def test_is_open_for_operations(
        self, staff: User, client_for: Callable[[User], Client], tenant: Tenant, statement: Statement
    ) -> None:
        assert NUMBER in page(client_for(staff), tenant)
