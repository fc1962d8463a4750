"""Signing in and out, setting a password, and the first page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from pytest_django import Settings
from redis import Redis

from tenants.models import Membership, Tenant, User
from tenants.resets import send_reset_link
from tests.conftest import PASSWORD, MakeTenant, MakeUser

pytestmark = [pytest.mark.urls("tests.tenants.urls"), pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra: str) -> Any:
    return client.post("/sign-in/", {"username": email, "password": password, **extra})


class TestSignIn:
    @pytest.mark.parametrize("email", ["olive@northwind.example", " Olive@NORTHWIND.example "])
    def test_by_email_in_any_case(self, client: Client, owner: User, email: str) -> None:
        response = sign_in(client, email)
        assert (response.status_code, response["Location"]) == (302, "/")
        assert client.session["_auth_user_id"] == str(owner.pk)

    def test_says_the_same_of_a_wrong_password_and_an_unknown_address(
        self, client: Client, owner: User
    ) -> None:
        pages = [sign_in(client, email, "wrong") for email in (owner.email, "nobody@x.example")]
        assert [page.status_code for page in pages] == [200, 200]
        assert all("Email or password is wrong" in page.content.decode() for page in pages)

    def test_a_switched_off_account_stays_out(self, client: Client, make_user: MakeUser) -> None:
        sign_in(client, make_user("off@x.example", is_active=False).email)
        assert "_auth_user_id" not in client.session

    def test_gives_the_browser_a_new_session(self, client: Client, owner: User) -> None:
        session = client.session
        session["planted"] = "by an attacker"
        session.save()
        planted = session.session_key or ""
        client.cookies["sessionid"] = planted
        sign_in(client, owner.email)
        assert client.cookies["sessionid"].value not in ("", planted)
        assert Client(headers={"cookie": f"sessionid={planted}"}).get("/").status_code == 302

    @pytest.mark.parametrize(
        ("following", "leads_to"),
        [
            ("/t/northwind/", "/t/northwind/"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("javascript:alert(1)", "/"),
        ],
    )
    def test_goes_on_to_pages_of_its_own_host_only(
        self, client: Client, owner: User, following: str, leads_to: str
    ) -> None:
        assert sign_in(client, owner.email, next=following)["Location"] == leads_to

    def test_is_one_click_for_who_is_signed_in(self, client_for: Browser, owner: User) -> None:
        response = client_for(owner).get("/sign-in/?next=/t/northwind/")
        assert response["Location"] == "/t/northwind/"

    def test_carries_a_strict_policy_and_nothing_inline(self, client: Client, db: None) -> None:
        response = client.get("/sign-in/")
        page = response.content.decode()
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert "unsafe" not in response["Content-Security-Policy"]
        assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", page)
        assert "no-store" in response["Cache-Control"]

    def test_needs_the_form_of_this_site(self, owner: User) -> None:
        response = sign_in(Client(enforce_csrf_checks=True), owner.email)
        assert response.status_code == 403


class TestThrottledSignIn:
    def test_the_eleventh_wrong_password_meets_a_page_that_says_when(
        self, client: Client, owner: User
    ) -> None:
        answers = [sign_in(client, owner.email, "wrong").status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]
        response = sign_in(client, owner.email)
        assert response.status_code == 429
        assert 0 < int(response["Retry-After"]) <= 900
        assert re.search(r"Please wait \d+ minutes?, then try again", response.content.decode())

    def test_signing_in_rightly_is_never_throttled(self, owner: User) -> None:
        assert {sign_in(Client(), owner.email).status_code for _ in range(60)} == {302}

    def test_others_in_the_same_network_are_stopped_at_fifty(self, client: Client, owner: User) -> None:
        for n in range(50):
            sign_in(client, f"guess{n}@x.example", "wrong")
        assert sign_in(client, owner.email).status_code == 429
        assert (
            client.post(
                "/sign-in/", {"username": owner.email, "password": PASSWORD}, REMOTE_ADDR="192.0.2.9"
            ).status_code
            == 302
        )

    def test_nobody_is_locked_out_when_the_cache_is_away(
        self, client: Client, owner: User, settings: Settings, unused_port: int
    ) -> None:
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{unused_port}/0"}
        }
        for _ in range(12):
            assert sign_in(client, owner.email, "wrong").status_code == 200
        assert sign_in(client, owner.email).status_code == 302


class TestSignOut:
    def test_by_post_only(self, client_for: Browser, owner: User) -> None:
        client = client_for(owner)
        assert client.get("/sign-out/").status_code == 405
        assert client.post("/sign-out/")["Location"] == "/sign-in/"
        assert "_auth_user_id" not in client.session


class TestResetRequest:
    def test_does_and_says_the_same_whether_the_address_exists(
        self, client: Client, owner: User, redis_db: Redis
    ) -> None:
        pages, queued = [], []
        for email in (owner.email, "nobody@x.example"):
            response = client.post("/password/reset/", {"email": email}, follow=True)
            pages.append((response.redirect_chain, response.content))
            queued.append(waiting_tasks())
        assert pages[0] == pages[1]
        assert queued == [1, 2]
        assert mail.outbox == []

    def test_is_throttled_by_address_and_network(self, client: Client, db: None) -> None:
        answers = [client.post("/password/reset/", {"email": "a@x.example"}).status_code for _ in range(6)]
        assert answers == [302] * 5 + [429]

    def test_says_so_when_no_worker_can_be_reached(
        self, client: Client, owner: User, broker_away: None
    ) -> None:
        response = client.post("/password/reset/", {"email": owner.email})
        assert response.status_code == 503
        assert "can’t send mail just now" in response.content.decode()


class TestSendResetLink:
    def test_mails_text_and_html_with_an_address_of_our_own(self, owner: User, settings: Settings) -> None:
        settings.BASE_URL = "https://headroom.example"
        assert send_reset_link(" OLIVE@northwind.example ")
        (sent,) = mail.outbox
        assert isinstance(sent, mail.EmailMultiAlternatives)
        html = str(sent.alternatives[0][0])
        link = re.search(r"https://headroom\.example/password/reset/\S+/\S+/", str(sent.body))
        assert sent.to == [owner.email]
        assert link is not None
        assert link[0] in html

    @pytest.mark.parametrize("email", ["nobody@x.example", "off@x.example"])
    def test_mails_nobody_unknown_or_switched_off(self, make_user: MakeUser, email: str) -> None:
        make_user("off@x.example", is_active=False)
        assert not send_reset_link(email)
        assert mail.outbox == []


class TestResetConfirm:
    def link(self, user: User) -> str:
        send_reset_link(user.email)
        found = re.search(r"/password/reset/\S+", str(mail.outbox[-1].body))
        assert found
        return found[0]

    def set_password(self, client: Client, link: str, password: str) -> Any:
        form = client.get(link, follow=True)
        address = form.redirect_chain[-1][0] if form.redirect_chain else link
        return client.post(address, {"new_password1": password, "new_password2": password}, follow=True)

    def test_lets_in_a_person_who_never_had_a_password(self, client: Client, db: None) -> None:
        user = User.objects.create_user("new@x.example")
        response = self.set_password(client, self.link(user), "quite another horse")
        assert "Your new password is set" in response.content.decode()
        assert sign_in(client, user.email, "quite another horse").status_code == 302

    def test_signs_the_person_out_everywhere_else(self, client_for: Browser, owner: User) -> None:
        elsewhere = client_for(owner)
        self.set_password(Client(), self.link(owner), "quite another horse")
        assert elsewhere.get("/t/northwind/").status_code == 302

    def test_works_once(self, client: Client, owner: User) -> None:
        link = self.link(owner)
        self.set_password(client, link, "quite another horse")
        again = Client().get(link, follow=True)
        assert "This link no longer works" in again.content.decode()

    def test_refuses_a_weak_password_with_the_reason_at_the_field(self, client: Client, owner: User) -> None:
        page = self.set_password(client, self.link(owner), "12345").content.decode()
        assert "too short" in page
        assert 'aria-invalid="true"' in page

    @pytest.mark.parametrize("link", ["/password/reset/MQ/x-y/", "/password/reset/!!/set-password/"])
    def test_a_made_up_link_leads_to_a_new_one(self, client: Client, db: None, link: str) -> None:
        page = client.get(link).content.decode()
        assert 'href="/password/reset/"' in page


class TestHome:
    def test_leads_members_to_the_tenant_looked_at_last(
        self, client_for: Browser, owner: User, make_tenant: MakeTenant
    ) -> None:
        Membership.objects.create(tenant=make_tenant("acme"), user=owner)
        client = client_for(owner)
        assert client.get("/")["Location"] == "/t/acme/"
        client.get("/t/northwind/")
        assert client.get("/")["Location"] == "/t/northwind/"

    def test_leads_staff_to_all_tenants(self, client_for: Browser, staff: User) -> None:
        assert client_for(staff).get("/")["Location"] == "/staff/tenants/"

    def test_leads_staff_who_are_members_to_their_tenant(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        Membership.objects.create(tenant=tenant, user=staff)
        assert client_for(staff).get("/")["Location"] == "/t/northwind/"

    def test_tells_who_belongs_nowhere_what_to_do(self, client_for: Browser, make_user: MakeUser) -> None:
        page = client_for(make_user("new@x.example")).get("/").content.decode()
        assert "new@x.example" in page
        assert "Ask an owner" in page

    def test_leads_strangers_to_sign_in(self, client: Client, db: None) -> None:
        assert client.get("/")["Location"] == "/sign-in/?next=/"


class TestAdminSignIn:
    def test_is_the_throttled_page(self, client: Client, db: None) -> None:
        response = client.get("/admin/", follow=True)
        assert response.redirect_chain[-1][0] == "/sign-in/?next=/admin/"

    def test_does_not_exist_for_members(self, client_for: Browser, owner: User) -> None:
        assert client_for(owner).get("/admin/", follow=True).status_code == 404

    def test_passes_staff_on(self, client_for: Browser, staff: User) -> None:
        response = client_for(staff).get("/admin/login/?next=/admin/", follow=True)
        assert response.redirect_chain[-1][0] == "/admin/"


def waiting_tasks() -> int:
    """How many messages the broker holds."""
    with Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
        return int(broker.llen(current_app.conf.task_default_queue))


@pytest.fixture
def broker_away(unused_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody answers where tasks are sent."""
    app: Any = current_app
    app._after_fork()  # forgets the connections it has
    monkeypatch.setattr(app.conf, "broker_url", f"redis://127.0.0.1:{unused_port}/0")
    yield
    app._after_fork()
