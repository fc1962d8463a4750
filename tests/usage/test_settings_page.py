"""The page of settings, and what the chosen zone changes on other pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import AuditEntry, Tenant, User
from tests.conftest import MakeUser
from tests.usage.counted import refuse, use
from tests.usage.pages import HTMX, address, seen, text
from usage.models import AlertChoice, Delivery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
Browser = Callable[[User], Client]
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def browser(client_for: Browser, owner: User) -> Client:
    return client_for(owner)


def organisation(browser: Client, tenant: Tenant, **asked: str) -> Any:
    values = {"name": "Northwind", "default_zone": "UTC"} | asked
    return browser.post(address(tenant, "set_organisation"), values)


class TestOrganisation:
    def test_is_renamed_and_its_address_stays(self, browser: Client, tenant: Tenant, owner: User) -> None:
        response = organisation(browser, tenant, name=" Northwind Labs ")
        assert response["Location"] == address(tenant, "settings")
        page = text(browser.get(address(tenant, "settings")))
        assert 'value="Northwind Labs"' in page
        assert "<code>northwind</code>" in page
        (entry,) = AuditEntry.objects.all()
        assert (entry.actor, entry.detail) == (owner, {"name": "Northwind Labs", "was": "Northwind"})

    def test_is_found_by_its_new_name(self, browser: Client, tenant: Tenant) -> None:
        organisation(browser, tenant, name="Southwind")
        assert list(Tenant.objects.matching("southwind")) == [tenant]

    def test_that_keeps_its_name_is_not_written_down(self, browser: Client, tenant: Tenant) -> None:
        organisation(browser, tenant, default_zone="berlin")
        tenant.refresh_from_db()
        assert tenant.time_zone == "Europe/Berlin"
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"name": ""}, "name", "This field is required."),
            ({"name": "x" * 121}, "name", "at most 120 characters"),
            ({"default_zone": ""}, "default_zone", "This field is required."),
            ({"default_zone": "Europe/Atlantis"}, "default_zone", "There is no time zone “Europe/Atlantis”."),
        ],
    )
    def test_says_what_is_wrong_beside_the_field_and_keeps_the_rest(
        self, browser: Client, tenant: Tenant, wrong: dict[str, str], field: str, message: str
    ) -> None:
        asked = {"name": "Southwind", "default_zone": "Europe/Berlin"}
        response = organisation(browser, tenant, **(asked | wrong))
        assert response.status_code == 422
        found = re.search(rf'id="id_{field}_error"[^>]*>.*?</svg>([^<]+)', text(response))
        assert found
        assert message in found[1]
        other = {"name": "default_zone", "default_zone": "name"}[field]
        assert f'value="{asked[other]}"' in text(response)
        tenant.refresh_from_db()
        assert (tenant.name, tenant.time_zone) == ("Northwind", "UTC")

    def test_is_for_viewers_and_staff_to_look_at(
        self, client_for: Browser, make_user: MakeUser, tenant: Tenant, staff: User
    ) -> None:
        for person in (make_user("vera@northwind.example", "viewer", tenant), staff):
            page = text(client_for(person).get(address(tenant, "settings")))
            assert re.search(r'<fieldset class="stack tight"\s+disabled', page)
            assert "Owners and admins can change this." in page
            assert organisation(client_for(person), tenant, name="Mine").status_code == 403


class TestOwnZone:
    @pytest.mark.parametrize("role", ["owner", "admin", "viewer"])
    def test_is_everybodys_to_choose(
        self, client_for: Browser, make_user: MakeUser, tenant: Tenant, role: str
    ) -> None:
        person = make_user("pat@northwind.example", role, tenant)
        other = make_user("other@northwind.example", role, tenant)
        browser = client_for(person)
        browser.post(address(tenant, "set_zone"), {"time_zone": "tokyo"})
        person.refresh_from_db()
        other.refresh_from_db()
        assert (person.time_zone, other.time_zone) == ("Asia/Tokyo", "")
        assert 'value="Asia/Tokyo"' in text(browser.get(address(tenant, "settings")))
        browser.post(address(tenant, "set_zone"), {"time_zone": ""})
        person.refresh_from_db()
        assert person.time_zone == ""

    def test_is_staffs_to_choose_too(self, client_for: Browser, tenant: Tenant, staff: User) -> None:
        client_for(staff).post(address(tenant, "set_zone"), {"time_zone": "tokyo"})
        staff.refresh_from_db()
        assert staff.time_zone == "Asia/Tokyo"

    def test_that_does_not_exist_is_refused_beside_the_field(
        self, browser: Client, tenant: Tenant, owner: User
    ) -> None:
        response = browser.post(address(tenant, "set_zone"), {"time_zone": "Atlantis"})
        assert response.status_code == 422
        assert 'aria-describedby="id_time_zone_helptext id_time_zone_error"' in text(response)
        assert 'value="Atlantis"' in text(response)
        assert 'value="Northwind"' in text(response)

    def test_is_offered_while_somebody_types(self, browser: Client, owner: User) -> None:
        answers = [
            text(browser.get("/preferences/zones/", {name: "new yo"}, headers=HTMX))
            for name in ("time_zone", "default_zone")
        ]
        assert answers == ['<option value="America/New_York"></option>\n'] * 2
        assert text(browser.get("/preferences/zones/")).count("<option") == 20


class TestTimesInAZone:
    """Times are shown in the reader's zone and say its name; periods and days stay UTC and say so."""

    @pytest.fixture(autouse=True)
    def _in_tokyo(self, owner: User) -> None:
        User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")

    def test_of_counts_on_the_page_and_in_polls(self, browser: Client, tenant: Tenant) -> None:
        use(tenant, "api_calls", 5, at=timezone.now())
        response = browser.get(address(tenant))
        found = re.search(r'datetime="([^"]+)Z">(\d\d:\d\d:\d\d) JST</time>', text(response))
        assert found
        counted = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        assert f"{counted.astimezone(TOKYO):%H:%M:%S}" == found[2]
        quiet = browser.get(address(tenant), {"seen": seen(response)}, headers=HTMX)
        assert quiet.status_code == 204
        counted = datetime.fromisoformat(quiet["X-Counted-To"])
        assert quiet["X-Counted-Text"] == f"{counted.astimezone(TOKYO):%H:%M:%S} JST"

    def test_of_refusals_and_acts(self, browser: Client, tenant: Tenant) -> None:
        at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
        refuse(tenant, "api_calls", 1, at=at)
        page = text(browser.get(address(tenant, "why")))
        assert f"In the hour from {at.astimezone(TOKYO):%H:%M} JST" in page
        assert f"{at.astimezone(TOKYO):%-d %b %H:%M}</time>" in page

    def test_of_deliveries(self, browser: Client, tenant: Tenant) -> None:
        at = timezone.now() - timedelta(days=3)
        Delivery.objects.create(
            kind="test", tenant=tenant, channel="email", target="a@x.example", due_at=at, created_at=at
        )
        page = text(browser.get(address(tenant, "alerts")))
        assert "Time (Asia/Tokyo)" in page
        assert f"{at.astimezone(TOKYO):%-d %b %H:%M}</time>" in page

    def test_of_a_pause(self, browser: Client, tenant: Tenant) -> None:
        until = timezone.now() + timedelta(days=3)
        AlertChoice.objects.create(tenant=tenant, paused_until=until)
        page = text(browser.get(address(tenant, "alerts")))
        assert f"until {until.astimezone(TOKYO):%-d %b %H:%M} JST." in page

    def test_but_not_of_periods(self, browser: Client, tenant: Tenant) -> None:
        page = text(browser.get(address(tenant)))
        assert "(UTC)" in page
        assert "00:00 UTC" in page
        assert "Times are in Asia/Tokyo; periods and days are UTC." in page

    def test_of_nobody_else(self, client_for: Browser, make_user: MakeUser, tenant: Tenant) -> None:
        page = text(client_for(make_user("v@northwind.example", "viewer", tenant)).get(address(tenant)))
        assert "JST" not in page
        assert "Times are UTC." in page
