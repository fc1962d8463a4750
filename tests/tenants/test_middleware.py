"""Whose request it is: by the host's own function, a key, a header with a service key, or a person's choice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tenants import keys
from tenants.keys import create_key, forget_keys, revoke_key
from tenants.models import ApiKey, Membership, Tenant, User
from tenants.slugs import forget_tenants
from tests.conftest import MakeTenant

pytestmark = pytest.mark.urls("tests.tenants.urls")


def whose(client: Client, **headers: str) -> Any:
    """What the middleware found, or the whole answer where it refused."""
    response = client.get("/whose/", headers=headers)
    return response.json() if response.status_code == 200 else response


def bearer(tenant: Tenant | None, name: str = "job", expires_in: timedelta | None = None) -> str:
    at = timezone.now() - timedelta(days=1)
    expires_at = timezone.now() + expires_in if expires_in is not None else None
    return f"Bearer {create_key(tenant, name=name, at=at, expires_at=expires_at).secret}"


def by_query(request: HttpRequest) -> str | None:
    """A host application's resolver, as HEADROOM_TENANT_RESOLVER names it."""
    return request.headers.get("X-Host-Account")


class TestApiKey:
    def test_names_its_tenant(self, client: Client, tenant: Tenant) -> None:
        found = whose(client, authorization=bearer(tenant))
        assert found == {"tenant": "northwind", "role": None, "key": "job"}

    def test_costs_no_query_and_no_session_once_known(
        self, client: Client, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = bearer(tenant)
        whose(client, authorization=key)
        with django_assert_num_queries(0):
            assert whose(client, authorization=key)["tenant"] == "northwind"

    def test_counts_before_the_person_whose_cookie_comes_along(
        self, client_for: Callable[[User], Client], owner: User, make_tenant: MakeTenant
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        found = whose(client, authorization=bearer(make_tenant("other")))
        assert (found["tenant"], found["role"]) == ("other", None)

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_takes_the_scheme_in_any_case(self, client: Client, tenant: Tenant, scheme: str) -> None:
        key = bearer(tenant).replace("Bearer", scheme)
        assert whose(client, authorization=key)["tenant"] == "northwind"

    @pytest.mark.parametrize("other", ["Bearer eyJhbGciOi", "Basic aHJfYWJj", "hr_abc", ""])
    def test_leaves_the_host_application_its_own_authorization(
        self, client: Client, db: None, other: str
    ) -> None:
        assert whose(client, authorization=other) == {"tenant": None, "role": None, "key": None}

    def test_notes_when_it_was_used(self, client: Client, tenant: Tenant) -> None:
        whose(client, authorization=bearer(tenant))
        assert ApiKey.objects.get().last_used_at is not None


class TestRefusedKey:
    def refused(self, client: Client, authorization: str) -> dict[str, Any]:
        response = whose(client, authorization=authorization)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert response["Content-Type"] == "application/problem+json"
        assert response["Cache-Control"] == "no-store"
        problem: dict[str, Any] = response.json()
        assert problem["title"] == problem["error"] == "Key not valid"
        return problem

    def test_a_made_up_key(self, client: Client, db: None) -> None:
        assert "no such key" in self.refused(client, f"Bearer hr_0123456789ab_{'x' * 43}")["detail"]

    def test_a_malformed_key(self, client: Client, db: None) -> None:
        assert "not the form" in self.refused(client, "Bearer hr_half")["detail"]

    def test_an_expired_key(self, client: Client, tenant: Tenant) -> None:
        key = bearer(tenant, expires_in=timedelta(seconds=-1))
        assert "expired" in self.refused(client, key)["detail"]

    def test_a_revoked_key(self, client: Client, tenant: Tenant) -> None:
        key = bearer(tenant)
        revoke_key(ApiKey.objects.get(), timezone.now(), None)
        assert "revoked" in self.refused(client, key)["detail"]

    def test_the_key_of_a_closed_tenant(self, client: Client, make_tenant: MakeTenant) -> None:
        key = bearer(make_tenant("gone", status=Tenant.Status.CLOSED))
        assert "closed" in self.refused(client, key)["detail"]

    def test_also_where_a_person_is_signed_in(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        assert self.refused(client_for(owner), "Bearer hr_half")


class TestServiceKey:
    def test_acts_for_the_tenant_that_the_header_names(self, client: Client, tenant: Tenant) -> None:
        found = whose(client, authorization=bearer(None, "gateway"), x_tenant_id="northwind")
        assert found == {"tenant": "northwind", "role": None, "key": "gateway"}

    def test_costs_no_query_once_known(
        self, client: Client, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = bearer(None)
        whose(client, authorization=key, x_tenant_id="northwind")
        with django_assert_num_queries(0):
            whose(client, authorization=key, x_tenant_id="northwind")

    def test_without_a_header_names_no_tenant(self, client: Client, tenant: Tenant) -> None:
        assert whose(client, authorization=bearer(None))["tenant"] is None

    @pytest.mark.parametrize("slug", ["nobody", "closed", "NORTHWIND", "a\0b"])
    def test_refuses_a_tenant_that_does_not_exist_and_names_it(
        self, client: Client, tenant: Tenant, make_tenant: MakeTenant, slug: str
    ) -> None:
        make_tenant("closed", status=Tenant.Status.CLOSED)
        response = whose(client, authorization=bearer(None), x_tenant_id=slug)
        assert response.status_code == 400
        assert response.json()["title"] == "Tenant required"
        assert f"“{slug}”" in response.json()["detail"]


class TestHeaderAlone:
    def test_names_nobody(self, client: Client, tenant: Tenant) -> None:
        assert whose(client, x_tenant_id="northwind")["tenant"] is None

    def test_changes_nothing_beside_a_tenants_key(
        self, client: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        key = bearer(make_tenant("other"))
        assert whose(client, authorization=key, x_tenant_id="northwind")["tenant"] == "other"

    def test_changes_nothing_for_a_signed_in_person(
        self, client_for: Callable[[User], Client], owner: User, make_tenant: MakeTenant
    ) -> None:
        make_tenant("other")
        client = client_for(owner)
        client.get("/t/northwind/")
        assert whose(client, x_tenant_id="other")["tenant"] == "northwind"


class TestChosenTenant:
    def test_is_the_one_looked_at_last(
        self, client_for: Callable[[User], Client], owner: User, make_tenant: MakeTenant
    ) -> None:
        other = make_tenant("other")
        Membership.objects.create(tenant=other, user=owner, role=Membership.Role.VIEWER)
        client = client_for(owner)
        assert whose(client)["tenant"] is None
        client.get("/t/northwind/")
        client.get("/t/other/")
        assert whose(client) == {"tenant": "other", "role": "viewer", "key": None}

    def test_is_nobodys_after_the_membership_ended(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        Membership.objects.all().delete()
        assert whose(client)["tenant"] is None

    def test_is_nobodys_once_the_tenant_is_closed(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        Tenant.objects.update(status=Tenant.Status.CLOSED)
        assert whose(client)["tenant"] is None

    def test_costs_nothing_where_nobody_asks(
        self,
        client_for: Callable[[User], Client],
        owner: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        with django_assert_num_queries(2):  # the session and its user, for LoginRequiredMiddleware
            client.get("/nothing/")

    def test_a_stranger_without_cookies_costs_no_query(
        self, client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0):
            assert whose(client) == {"tenant": None, "role": None, "key": None}


class TestResolver:
    @pytest.fixture(autouse=True)
    def _named(self, settings: Settings) -> None:
        settings.HEADROOM_TENANT_RESOLVER = "tests.tenants.test_middleware.by_query"

    def test_comes_first(
        self, client_for: Callable[[User], Client], owner: User, make_tenant: MakeTenant
    ) -> None:
        make_tenant("hosted")
        client = client_for(owner)
        client.get("/t/northwind/")
        assert whose(client, x_host_account="hosted") == {"tenant": "hosted", "role": None, "key": None}

    def test_gives_way_when_it_names_none(self, client: Client, tenant: Tenant) -> None:
        assert whose(client, authorization=bearer(tenant))["tenant"] == "northwind"

    def test_tells_what_the_person_is_in_the_tenant_it_named(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        assert whose(client_for(owner), x_host_account="northwind")["role"] == "owner"

    def test_a_name_unknown_to_us_is_no_tenant_and_not_the_chosen_one(
        self, client_for: Callable[[User], Client], owner: User
    ) -> None:
        client = client_for(owner)
        client.get("/t/northwind/")
        assert whose(client, x_host_account="nobody") == {"tenant": None, "role": None, "key": None}

    def test_a_key_of_another_tenant_opens_nothing_there(
        self, client: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        response = whose(client, authorization=bearer(make_tenant("other")), x_host_account="northwind")
        assert response.status_code == 401
        assert "another tenant" in response.json()["detail"]

    def test_a_wrong_path_is_named(self, client: Client, db: None, settings: Settings) -> None:
        settings.HEADROOM_TENANT_RESOLVER = "tests.nowhere.resolve"
        with pytest.raises(ImproperlyConfigured, match=r"tests\.nowhere\.resolve"):
            whose(client)


class TestPostgresqlAway:
    def test_known_keys_go_on_and_unknown_ones_hear_when_to_try_again(
        self,
        client: Client,
        make_key: Callable[[], str],
        postgres_away: Callable[[], AbstractContextManager[None]],
    ) -> None:
        known, unknown = make_key(), make_key()
        whose(client, authorization=f"Bearer {known}")
        with postgres_away():
            assert whose(client, authorization=f"Bearer {known}")["tenant"] == "keyed-1"
            response = whose(client, authorization=f"Bearer {unknown}")
        assert response.status_code == 503
        assert response["Retry-After"] == "5"
        assert response["Content-Type"] == "application/problem+json"

    def test_the_last_use_is_not_worth_a_refusal(
        self,
        client: Client,
        make_key: Callable[[], str],
        postgres_away: Callable[[], AbstractContextManager[None]],
    ) -> None:
        secret = make_key()
        with_use_due = f"Bearer {secret}"
        whose(client, authorization=with_use_due)
        keys._noted.clear()
        with postgres_away():
            assert whose(client, authorization=with_use_due)["tenant"] == "keyed-1"


class TestAsgi:
    def test_finds_the_tenant_of_a_key_for_an_async_view(self, make_key: Callable[[], str]) -> None:
        get = async_to_sync(AsyncClient().get)
        response = get("/async/", headers={"authorization": f"Bearer {make_key()}"})
        assert response.json() == {"tenant": "keyed-1"}


def test_memories_can_be_emptied(client: Client, tenant: Tenant) -> None:
    """What other tests rely on between each other."""
    key = bearer(None)
    whose(client, authorization=key, x_tenant_id="northwind")
    ApiKey.objects.all().delete()
    Tenant.objects.all().delete()
    forget_keys()
    forget_tenants()
    assert whose(client, authorization=key, x_tenant_id="northwind").status_code == 401
