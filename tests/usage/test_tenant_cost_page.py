"""The cost page as its readers get it: who may look, what HTMX swaps, what it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.caps import set_cap
from billing.periods import period_at, period_before
from tenants.models import Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, text
from usage.metering import Charge, consume
from usage.money.closing import close_periods

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    """A tenant in billed overage."""
    tenant = make_tenant("acme", "pro")
    use(tenant, "api_calls", 501_500, at=timezone.now())
    return tenant


@pytest.fixture
def in_role(make_user: MakeUser, client_for: Browser, pro: Tenant) -> Callable[[str], Client]:
    """The browser of a member of it."""
    return lambda role: client_for(make_user(f"{role}@acme.example", role, pro))


class TestPage:
    @pytest.mark.parametrize("role", ["owner", "admin"])
    def test_is_for_who_sees_money(self, in_role: Callable[[str], Client], pro: Tenant, role: str) -> None:
        page = text(in_role(role).get(address(pro, "cost")))
        for words in ("Bill so far", "$200.50", "API calls", "501,500", "$1.50", "Total before tax"):
            assert words in page

    @pytest.mark.parametrize("name", ["cost", "cost_csv"])
    def test_is_closed_to_viewers_who_see_no_tab(
        self, in_role: Callable[[str], Client], pro: Tenant, name: str
    ) -> None:
        browser = in_role("viewer")
        assert browser.get(address(pro, name)).status_code == 403
        assert browser.get(address(pro, name), headers=HTMX).status_code == 403
        assert address(pro, "cost") not in text(browser.get(address(pro)))

    def test_is_a_tab_for_the_others(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("owner").get(address(pro, "cost")))
        assert re.search(rf'href="{address(pro, "cost")}" aria-current="page"', page)

    def test_has_the_spend_cap_beside_the_bill(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("owner").get(address(pro, "cost")))
        assert "Spend beyond the plan is $1.50 so far." in page
        assert 'id="go-cap"' in page

    def test_lets_only_owners_set_the_cap(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("admin").get(address(pro, "cost")))
        assert "Owners can change it." in page
        assert 'id="go-cap"' not in page

    def test_is_shown_to_operations(self, client_for: Browser, staff: User, pro: Tenant) -> None:
        assert "$200.50" in text(client_for(staff).get(address(pro, "cost")))

    def test_says_until_when_it_counted_and_in_which_zone(
        self, in_role: Callable[[str], Client], pro: Tenant
    ) -> None:
        page = text(in_role("owner").get(address(pro, "cost")))
        assert re.search(r"to \d+ \w{3} \d\d:\d\d UTC", page)
        assert "Times are UTC." in page

    @pytest.mark.parametrize(("role", "most"), [("owner", 12), ("staff", 13)])
    def test_costs_few_queries(
        self,
        in_role: Callable[[str], Client],
        client_for: Browser,
        staff: User,
        pro: Tenant,
        role: str,
        most: int,  # a tenant that is not the reader’s is looked up once more
        django_assert_max_num_queries: Any,
    ) -> None:
        close_periods(timezone.now())
        set_cap(pro, side="owner", mode="stop", amount=Decimal(99), at=timezone.now(), actor=staff)
        consume(pro, Charge("api_calls"), at=timezone.now())
        browser = client_for(staff) if role == "staff" else in_role(role)
        browser.get(address(pro, "cost"))
        with django_assert_max_num_queries(most):
            browser.get(address(pro, "cost"))

    def test_costs_few_queries_when_a_period_is_closed(
        self, in_role: Callable[[str], Client], pro: Tenant, django_assert_max_num_queries: Any
    ) -> None:
        close_periods(timezone.now())
        past = period_before(pro, period_at(pro, timezone.now()))
        browser = in_role("owner")
        browser.get(address(pro, "cost"), {"period": str(past)})
        with django_assert_max_num_queries(12):
            browser.get(address(pro, "cost"), {"period": str(past)})

    def test_has_no_inline_style_or_script(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("owner").get(address(pro, "cost")))
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", page)


class TestPeriod:
    def test_swaps_what_differs(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        response = in_role("owner").get(address(pro, "cost"), {"period": ""}, headers=HTMX)
        page = text(response)
        assert page.lstrip().startswith('<section class="card" id="lines"')
        assert set(re.findall(r'id="([\w-]+)"[^>]*hx-swap-oob="true"', page)) == {
            "cost-summary",
            "whatif",
            "go-csv",
        }
        assert "<html" not in page
        assert "HX-Request" in response["Vary"]

    def test_that_is_over_links_to_its_statement(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        close_periods(timezone.now())
        past = period_before(pro, period_at(pro, timezone.now()))
        statement = pro.statements.get(period=past.first)
        browser = in_role("owner")
        page = text(browser.get(address(pro, "cost"), {"period": str(past)}))
        assert f'href="{address(pro, "statement", number=statement.number)}"' in page
        assert f"period={past}" in page
        assert re.search(rf'<option value="{past}" selected>', page)
        assert 'id="whatif" hidden' in page
        assert browser.get(address(pro, "statement", number=statement.number)).status_code == 200

    def test_works_as_a_form(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("owner").get(address(pro, "cost")))
        assert re.search(rf'<form[^>]*method="get"[^>]*action="{address(pro, "cost")}"', page)
        assert '<button type="submit"' in page


class TestCsv:
    def test_is_a_file_named_after_tenant_and_period(
        self, in_role: Callable[[str], Client], pro: Tenant
    ) -> None:
        response = in_role("owner").get(address(pro, "cost_csv"))
        first = period_at(pro, timezone.now())
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"] == f'attachment; filename="cost-acme-{first}.csv"'
        assert text(response).count("\r\n") == len(text(response).splitlines())
