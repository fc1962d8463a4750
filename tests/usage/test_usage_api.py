"""What programs read with a key, what a browser remembers, what a wrong address shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants.keys import create_key
from tenants.models import Tenant, User
from tests.conftest import LONG_AGO, MakeTenant
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    """A tenant in billed overage."""
    tenant = make_tenant("acme", "pro")
    use(tenant, "api_calls", 501_500, at=timezone.now())
    return tenant


class TestApi:
    def test_answers_a_tenants_key_with_the_dashboard(self, client: Client, pro: Tenant) -> None:
        key = create_key(pro, name="job", at=LONG_AGO).secret
        response = client.get("/api/usage", headers={"Authorization": f"Bearer {key}"})
        told = response.json()
        assert response.status_code == 200
        assert (told["tenant"]["slug"], told["metrics"][0]["used"]) == ("acme", 501_500)
        assert response["Cache-Control"] == "no-store"

    def test_counts_nothing(self, client: Client, tenant: Tenant) -> None:
        key = create_key(tenant, name="job", at=LONG_AGO).secret
        for _ in range(2):
            told = client.get("/api/usage", headers={"Authorization": f"Bearer {key}"}).json()
        assert all(metric["used"] == 0 for metric in told["metrics"])

    def test_answers_a_service_key_for_the_tenant_it_names(self, client: Client, pro: Tenant) -> None:
        key = create_key(None, name="gateway", at=LONG_AGO).secret
        named = {"Authorization": f"Bearer {key}", "X-Tenant-ID": "acme"}
        assert client.get("/api/usage", headers=named).json()["tenant"]["slug"] == "acme"
        assert client.get("/api/usage", headers={"Authorization": f"Bearer {key}"}).status_code == 400

    def test_asks_for_a_key(self, client_for: Browser, client: Client, owner: User) -> None:
        for browser in (client, client_for(owner)):
            response = browser.get("/api/usage")
            assert response.status_code == 401
            assert response["Content-Type"] == "application/problem+json"
            assert response["WWW-Authenticate"] == "Bearer"

    def test_costs_few_queries(self, client: Client, pro: Tenant, django_assert_max_num_queries: Any) -> None:
        key = {"Authorization": f"Bearer {create_key(pro, name='job', at=LONG_AGO).secret}"}
        client.get("/api/usage", headers=key)
        with django_assert_max_num_queries(12):
            client.get("/api/usage", headers=key)


class TestPreferences:
    def test_pause_and_resume_in_a_cookie(self, client_for: Browser, owner: User, tenant: Tenant) -> None:
        browser, here = client_for(owner), address(tenant)
        assert 'aria-pressed="true"' in text(browser.get(here))
        assert browser.post(reverse("usage:live"), {"live": "off", "next": here})["Location"] == here
        assert 'aria-pressed="false"' in text(browser.get(here))
        browser.post(reverse("usage:live"), {"live": "on", "next": here})
        assert 'aria-pressed="true"' in text(browser.get(here))

    def test_swap_the_switch_alone(self, client_for: Browser, owner: User) -> None:
        response = client_for(owner).post(
            reverse("usage:live"), {"live": "off", "next": "/t/x/"}, headers=HTMX
        )
        assert 'aria-pressed="false"' in text(response)
        assert "<html" not in text(response)
        assert 'value="/t/x/"' in text(response)

    def test_choose_a_theme(self, client_for: Browser, owner: User, tenant: Tenant) -> None:
        browser = client_for(owner)
        assert "data-theme" not in text(browser.get(address(tenant)))
        browser.post(reverse("usage:theme"), {"theme": "dark", "next": address(tenant)})
        assert 'data-theme="dark"' in text(browser.get(address(tenant)))

    @pytest.mark.parametrize(("name", "value"), [("live", "maybe"), ("theme", '"><script>')])
    def test_refuse_what_they_do_not_know(
        self, client_for: Browser, owner: User, name: str, value: str
    ) -> None:
        assert client_for(owner).post(reverse(f"usage:{name}"), {name: value}).status_code == 400

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", ""])
    def test_never_lead_to_another_site(self, client_for: Browser, owner: User, elsewhere: str) -> None:
        response = client_for(owner).post(reverse("usage:live"), {"live": "off", "next": elsewhere})
        assert response["Location"] == "/"


class TestErrorPages:
    def test_not_found_has_the_look(self, client_for: Browser, owner: User) -> None:
        response = client_for(owner).get("/t/nothing/")
        assert response.status_code == 404
        assert "There is nothing here." in text(response)
