"""Rules in the admin: in order, tested before they divide anything, and confirmed where they move a service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing.costs.bills import TypedRow, type_bill
from billing.costs.coverage import coverage
from billing.models import CostAlias, CostRule, Metric
from tenants.models import User
from tests.conftest import MakeTenant, MakeUser
from tests.forms import form_data

pytestmark = pytest.mark.django_db

LIST, TEST = reverse("admin:billing_costrule_changelist"), reverse("admin:billing_costrule_test")
ADD = reverse("admin:billing_costrule_add")
AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def bill() -> None:
    """Compute, the dearest, and Support; of October something else."""
    rows = [
        TypedRow("Support", Decimal("40")),
        TypedRow("Compute", Decimal("1200.5")),
        TypedRow("Backup", Decimal("7"), sub_account="zeta"),
    ]
    type_bill("AWS", date(2026, 11, 1), rows, author=None, at=AT)
    type_bill("AWS", date(2026, 10, 1), [TypedRow("Old", Decimal(1))], author=None, at=AT)


def rule(position: int = 1, **fields: Any) -> CostRule:
    return CostRule.objects.create(
        position=position,
        **{"name": "Calls", "driver": "metric", "service": "compute", "metric": calls(), **fields},
    )


def calls() -> Metric:
    return Metric.objects.get(code="api_calls")


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


class TestTheTest:
    def test_names_the_rule_of_each_service(self, browser: Client, bill: None) -> None:
        rule()
        rule(2, name="Own", service="*", driver="account", metric=None)
        html = text(browser.get(TEST))
        assert "The rules cover 2 services of 2026-11, 1 not." in html
        assert html.index("Compute") < html.index("Support") < html.index("Backup")
        assert "<td>1,200.50</td> <td>Calls</td> <td>API calls</td> <td>–</td>" in html
        assert "<td>40.00</td> <td><strong>none</strong></td> <td>not split</td>" in html
        assert "<td>Own</td> <td>Sub-account</td> <td>zeta</td>" in html

    def test_knows_aliases(self, bill: None, make_tenant: MakeTenant) -> None:
        rule(driver="account", service="*", metric=None)
        CostAlias.objects.create(value="ZETA", tenant=make_tenant())
        found = coverage()
        assert found
        assert [one.strangers for one in found.fates if one.service == "Backup"] == [""]

    def test_counts_a_service_of_which_a_part_is_missed_as_missed(self, bill: None) -> None:
        rule(driver="account", service="*", metric=None)
        rows = [TypedRow("Compute", Decimal(1), sub_account="x"), TypedRow("Compute", Decimal(1))]
        type_bill("AWS", date(2026, 12, 1), rows, author=None, at=AT)
        found = coverage()
        assert found
        assert found.sentence == "The rules cover 0 services of 2026-12, 1 not."

    def test_says_that_there_is_no_bill(self, browser: Client) -> None:
        assert "There is no bill to test them with" in text(browser.get(TEST))
        assert "The rules cover" not in text(browser.get(LIST))

    def test_is_for_who_may_see_rules(
        self, client_for: Callable[[User], Client], make_user: MakeUser, bill: None
    ) -> None:
        clerk = make_user("clerk@ops.example", is_staff=True)
        assert client_for(clerk).get(TEST).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="view_costrule"))
        assert client_for(clerk).get(TEST).status_code == 200


class TestSaving:
    def fill(self, browser: Client, page: str = ADD, **fields: Any) -> Any:
        given = {"name": "Calls", "service": "Comp*", "driver": "metric", "metric": calls().pk, **fields}
        return browser.post(page, form_data(browser.get(page), "costrule_form", **given))

    def test_shows_first_what_falls_to_another_rule(self, browser: Client, bill: None) -> None:
        html = text(self.fill(browser))
        assert "This changes how <strong>1 service</strong> is split" in html
        assert "AWS, Compute: no rule: not split → API calls (Calls)" in html
        assert "The rules cover 1 service of 2026-11, 2 not." in html
        assert not CostRule.objects.exists()

    def test_is_done_once_confirmed(self, browser: Client, bill: None, staff: User) -> None:
        asked = self.fill(browser)
        answer = browser.post(ADD, form_data(asked, _confirmed="Save"), follow=True)
        assert "The rules cover 1 service of 2026-11, 2 not." in text(answer)
        one = CostRule.objects.get()
        assert (one.name, one.service, one.metric) == ("Calls", "Comp*", calls())
        assert one.history.get().history_user == staff

    def test_asks_nothing_where_nothing_moves(self, browser: Client, bill: None) -> None:
        assert self.fill(browser, service="None of ours").status_code == 302
        assert CostRule.objects.count() == 1

    def test_comes_last_unless_told_otherwise(self, browser: Client) -> None:
        rule(7)
        assert form_data(browser.get(ADD), "costrule_form")["position"] == ["8"]

    def test_says_which_field_lacks_what(self, browser: Client, bill: None) -> None:
        assert "By use of which metric?" in text(self.fill(browser, metric=""))
        assert "Which tag names the tenant?" in text(self.fill(browser, driver="tag", metric=""))

    def test_weights_are_rows_of_the_rule(self, browser: Client, bill: None, make_tenant: MakeTenant) -> None:
        one, tenant = rule(driver="weights", metric=None, service="nothing"), make_tenant()
        page = reverse("admin:billing_costrule_change", args=[one.pk])
        added = {
            "weights-TOTAL_FORMS": 1,
            "weights-0-id": "",
            "weights-0-rule": one.pk,
            "weights-0-tenant": tenant.pk,
            "weights-0-weight": 3,
        }
        assert browser.post(page, form_data(browser.get(page), "costrule_form", **added)).status_code == 302
        assert [(weight.tenant, weight.weight) for weight in one.weights.all()] == [(tenant, 3)]


class TestTheList:
    def test_is_in_order_and_says_what_it_covers(self, browser: Client, bill: None) -> None:
        rule(9, name="Rest", service="*", driver="shared", metric=None)
        rule(1, tag_key="env", tag_value="prod", sub_account="7*")
        html = text(browser.get(LIST))
        assert html.index(">Calls<") < html.index(">Rest<")
        assert "7*, env=prod" in html
        assert "The rules cover 3 services of 2026-11, 0 not." in html

    def test_is_put_into_another_order_by_positions(self, browser: Client, bill: None) -> None:
        one, other = rule(1), rule(2, name="Rest", service="*", driver="shared", metric=None)
        data = form_data(browser.get(LIST), "changelist-form", **{"form-0-position": 5, "_save": "Save"})
        asked = browser.post(LIST, data)
        assert "AWS, Compute: API calls (Calls) → not split (Rest)" in text(asked)
        assert "changed successfully" not in text(asked)
        assert list(CostRule.objects.values_list("position", flat=True)) == [1, 2]
        html = text(browser.post(LIST, form_data(asked, _confirmed="Save"), follow=True))
        assert html.index(">Rest<") < html.index(">Calls<")
        assert "changed successfully" in html
        one.refresh_from_db()
        assert (one.position, one.history.count(), other.history.count()) == (5, 2, 1)

    def test_asks_before_a_rule_goes(self, browser: Client, bill: None) -> None:
        page = reverse("admin:billing_costrule_delete", args=[rule().pk])
        asked = browser.post(page, {"post": "yes"})
        assert "API calls (Calls) → no rule: not split" in text(asked)
        assert CostRule.objects.exists()
        browser.post(page, form_data(asked, _confirmed="Save"))
        assert not CostRule.objects.exists()
