"""The staff pages of imports: who may, what the preview says, and that a yes imports exactly that."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from billing.costs.bills import TypedRow, type_bill
from billing.models import CostBill, CostRow, PendingImport
from billing.pricing import rounded
from tenants.models import User
from tests.billing.focus_files import bill, named, packed, small
from tests.conftest import MakeUser
from tests.usage.pages import text
from usage import import_forms
from usage.reports.imports import in_cents

pytestmark = pytest.mark.django_db

LIST = "/staff/imports/"
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
OCTOBER = date(2026, 10, 1)


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    """Of a member of operations who may do everything."""
    return client_for(staff)


@pytest.fixture
def clerk(client_for: Callable[[User], Client], make_user: MakeUser) -> Client:
    """Of one who may look."""
    return client_for(make_user("carol@ops.example", is_staff=True))


def send(browser: Client, content: bytes, name: str = "oct.csv", provider: str = "") -> Any:
    return browser.post(LIST, {"file": SimpleUploadedFile(name, content), "provider": provider})


def preview_of(browser: Client, content: bytes, **options: str) -> str:
    response = send(browser, content, **options)
    assert response.status_code == 302
    return text(browser.get(response["Location"]))


def confirm_path() -> str:
    return reverse("usage:import_confirm", args=[PendingImport.objects.get().pk])


class TestWhoMay:
    def test_strangers_are_asked_to_sign_in(self, client: Client) -> None:
        assert client.get(LIST).status_code == 302
        assert "/sign-in/" in send(client, bill())["Location"]

    def test_owners_find_nothing(self, client_for: Callable[[User], Client], owner: User) -> None:
        browser = client_for(owner)
        assert browser.get(LIST).status_code == 404
        assert send(browser, bill()).status_code == 404

    def test_staff_reads(self, clerk: Client) -> None:
        type_bill("Hetzner", OCTOBER, [TypedRow("Servers", Decimal(1))], author=None, at=AT)
        html = text(clerk.get(LIST))
        assert "Hetzner" in html
        assert 'type="file"' not in html

    def test_staff_with_the_permission_imports(self, clerk: Client, browser: Client) -> None:
        assert send(clerk, bill()).status_code == 403
        send(browser, bill())
        preview = reverse("usage:import_preview", args=[PendingImport.objects.get().pk])
        assert clerk.get(preview).status_code == 403
        assert clerk.post(confirm_path()).status_code == 403
        carol = User.objects.get(email="carol@ops.example")
        carol.user_permissions.add(Permission.objects.get(codename="add_costbill"))
        assert clerk.get(preview).status_code == 200
        assert clerk.post(confirm_path()).status_code == 302
        assert CostBill.objects.get().author == carol


class TestList:
    def test_says_who_imported_what_and_when(self, browser: Client, staff: User) -> None:
        for amount in ("1234.5", "2000"):
            type_bill("Hetzner", OCTOBER, [TypedRow("Servers", Decimal(amount))], author=staff, at=AT)
        html = text(browser.get(LIST))
        for part in ("Hetzner", "Oct 2026", "1, replaced", "$1,234.50", "$2,000.00", "typed in", str(staff)):
            assert part in html
        assert 'datetime="2026-11-23T08:00:00Z"' in html

    def test_is_read_page_by_page(
        self, browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(30):
            type_bill(f"Provider {number:02}", OCTOBER, [], author=None, at=AT)
        with django_assert_max_num_queries(6):
            html = text(browser.get(LIST))
        assert "Provider 29" in html
        assert "Provider 04" not in html
        older = re.search(r'id="go-older" href="([^"]+)"', html)
        assert older
        assert "Provider 04" in text(browser.get(older[1]))

    def test_says_that_there_is_none(self, browser: Client) -> None:
        assert "No bill yet" in text(browser.get(LIST))


class TestPreview:
    def test_says_what_the_file_holds_and_writes_nothing(self, browser: Client) -> None:
        rows = [{"EffectiveCost": "3.005"}, {"EffectiveCost": "2.005", "ServiceName": "Storage"}]
        html = preview_of(browser, packed(bill(*rows, {"EffectiveCost": "-0.004"})), name="oct.csv.gz")
        for part in (
            "oct.csv.gz",
            "3 rows, $5.01",
            "AWS, October 2026",
            "USD",
            "1 Oct 2026",
            "Compute",
            "$3.00",
        ):
            assert part in html
        assert "The first bill of this provider and month" in html
        assert not CostBill.objects.exists()

    @pytest.mark.parametrize(
        ("amount", "change"),
        [("10", "+$2.50"), ("7", "−$0.50"), ("7.5", "no difference"), ("7.5001", "less than a cent")],
    )
    def test_says_what_it_replaces_and_how_the_sum_differs(
        self, browser: Client, amount: str, change: str
    ) -> None:
        type_bill("AWS", OCTOBER, [TypedRow("x", Decimal("7.50"))], author=None, at=AT)
        html = preview_of(browser, bill({"EffectiveCost": amount}))
        assert "Replaces version 1 with 1 row, $7.50" in html
        assert change in html

    def test_compares_with_what_is_there_when_it_is_read(self, browser: Client) -> None:
        where = send(browser, bill())["Location"]
        type_bill("AWS", OCTOBER, [TypedRow("x", Decimal(1))], author=None, at=AT)
        assert "Replaces version 1" in text(browser.get(where))

    def test_says_that_the_same_file_was_imported(self, browser: Client, staff: User) -> None:
        send(browser, bill())
        browser.post(confirm_path())
        html = preview_of(browser, packed(bill()))
        assert "The same file was imported at" in html
        assert f"by {staff}" in html
        assert browser.post(confirm_path()).status_code == 302
        assert CostBill.objects.current().get().version == 2

    def test_lists_unknown_columns_but_not_the_providers_own(self, browser: Client) -> None:
        html = preview_of(browser, small(also=("Cost", "x_Discount")), provider="AWS")
        assert "Not columns of FOCUS, left out: Cost" in html
        assert "x_Discount" not in html

    def test_shows_the_twenty_dearest_services_and_sums_the_others(self, browser: Client) -> None:
        rows = [{"BilledCost": f"{n}.01", "ServiceName": f"Service {n}"} for n in range(1, 31)]
        html = preview_of(browser, small(*rows), provider="AWS")
        assert "Service 30<" in html
        assert "Service 10<" not in html
        assert "10 other services" in html
        assert "$55.10" in html

    def test_shows_names_as_text(self, browser: Client) -> None:
        html = preview_of(
            browser, bill({"ServiceName": "<script>alert(1)</script>", "ProviderName": "<b>x</b>"})
        )
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
        browser.post(confirm_path())
        assert "<b>x</b>" not in text(browser.get(LIST))

    def test_is_gone_with_its_file(self, browser: Client) -> None:
        path = send(browser, bill())["Location"]
        PendingImport.objects.all().delete()
        assert browser.get(path).status_code == 404


class TestConfirm:
    def test_imports_what_was_shown(self, browser: Client, staff: User) -> None:
        send(browser, bill({"EffectiveCost": "3"}))
        response = browser.post(confirm_path(), follow=True)
        assert "1 bill was imported: AWS, 2026-10." in text(response)
        made = CostBill.objects.get()
        assert (made.source, made.author) == ("oct.csv", staff)
        assert (made.total, CostRow.objects.count()) == (Decimal(3), 1)

    def test_twice_imports_once(self, browser: Client) -> None:
        send(browser, bill())
        path = confirm_path()
        browser.post(path)
        assert "imported already, or waited for a day" in text(browser.post(path, follow=True))
        assert CostBill.objects.count() == 1

    def test_that_can_no_longer_be_says_why(self, browser: Client, settings: Any) -> None:
        send(browser, bill())
        settings.HEADROOM_CURRENCY = "EUR"
        assert "Nothing was imported: line 2, BillingCurrency" in text(
            browser.post(confirm_path(), follow=True)
        )
        assert not CostBill.objects.exists()

    def test_takes_a_post(self, browser: Client) -> None:
        send(browser, bill())
        assert browser.get(confirm_path()).status_code == 405


class TestRefusedFile:
    def test_is_answered_with_each_mistake_and_not_kept(self, browser: Client) -> None:
        html = text(send(browser, small({}, *({"BilledCost": "<i>x"},) * 25), provider="AWS"))
        assert "Nothing of oct.csv was imported" in html
        assert "25 mistakes" in html
        assert "Line 3, BilledCost: <code>&lt;i&gt;x</code>" in html
        assert "Write a number such as" in html
        assert "and 5 more" in html
        assert not PendingImport.objects.exists()

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", "The file is empty"),
            (packed(bill())[:-9], "it was cut off on its way"),
            (b"PK\x03\x04", "looks like Excel or zip"),
            (bill({"BillingCurrency": "EUR"}), "Amounts are kept in USD"),
            (small(), "The row names no provider"),
        ],
        ids=named,
    )
    def test_says_what_to_do(self, browser: Client, content: bytes, found: str) -> None:
        assert found in text(send(browser, content))

    def test_is_one_that_is_too_large(self, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(import_forms, "MOST_UPLOADED", 100)
        assert "pack it with gzip, or use import_costs" in text(send(browser, bill()))
        assert not PendingImport.objects.exists()

    def test_is_none_at_all(self, browser: Client) -> None:
        assert "Choose a file." in text(browser.post(LIST, {"provider": "x"}))

    def test_has_a_provider_with_a_name_too_long(self, browser: Client) -> None:
        assert "at most 60 characters" in text(send(browser, small(), provider="x" * 61))


class TestProvider:
    def test_is_written_as_its_other_bills_have_it(self, browser: Client) -> None:
        type_bill("Hetzner", OCTOBER, [], author=None, at=AT)
        assert "Hetzner, October 2026" in preview_of(browser, small(), provider=" HETZNER ")


class TestInCents:
    @given(parts=st.lists(st.decimals(min_value=-(10**6), max_value=10**6, places=12), max_size=20))
    def test_parts_sum_to_their_rounded_sum_and_stay_within_a_cent(self, parts: list[Decimal]) -> None:
        found = in_cents(parts)
        assert sum(found) == rounded(sum(parts, Decimal(0)))
        assert all(abs(one - part) < Decimal("0.01") for one, part in zip(found, parts, strict=True))
