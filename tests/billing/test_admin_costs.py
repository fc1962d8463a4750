"""Bills typed in the admin: saved as versions, with their sum and author; those of files are only looked at."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing.costs.bills import TypedRow, import_bill, type_bill
from billing.focus import Reading
from billing.models import CostBill, CostRow
from tenants.models import User
from tests.billing.focus_files import bill
from tests.conftest import MakeUser
from tests.forms import form_data

pytestmark = pytest.mark.django_db

ADD = "/admin/billing/costbill/add/"
LIST = "/admin/billing/costbill/"
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
OCTOBER = date(2026, 10, 1)


@pytest.fixture
def admin(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


def page_of(one: CostBill) -> str:
    return reverse("admin:billing_costbill_change", args=[one.pk])


def rows(*values: tuple[str, str]) -> dict[str, str]:
    """Services and amounts as the form sends them."""
    pairs = [(f"charges-{n}-", value) for n, value in enumerate(values)]
    return {
        **{f"{prefix}service": service for prefix, (service, _amount) in pairs},
        **{f"{prefix}amount": amount for prefix, (_service, amount) in pairs},
    }


def add(admin: Client, provider: str = "Hetzner", month: str = "2026-10", **changes: Any) -> Any:
    sent = form_data(admin.get(ADD), "costbill_form", provider=provider, month=month)
    return admin.post(ADD, sent | (changes or rows(("Servers", "412.10"), ("Credit", "-12"))))


def typed() -> CostBill:
    row = TypedRow("Servers", Decimal("412.10"))
    return type_bill("Hetzner", OCTOBER, [row, TypedRow("Traffic", Decimal(3))], author=None, at=AT)


def imported() -> CostBill:
    return import_bill(Reading(io.BytesIO(bill())), source="oct.csv", author=None, at=AT)[0]


class TestAdding:
    def test_writes_the_rows_with_their_sum_and_author(self, admin: Client, staff: User) -> None:
        assert add(admin).status_code == 302
        made = CostBill.objects.get()
        assert (made.provider, made.month, made.version, made.is_current) == ("Hetzner", OCTOBER, 1, True)
        assert (made.total, made.rows, made.source, made.author) == (Decimal("400.10"), 2, "typed in", staff)
        assert list(made.charges.values_list("line", "service", "category")) == [
            (1, "Servers", "Usage"),
            (2, "Credit", "Usage"),
        ]
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.user) == (str(made.pk), staff)

    def test_again_is_the_next_version_whatever_the_case(self, admin: Client) -> None:
        add(admin)
        add(admin, " hetzner", "2026-10-17", **rows(("Servers", "1")))
        current = CostBill.objects.current().get()
        assert (current.provider, current.version) == ("Hetzner", 2)
        assert (current.total, CostRow.objects.count()) == (Decimal(1), 1)

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"month": "October"}, "Enter a valid date"),
            ({"month": "1812-10"}, "There is no bill of that year"),
            (rows(("", "")), "Type at least one row"),
            (rows(("Servers", "")), "This field is required"),
            (rows(("Servers", "NaN")), "Enter a number"),
            (rows(("Servers", "1e16")), "less than or equal to"),
            (rows(("Servers", "0.0000000000001")), "no more than 12 decimal places"),
        ],
    )
    def test_says_what_is_wrong_and_writes_nothing(
        self, admin: Client, changes: dict[str, str], text: str
    ) -> None:
        response = add(admin, **changes) if "month" not in changes else add(admin, month=changes["month"])
        assert text in response.content.decode()
        assert not CostBill.objects.exists()


class TestChanging:
    def test_makes_the_next_version_with_the_rows_that_stay(self, admin: Client, staff: User) -> None:
        first = typed()
        sent = form_data(admin.get(page_of(first)), "costbill_form")
        changes = {"charges-0-amount": "400", "charges-1-DELETE": "on"} | {
            "charges-2-service": "Backup",
            "charges-2-amount": "5.5",
        }
        assert admin.post(page_of(first), sent | changes).status_code == 302
        former, current = CostBill.objects.order_by("version")
        assert (former.is_current, former.total, former.rows) == (False, Decimal("415.10"), 2)
        assert (current.version, current.total, current.author) == (2, Decimal("405.5"), staff)
        assert list(CostRow.objects.values_list("bill", "service", "amount")) == [
            (current.pk, "Servers", Decimal(400)),
            (current.pk, "Backup", Decimal("5.5")),
        ]
        assert LogEntry.objects.get().object_id == str(current.pk)

    def test_shows_amounts_as_they_were_typed(self, admin: Client) -> None:
        html = admin.get(page_of(typed())).content.decode()
        assert 'value="412.10"' in html
        assert "412.1000" not in html

    def test_goes_on_with_the_version_that_was_made(self, admin: Client) -> None:
        first = typed()
        sent = form_data(admin.get(page_of(first)), "costbill_form", _continue="1")
        response = admin.post(page_of(first), sent)
        assert response["Location"] == page_of(CostBill.objects.current().get())

    def test_is_for_the_current_version_alone(self, admin: Client) -> None:
        first = typed()
        typed()
        assert "Save" not in admin.get(page_of(first)).content.decode()
        assert admin.post(page_of(first), {}).status_code == 403

    def test_is_not_for_what_came_in_a_file(self, admin: Client) -> None:
        one = imported()
        html = admin.get(page_of(one)).content.decode()
        assert "oct.csv" in html
        assert "Compute" not in html
        assert admin.post(page_of(one), {}).status_code == 403


class TestWithdrawing:
    def test_asks_first_and_then_leaves_a_version_without_rows(self, admin: Client, staff: User) -> None:
        one, other = imported(), typed()
        chosen = {"action": "withdraw", ACTION_CHECKBOX_NAME: [one.pk, other.pk]}
        assert "Withdraw these bills?" in admin.post(LIST, chosen).content.decode()
        assert CostRow.objects.count() == 3
        admin.post(LIST, {**chosen, "confirmed": "yes"})
        current = CostBill.objects.current()
        assert {(bill.version, int(bill.total), bill.source, bill.author) for bill in current} == {
            (2, 0, "withdrawn", staff)
        }
        assert (len(current), CostRow.objects.count(), LogEntry.objects.count()) == (2, 0, 2)


class TestPermissions:
    def test_who_may_only_look_writes_nothing(
        self, client_for: Callable[[User], Client], make_user: MakeUser
    ) -> None:
        clerk = make_user("carol@ops.example", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_costbill"))
        one = typed()
        browser = client_for(clerk)
        assert browser.get(page_of(one)).status_code == 200
        assert browser.get(ADD).status_code == 403
        assert browser.post(page_of(one), {}).status_code == 403
        browser.post(LIST, {"action": "withdraw", ACTION_CHECKBOX_NAME: [one.pk], "confirmed": "yes"})
        assert CostBill.objects.get().is_current

    def test_no_bill_is_deleted(self, admin: Client) -> None:
        one = typed()
        assert (
            admin.post(reverse("admin:billing_costbill_delete", args=[one.pk]), {"post": "yes"}).status_code
            == 403
        )


def test_names_are_shown_as_text(admin: Client) -> None:
    row = TypedRow("<script>alert(1)</script>", Decimal(1))
    one = type_bill("<b>x</b>", OCTOBER, [row], author=None, at=AT)
    for path in (LIST, page_of(one)):
        html = admin.get(path).content.decode()
        assert "<script>alert" not in html
        assert "<b>x</b>" not in html
