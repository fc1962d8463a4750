"""The audit page: what people did, wherever they did it, found again by tenant, person, kind and day."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.changes import FEW, limits_changed
from tenants.audit import Action, record
from tenants.keyring import add_key
from tenants.models import AuditEntry, Tenant, User
from tests.conftest import MakeTenant
from tests.forms import form_data
from tests.usage.pages import address, text
from usage.reports.audit_page import NAMES, SIZE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
Browser = Callable[[User], Client]
PATH = "/staff/audit/"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def browser(client_for: Browser, staff: User) -> Client:
    return client_for(staff)


def renamed(tenant: Tenant, who: User | None, at: datetime = NOON, name: str = "New") -> None:
    record(tenant, Action.RENAMED, actor=who, at=at, name=name, was="Old")


def shown(browser: Client, **asked: str) -> list[str]:
    return [act.text for act in browser.get(PATH, asked).context["audit"].acts]


class TestWhatIsKept:
    """One list for all acts, wherever they were done."""

    def test_of_owners_of_operations_of_the_admin_and_of_looks(
        self, browser: Client, client_for: Browser, tenant: Tenant, owner: User
    ) -> None:
        add_key(tenant, name="job", expires_at=None, person=owner, at=timezone.now())
        browser.get(address(tenant))
        url = f"/admin/tenants/tenant/{tenant.pk}/change/"
        browser.post(url, form_data(browser.get(url), "tenant_form", name="Northwind Labs"))
        html = text(browser.get(PATH))
        for sentence in (
            "API key “job”",
            "/t/northwind/ was opened as staff",
            "Tenant “Northwind Labs” was changed in the admin: Changed Name.",
        ):
            assert sentence in html
        assert "olive@northwind.example" in html
        assert html.count('href="/staff/tenants/northwind/"') == 3

    def test_of_an_edit_that_touches_many_tenants_once(
        self, browser: Client, make_tenant: MakeTenant, staff: User
    ) -> None:
        for n in range(FEW + 1):
            make_tenant(f"t{n}")
        limits_changed(Tenant.objects.all(), reason="Plan Pro: API calls 1 → 2", at=NOON, actor=staff)
        assert shown(browser) == [f"What {FEW + 1} tenants may use was changed: Plan Pro: API calls 1 → 2"]
        AuditEntry.objects.all().delete()
        limits_changed(Tenant.objects.filter(slug__in=["t1", "t2"]), reason="x", at=NOON, actor=staff)
        assert shown(browser, tenant="t2") == ["What it may use was changed: x"]

    def test_not_of_what_happens_by_itself(self, tenant: Tenant) -> None:
        limits_changed(Tenant.objects.all(), reason="x", at=NOON)
        assert not AuditEntry.objects.exists()

    def test_is_no_news_on_the_tenants_own_timeline(
        self, browser: Client, client_for: Browser, tenant: Tenant, owner: User
    ) -> None:
        browser.get(address(tenant))
        html = text(client_for(owner).get(address(tenant, "why")))
        assert "as staff" not in html


class TestFilters:
    def test_find_a_tenants_a_persons_and_a_kinds_acts(
        self, browser: Client, make_tenant: MakeTenant, tenant: Tenant, owner: User, staff: User
    ) -> None:
        other = make_tenant("other")
        renamed(tenant, owner, name="A")
        renamed(other, staff, name="B")
        record(other, Action.LEFT, actor=staff, at=NOON, who="vera")
        assert len(shown(browser)) == 3
        assert shown(browser, tenant="Northwind ") == ["The organisation is now called A, was Old"]
        assert shown(browser, person="SAM@ops.example") == [
            "vera left",
            "The organisation is now called B, was Old",
        ]
        assert shown(browser, kind="member left") == ["vera left"]
        assert shown(browser, tenant="northwind", kind="member left") == []

    def test_days_are_the_readers(self, browser: Client, tenant: Tenant, staff: User) -> None:
        renamed(tenant, None, NOON.replace(hour=23), "Late")
        asked = {"first": "2026-11-20", "last": "2026-11-20"}
        assert len(shown(browser, **asked)) == 1
        User.objects.update(time_zone="Asia/Tokyo")  # there it is the 21st
        assert shown(browser, **asked) == []
        assert len(shown(browser, first="2026-11-21", last="2026-11-21")) == 1

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"tenant": "nowhere"}, "tenant", "No tenant has the slug “nowhere”."),
            ({"person": "x@y.example"}, "person", "Nobody has the address “x@y.example”."),
            ({"kind": "theft"}, "kind", "is not one of the available choices"),
            ({"first": "soon"}, "first", "Enter a valid date"),
            ({"first": "2026-11-20", "last": "2026-11-19"}, "last", "It ends before it begins"),
        ],
    )
    def test_say_what_is_wrong_beside_it_and_show_nothing(
        self, browser: Client, tenant: Tenant, wrong: dict[str, str], field: str, message: str
    ) -> None:
        renamed(tenant, None)
        response = browser.get(PATH, {"person": "", **wrong})
        html = text(response)
        assert list(response.context["form"].errors) == [field]
        assert f'id="id_{field}_error"' in html
        assert message in html
        assert response.context["audit"].acts == ()
        assert browser.get("/staff/audit.csv", wrong)["Location"].startswith(PATH)

    def test_every_kind_has_a_name(self) -> None:
        assert set(NAMES) == set(Action)


class TestPaging:
    def test_shows_every_act_once_where_many_came_at_once(self, browser: Client, tenant: Tenant) -> None:
        for n in range(2 * SIZE + 5):
            renamed(tenant, None, NOON - timedelta(seconds=n // 40), str(n))
        found, path = [], f"{PATH}?tenant=northwind"
        while path:
            response = browser.get(path)
            assert "tenant=northwind" in response.context["csv"]
            found += [act.text for act in response.context["audit"].acts]
            path = response.context["older"] if response.context["audit"].next else ""
        assert len(found) == len(set(found)) == 2 * SIZE + 5

    def test_reads_the_same_for_many_as_for_few(
        self,
        browser: Client,
        make_tenant: MakeTenant,
        staff: User,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for n in range(30):
            renamed(make_tenant(f"t{n}"), staff)
        browser.get(PATH)
        with django_assert_max_num_queries(6):
            browser.get(PATH, {"tenant": "t1", "person": "sam@ops.example"})


class TestCsv:
    def rows(self, browser: Client, **asked: str) -> list[dict[str, str]]:
        response: Any = browser.get("/staff/audit.csv", asked)
        assert response["Content-Disposition"] == 'attachment; filename="audit.csv"'
        return list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))

    def test_holds_what_the_filters_let_through(
        self, browser: Client, make_tenant: MakeTenant, tenant: Tenant, staff: User
    ) -> None:
        renamed(make_tenant("other"), staff)
        record(tenant, Action.VIEWED, actor=staff, at=NOON, page="/t/northwind/", network="192.0.2.7")
        assert self.rows(browser, tenant="northwind") == [
            {
                "at": "2026-11-20T12:00:00Z",
                "who": "sam@ops.example",
                "act": "viewed as staff",
                "text": "/t/northwind/ was opened as staff",
                "tenant": "northwind",
                "network": "192.0.2.7",
            }
        ]

    def test_marks_what_a_spreadsheet_would_calculate(self, browser: Client, tenant: Tenant) -> None:
        record(tenant, Action.LEFT, actor=None, at=NOON, who="=cmd")
        assert self.rows(browser)[0]["text"] == "'=cmd left"
