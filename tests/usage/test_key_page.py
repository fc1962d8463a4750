"""The page of API keys: who sees and does what, the secret that is shown once, and when a revoked key is felt."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants import keyring
from tenants.keyring import add_key, rotate_key
from tenants.keys import create_key, forget_key, revoke_key
from tenants.memory import FRESH, STALE
from tenants.models import ApiKey, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.pages import address, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
SECRET = re.compile(r"hr_[0-9a-f]{12}_[\w-]{43}")
DAY = timedelta(days=1)
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def browser(client_for: Callable[[User], Client], make_user: MakeUser, tenant: Tenant) -> Client:
    """An admin's."""
    return client_for(make_user("amir@northwind.example", "admin", tenant))


@pytest.fixture
def viewer(client_for: Callable[[User], Client], make_user: MakeUser, tenant: Tenant) -> Client:
    return client_for(make_user("vera@northwind.example", "viewer", tenant))


def usage_with(secret: str) -> int:
    return Client().get("/api/usage", headers={"Authorization": f"Bearer {secret}"}).status_code


def made(browser: Client, tenant: Tenant, **asked: str) -> Any:
    return browser.post(address(tenant, "add_key"), {"name": "job", **asked})


class TestCreating:
    def test_shows_the_secret_once_and_how_to_use_it(self, browser: Client, tenant: Tenant) -> None:
        response = made(browser, tenant)
        (secret,) = set(SECRET.findall(text(response)))
        assert response["Cache-Control"] == "no-store"
        assert f"-H &quot;Authorization: Bearer {secret}&quot;" in text(response)
        assert usage_with(secret) == 200
        page = text(browser.get(address(tenant, "keys")))
        assert secret not in page
        assert f"hr_{ApiKey.objects.get().prefix}…" in page
        assert "by amir@northwind.example" in page

    def test_keeps_the_secret_nowhere(self, browser: Client, tenant: Tenant) -> None:
        (secret,) = set(SECRET.findall(text(made(browser, tenant))))
        kept = [*ApiKey.objects.values(), *tenant.audit_entries.values(), dict(browser.session)]
        assert secret.rpartition("_")[2] not in str(kept)

    @pytest.mark.parametrize("days", [0, 90])
    def test_lets_the_key_work_to_the_end_of_its_last_day_in_the_readers_zone(
        self, browser: Client, tenant: Tenant, days: int
    ) -> None:
        User.objects.update(time_zone="Asia/Tokyo")
        last = timezone.localdate(timezone=TOKYO) + days * DAY
        made(browser, tenant, last_day=last.isoformat())
        ends = ApiKey.objects.get().expires_at
        assert ends == datetime.combine(last + DAY, time(), TOKYO)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"name": ""}, "This field is required."),
            ({"name": "x" * 81}, "at most 80 characters"),
            ({"name": "j\0b"}, "Null characters are not allowed"),
            ({"last_day": "2020-01-01"}, "Choose a day from today"),
            ({"last_day": "2999-01-01"}, "Choose a day from today"),
            ({"last_day": "soon"}, "Enter a valid date"),
        ],
    )
    def test_says_what_is_wrong_beside_the_field_and_keeps_the_rest(
        self, browser: Client, tenant: Tenant, wrong: dict[str, str], message: str
    ) -> None:
        response = made(browser, tenant, **({"name": "nightly job"} | wrong))
        (field,) = wrong
        assert response.status_code == 422
        found = re.search(rf'id="id_{field}_error"[^>]*>.*?</svg>([^<]+)', text(response))
        assert found
        assert message in found[1]
        assert f'aria-describedby="id_{field}_helptext id_{field}_error"' in text(response)
        assert ('value="nightly job"' in text(response)) is (field != "name")
        assert not ApiKey.objects.exists()

    def test_refuses_a_name_that_is_in_use_also_by_sending_the_page_again(
        self, browser: Client, tenant: Tenant
    ) -> None:
        made(browser, tenant)
        response = made(browser, tenant)
        assert response.status_code == 422
        assert "A key with this name works already." in text(response)
        assert not SECRET.search(text(response))

    def test_refuses_one_key_too_many(
        self, browser: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyring, "MOST", 1)
        made(browser, tenant)
        response = made(browser, tenant, name="another")
        assert response.status_code == 422
        assert "Revoke one first." in text(response)
        assert 'value="another"' in text(response)


class TestRotating:
    def test_shows_the_new_secret_while_the_old_one_works_on(
        self, browser: Client, tenant: Tenant, owner: User
    ) -> None:
        key, old = add_key(tenant, name="job", person=owner, at=timezone.now())
        page = text(browser.get(address(tenant, "rotate_key", pk=str(key.pk))))
        assert re.search(r'value="86400" checked', page)
        response = browser.post(address(tenant, "rotate_key", pk=str(key.pk)), {"overlap": "3600"})
        (new,) = set(SECRET.findall(text(response)))
        assert response["Cache-Control"] == "no-store"
        assert [usage_with(old), usage_with(new)] == [200, 200]
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
        forget_key(key)
        assert [usage_with(old), usage_with(new)] == [401, 200]

    def test_without_an_overlap_ends_the_old_one_at_once(
        self, browser: Client, tenant: Tenant, owner: User
    ) -> None:
        key, old = add_key(tenant, name="job", person=owner, at=timezone.now())
        assert usage_with(old) == 200
        browser.post(address(tenant, "rotate_key", pk=str(key.pk)), {"overlap": "0"})
        assert usage_with(old) == 401

    @pytest.mark.parametrize("overlap", ["", "5", "-1", "999999999", "x"])
    def test_refuses_times_that_are_no_choice(
        self, browser: Client, tenant: Tenant, owner: User, overlap: str
    ) -> None:
        key = add_key(tenant, name="job", person=owner, at=timezone.now()).key
        response = browser.post(address(tenant, "rotate_key", pk=str(key.pk)), {"overlap": overlap})
        assert response.status_code == 422
        assert 'id="overlap-error"' in text(response)
        assert ApiKey.objects.count() == 1

    def test_twice_says_so_and_shows_no_secret(self, browser: Client, tenant: Tenant, owner: User) -> None:
        key = add_key(tenant, name="job", person=owner, at=timezone.now()).key
        for _ in range(2):
            response = browser.post(
                address(tenant, "rotate_key", pk=str(key.pk)), {"overlap": "3600"}, follow=True
            )
        assert "was replaced already" in text(response)
        assert not SECRET.search(text(response))


class TestRevoking:
    def test_asks_first_and_says_truly_when_it_is_felt(
        self, browser: Client, tenant: Tenant, owner: User
    ) -> None:
        key, secret = add_key(tenant, name="job", person=owner, at=timezone.now())
        page = text(browser.get(address(tenant, "revoke_key", pk=str(key.pk))))
        assert (timedelta(seconds=5), timedelta(minutes=10)) == (FRESH, STALE)
        assert "refused within 5 seconds, or 10 minutes while the database does not answer" in page
        assert usage_with(secret) == 200

    def test_is_felt_here_at_once(self, browser: Client, tenant: Tenant, owner: User) -> None:
        key, secret = add_key(tenant, name="job", person=owner, at=timezone.now())
        assert usage_with(secret) == 200
        response = browser.post(address(tenant, "revoke_key", pk=str(key.pk)), follow=True)
        assert usage_with(secret) == 401
        assert "was revoked." in text(response)
        assert "No key works" in text(response)
        assert "No longer working" in text(response)
        again = browser.post(address(tenant, "revoke_key", pk=str(key.pk)), follow=True)
        assert "was revoked already." in text(again)

    def test_of_other_tenants_and_service_keys_is_out_of_reach(
        self, browser: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        now = timezone.now()
        keys = [create_key(one, name="job", at=now).key for one in (make_tenant("other"), None)]
        for key in keys:
            for name in ("revoke_key", "rotate_key"):
                asked = browser.post(address(tenant, name, pk=str(key.pk)), {"overlap": "0"})
                assert asked.status_code == 404
        assert ApiKey.objects.live(now).count() == 2


class TestList:
    def test_says_how_each_key_stands(self, browser: Client, tenant: Tenant, owner: User) -> None:
        now = timezone.now()
        add_key(tenant, name="fresh", person=owner, at=now)
        add_key(tenant, name="short", person=owner, at=now, expires_at=now + DAY)
        add_key(tenant, name="past", person=owner, at=now - 2 * DAY, expires_at=now - DAY)
        rotate_key(
            add_key(tenant, name="turned", person=owner, at=now).key, overlap=DAY, person=owner, at=now
        )
        revoke_key(add_key(tenant, name="ended", person=owner, at=now).key, now, owner)
        ApiKey.objects.filter(name="fresh").update(last_used_at=now)
        page = text(browser.get(address(tenant, "keys")))
        for words in ("4 of at most 50 work", "Expires soon", "Replaced", "Expired ", "Revoked Today"):
            assert words in page
        assert len(re.findall(r'id="go-rotate-\d+"', page)) == 3
        assert len(re.findall(r'id="go-revoke-\d+"', page)) == 4

    def test_teaches_where_there_is_none(self, browser: Client, tenant: Tenant) -> None:
        page = text(browser.get(address(tenant, "keys")))
        assert "No key works" in page
        assert "Authorization: Bearer hr_…" in page

    def test_shows_no_keys_of_others(self, browser: Client, tenant: Tenant, make_tenant: MakeTenant) -> None:
        create_key(make_tenant("other"), name="secret project", at=timezone.now())
        create_key(None, name="gateway", at=timezone.now())
        page = text(browser.get(address(tenant, "keys")))
        assert "secret project" not in page
        assert "gateway" not in page

    def test_names_operations_to_members_and_who_it_was_to_staff(
        self, client_for: Callable[[User], Client], browser: Client, tenant: Tenant, staff: User
    ) -> None:
        create_key(tenant, name="job", at=timezone.now(), created_by=staff)
        assert "by Operations" in text(browser.get(address(tenant, "keys")))
        assert f"by {staff}" in text(client_for(staff).get(address(tenant, "keys")))

    def test_costs_as_much_for_many_keys_as_for_one(
        self,
        browser: Client,
        tenant: Tenant,
        owner: User,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(30):
            key = add_key(tenant, name=f"job {number}", person=owner, at=timezone.now()).key
            if number % 2:
                revoke_key(key, timezone.now(), owner)
        browser.get(address(tenant, "keys"))  # remembers the tenant in the session
        with django_assert_max_num_queries(7):
            browser.get(address(tenant, "keys"))


class TestOthers:
    def test_viewers_look_and_manage_nothing(self, viewer: Client, tenant: Tenant, owner: User) -> None:
        key = add_key(tenant, name="job", person=owner, at=timezone.now()).key
        page = text(viewer.get(address(tenant, "keys")))
        assert "job" in page
        assert key.beginning in page
        for words in ("Rotate", "Revoke", "Create key"):
            assert words not in page
        for name in ("rotate_key", "revoke_key"):
            assert viewer.get(address(tenant, name, pk=str(key.pk))).status_code == 403

    def test_staff_look_and_manage_nothing(
        self, client_for: Callable[[User], Client], staff: User, tenant: Tenant, owner: User
    ) -> None:
        key = add_key(tenant, name="job", person=owner, at=timezone.now()).key
        page = text(client_for(staff).get(address(tenant, "keys")))
        assert key.beginning in page
        assert "Create key" not in page
        assert client_for(staff).get(address(tenant, "revoke_key", pk=str(key.pk))).status_code == 403
