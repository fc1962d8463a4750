"""The card of the spend cap on its page: what is saved, what is asked first, and who may do and see what."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from billing.models import EntitlementChange, SpendCap
from billing.periods import period_at
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.forms import form_data
from tests.usage.capping import CALLS, OPERATIONS, OWNER, set_
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(make_tenant: MakeTenant, redis_db: redis.Redis) -> Tenant:
    return make_tenant(plan="pro")


@pytest.fixture
def olive(make_user: MakeUser, pro: Tenant) -> User:
    return make_user("olive@northwind.example", Membership.Role.OWNER, pro, first_name="Olive")


@pytest.fixture
def browser(client_for: Callable[[User], Client], olive: User) -> Client:
    return client_for(olive)


def spend(tenant: Tenant, calls: int) -> None:
    """So many calls beyond what is included, now: a tenth of a cent each."""
    use(tenant, "api_calls", CALLS + calls, at=timezone.now())


def cap_of(tenant: Tenant) -> tuple[str, Decimal] | None:
    row = SpendCap.objects.filter(tenant=tenant, side=OWNER).first()
    return (row.mode, row.amount) if row else None


class TestSaving:
    def post(self, browser: Client, tenant: Tenant, **data: str) -> Any:
        return browser.post(address(tenant, "cap"), data, follow=True)

    def test_keeps_the_cap_with_its_author(self, browser: Client, pro: Tenant, olive: User) -> None:
        page = self.post(browser, pro, cap="stop", amount="390")
        assert "Saved. It acts within two seconds." in text(page)
        assert cap_of(pro) == ("stop", Decimal(390))
        assert EntitlementChange.objects.latest("pk").actor == olive
        assert 'value="390.00"' in text(page)
        self.post(browser, pro, cap="notify", amount="$1,050.50")
        assert cap_of(pro) == ("notify", Decimal("1050.50"))
        self.post(browser, pro, cap="none", amount="whatever")
        assert cap_of(pro) is None

    def test_swaps_the_card_for_htmx(self, browser: Client, pro: Tenant) -> None:
        data = {"cap": "stop", "amount": "390"}
        page = browser.post(address(pro, "cap"), data, headers=HTMX)
        assert page.status_code == 200
        assert text(page).strip().startswith('<section class="card" id="cap"')
        assert "Saved. It acts within two seconds." in text(page)
        assert "<html" not in text(page)

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            ({"cap": "stop", "amount": ""}, "Enter an amount such as 390.00."),
            ({"cap": "stop", "amount": "lots"}, "Enter an amount such as 390.00."),
            ({"cap": "stop", "amount": "NaN"}, "Enter an amount such as 390.00."),
            ({"cap": "notify", "amount": "-1"}, "Enter 0 or more"),
            ({"cap": "stop", "amount": "1.005"}, "no more than 2 decimal places"),
            ({"cap": "stop", "amount": "99999999999"}, "no more than 10 digits before the decimal point"),
            ({"amount": "390"}, "Choose one."),
            ({"cap": "half", "amount": "390"}, "Choose one of these."),
        ],
    )
    def test_of_a_mistake_says_it_beside_its_field_and_loses_nothing(
        self, browser: Client, pro: Tenant, data: dict[str, str], problem: str
    ) -> None:
        set_(pro, "5.00")
        page = self.post(browser, pro, **data)
        assert page.status_code == 422
        assert problem in text(page)
        assert f'value="{data["amount"]}"' in text(page)
        assert cap_of(pro) == ("stop", Decimal(5))
        swapped = browser.post(address(pro, "cap"), data, headers=HTMX)
        assert (swapped.status_code, problem in text(swapped)) == (200, True)

    def test_asks_before_what_is_spent_already_stops(self, browser: Client, pro: Tenant) -> None:
        spend(pro, 319_790)
        page = self.post(browser, pro, cap="stop", amount="$300")
        until = period_at(pro, timezone.now()).until
        assert "$319.79 is spent already: billable requests are refused at once" in text(page)
        assert f"until {until.day} {until:%b}. Included amounts keep working." in text(page)
        assert cap_of(pro) is None
        sent = form_data(page, None, confirmed="300")
        del sent["csrfmiddlewaretoken"]
        browser.post(address(pro, "cap"), sent)
        assert cap_of(pro) == ("stop", Decimal(300))

    def test_asks_again_where_the_amount_was_changed_after_the_question(
        self, browser: Client, pro: Tenant
    ) -> None:
        spend(pro, 319_790)
        page = self.post(browser, pro, cap="stop", amount="250", confirmed="300")
        assert "Stop at $250?" in text(page)
        assert cap_of(pro) is None

    @pytest.mark.parametrize(
        ("mode", "amount", "is_asked"),
        [("stop", "319.80", False), ("stop", "319.79", True), ("notify", "1", False), ("none", "", False)],
    )
    def test_asks_only_where_something_stops(
        self, browser: Client, pro: Tenant, mode: str, amount: str, is_asked: bool
    ) -> None:
        spend(pro, 319_790)
        page = self.post(browser, pro, cap=mode, amount=amount)
        assert ("is spent already" in text(page)) == is_asked
        assert bool(cap_of(pro)) != (is_asked or mode == "none")

    def test_of_nothing_is_not_asked_where_nothing_is_spent(self, browser: Client, pro: Tenant) -> None:
        self.post(browser, pro, cap="stop", amount="0")
        assert cap_of(pro) == ("stop", Decimal(0))


class TestReaders:
    def page(self, client_for: Callable[[User], Client], user: User, tenant: Tenant) -> Any:
        return client_for(user).get(address(tenant, "cap"), follow=True)

    def test_admins_read_and_owners_change(
        self, client_for: Callable[[User], Client], make_user: MakeUser, pro: Tenant, olive: User
    ) -> None:
        set_(pro, "390.00", actor=olive)
        ada = make_user("ada@northwind.example", Membership.Role.ADMIN, pro)
        page = text(self.page(client_for, ada, pro))
        assert "$390.00" in page
        assert "<fieldset disabled>" in page
        assert "Owners can change it." in page
        assert "Save cap" not in page
        assert client_for(ada).post(address(pro, "cap"), {"cap": "none"}).status_code == 403
        assert "Save cap" in text(self.page(client_for, olive, pro))

    def test_viewers_see_no_money(
        self, client_for: Callable[[User], Client], make_user: MakeUser, pro: Tenant, olive: User
    ) -> None:
        set_(pro, "123.45", actor=olive)
        vic = make_user("vic@northwind.example", Membership.Role.VIEWER, pro)
        assert self.page(client_for, vic, pro).status_code == 403
        for name in ("overview", "why", "plan", "alerts"):
            assert "123.45" not in text(client_for(vic).get(address(pro, name)))
        assert "123.45 USD" in text(client_for(olive).get(address(pro, "why")))

    def test_owners_read_of_operations_without_names(
        self, client_for: Callable[[User], Client], pro: Tenant, olive: User, staff: User
    ) -> None:
        set_(pro, "390.00", side=OPERATIONS, actor=staff)
        assert "sam@ops" not in text(self.page(client_for, olive, pro))
        assert self.page(client_for, staff, pro).status_code == 200
