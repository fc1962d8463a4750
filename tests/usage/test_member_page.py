"""The page of members: who sees whom, who may invite, change and remove whom."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants.invitations import LIFE, invite
from tenants.models import AuditEntry, Invitation, Membership, Tenant, User
from tenants.throttle import INVITE
from tests.conftest import MakeTenant, MakeUser
from tests.usage.pages import address, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
Browser = Callable[[User], Client]
ZOE = "zoe@x.example"


@pytest.fixture
def browser(client_for: Browser, owner: User) -> Client:
    return client_for(owner)


@pytest.fixture
def amir(make_user: MakeUser, tenant: Tenant) -> User:
    """An admin."""
    return make_user("amir@northwind.example", "admin", tenant)


@pytest.fixture
def vera(make_user: MakeUser, tenant: Tenant) -> User:
    """A viewer."""
    return make_user("vera@northwind.example", "viewer", tenant, first_name="Vera", last_name="Voss")


def pk_of(user: User) -> str:
    return str(Membership.objects.get(user=user).pk)


def ask(browser: Client, tenant: Tenant, email: str = ZOE, role: str = "viewer", **more: Any) -> Any:
    return browser.post(address(tenant, "invite"), {"email": email, "role": role}, **more)


class TestList:
    def test_shows_everybody_by_role_with_last_sign_in(
        self, browser: Client, tenant: Tenant, owner: User, amir: User, vera: User
    ) -> None:
        now = timezone.now()
        User.objects.filter(pk=amir.pk).update(last_login=now)
        User.objects.filter(pk=vera.pk).update(is_active=False)
        page = text(browser.get(address(tenant, "members")))
        places = [page.index(one.email, page.index("<tbody")) for one in (owner, amir, vera)]
        assert places == sorted(places)
        for words in ("3 people", "Vera Voss", "You", "Switched off", f"Today {now:%H:%M}", "never"):
            assert words in page

    def test_gives_owners_what_they_may_do_and_the_last_owner_nothing(
        self, browser: Client, tenant: Tenant, owner: User, amir: User, vera: User
    ) -> None:
        page = text(browser.get(address(tenant, "members")))
        assert "The last owner stays" in page
        assert len(re.findall(r'id="go-remove-\d+"', page)) == 2
        assert len(re.findall(r'id="role-\d+"', page)) == 2
        assert 'id="go-leave"' not in page

    @pytest.mark.parametrize(("role", "invites"), [("admin", True), ("viewer", False)])
    def test_gives_others_less(
        self,
        client_for: Browser,
        tenant: Tenant,
        owner: User,
        amir: User,
        vera: User,
        role: str,
        invites: bool,
    ) -> None:
        invite(tenant, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=timezone.now())
        page = text(client_for(amir if role == "admin" else vera).get(address(tenant, "members")))
        assert 'id="go-leave"' in page
        assert "go-remove" not in page
        assert 'id="role-' not in page
        assert ("Invite somebody" in page) is invites
        assert (ZOE in page) is invites
        assert 'value="owner"' not in page

    def test_shows_staff_everything_and_no_button(
        self, client_for: Browser, staff: User, tenant: Tenant, owner: User, vera: User
    ) -> None:
        invite(tenant, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=timezone.now())
        page = text(client_for(staff).get(address(tenant, "members")))
        assert vera.email in page
        assert ZOE in page
        for words in ("Invite somebody", "go-remove", "go-leave", "Send again", 'id="role-'):
            assert words not in page

    def test_costs_as_much_for_many_people_as_for_one(
        self,
        browser: Client,
        make_user: MakeUser,
        tenant: Tenant,
        owner: User,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(20):
            make_user(f"{number}@northwind.example", "viewer", tenant)
            invite(
                tenant, email=f"{number}@x.example", role=Membership.Role.VIEWER, by=owner, at=timezone.now()
            )
        browser.get(address(tenant, "members"))  # remembers the tenant in the session
        with django_assert_max_num_queries(7):
            browser.get(address(tenant, "members"))


class TestInviting:
    def test_is_shown_until_it_is_accepted(self, browser: Client, tenant: Tenant, owner: User) -> None:
        response = ask(browser, tenant, role="admin", follow=True)
        assert f"{ZOE} is invited" in text(response)
        assert "Being mailed" in text(response)
        made = Invitation.objects.get()
        assert (made.email, made.role, made.invited_by, made.tenant) == (ZOE, "admin", owner, tenant)
        Invitation.objects.update(mailed_at=timezone.now())
        assert "Mailed Today" in text(browser.get(address(tenant, "members")))
        Invitation.objects.update(accepted_at=timezone.now())
        assert ZOE not in text(browser.get(address(tenant, "members")))

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"mail_problem": "550 no such user"}, ("Not delivered", "550 no such user")),
            ({"expires_at": timezone.now() - LIFE}, ("Expired", "The link worked until")),
        ],
    )
    def test_says_what_became_of_the_mail(
        self, browser: Client, tenant: Tenant, fields: dict[str, Any], words: tuple[str, ...]
    ) -> None:
        ask(browser, tenant)
        Invitation.objects.update(**fields)
        page = text(browser.get(address(tenant, "members")))
        assert all(word in page for word in words)

    @pytest.mark.parametrize(
        ("email", "role", "field", "message"),
        [
            ("", "viewer", "email", "This field is required."),
            ("zoe", "viewer", "email", "Enter a valid email address."),
            ("zoe@x.example\r\nBcc: all@x.example", "viewer", "email", "Enter a valid email address."),
            (ZOE, "", "role", "This field is required."),
            (ZOE, "emperor", "role", "Choose one of these roles."),
            ("OLIVE@northwind.example", "viewer", "email", "belongs to the organisation already"),
        ],
    )
    def test_says_what_is_wrong_beside_the_field_and_keeps_the_rest(
        self, browser: Client, tenant: Tenant, owner: User, email: str, role: str, field: str, message: str
    ) -> None:
        response = ask(browser, tenant, email, role)
        assert response.status_code == 422
        found = re.search(rf'id="id_{field}_error"[^>]*>.*?</svg>([^<]+)', text(response))
        assert found
        assert message in found[1]
        if field == "role":
            assert f'value="{ZOE}"' in text(response)
        assert not Invitation.objects.exists()

    def test_of_owners_is_for_owners(
        self, client_for: Browser, tenant: Tenant, owner: User, amir: User
    ) -> None:
        response = ask(client_for(amir), tenant, role="owner")
        assert response.status_code == 422
        assert "Choose one of these roles." in text(response)
        assert ask(client_for(owner), tenant, role="owner").status_code == 302

    def test_too_often_is_slowed_down(self, browser: Client, tenant: Tenant, owner: User) -> None:
        for _ in range(INVITE.limit):
            INVITE.count(str(tenant.pk), timezone.now())
        response = ask(browser, tenant)
        assert response.status_code == 429
        assert "Wait " in text(response)
        assert f'value="{ZOE}"' in text(response)
        made = invite(tenant, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=timezone.now())
        path = address(tenant, "change_invitation", pk=str(made.pk))
        assert "Wait " in text(browser.post(path, {"do": "again"}, follow=True))
        made.refresh_from_db()
        assert made.serial == 1

    def test_in_one_tenant_slows_no_other_down(
        self, browser: Client, tenant: Tenant, owner: User, make_tenant: MakeTenant
    ) -> None:
        other = make_tenant("other")
        Membership.objects.create(tenant=other, user=owner, role="owner")
        for _ in range(INVITE.limit):
            INVITE.count(str(tenant.pk), timezone.now())
        assert ask(browser, other).status_code == 302


class TestInvitation:
    def test_is_sent_again_or_withdrawn(self, browser: Client, tenant: Tenant) -> None:
        ask(browser, tenant)
        made = Invitation.objects.get()
        path = address(tenant, "change_invitation", pk=str(made.pk))
        assert "on its way again" in text(browser.post(path, {"do": "again"}, follow=True))
        made.refresh_from_db()
        assert made.serial == 2
        assert "its link opens nothing" in text(browser.post(path, {"do": "withdraw"}, follow=True))
        for do in ("again", "withdraw"):
            assert "accepted or withdrawn meanwhile" in text(browser.post(path, {"do": do}, follow=True))
        assert browser.post(path, {"do": "frame it"}).status_code == 400

    def test_of_an_owner_is_for_owners_to_change(
        self, client_for: Browser, tenant: Tenant, owner: User, amir: User
    ) -> None:
        made = invite(tenant, email=ZOE, role=Membership.Role.OWNER, by=owner, at=timezone.now())
        path = address(tenant, "change_invitation", pk=str(made.pk))
        for do in ("again", "withdraw"):
            assert client_for(amir).post(path, {"do": do}).status_code == 403
        assert "Send again" not in text(client_for(amir).get(address(tenant, "members")))

    def test_of_another_tenant_is_out_of_reach(
        self, browser: Client, tenant: Tenant, owner: User, make_tenant: MakeTenant
    ) -> None:
        made = invite(
            make_tenant("other"), email=ZOE, role=Membership.Role.VIEWER, by=owner, at=timezone.now()
        )
        path = address(tenant, "change_invitation", pk=str(made.pk))
        assert browser.post(path, {"do": "withdraw"}).status_code == 404


class TestRoles:
    def test_are_changed_by_owners(self, browser: Client, tenant: Tenant, vera: User) -> None:
        response = browser.post(address(tenant, "set_role", pk=pk_of(vera)), {"role": "admin"}, follow=True)
        assert "Vera Voss is Admin now." in text(response)
        assert Membership.objects.get(user=vera).role == "admin"

    def test_that_take_invitations_with_them_say_so(
        self, browser: Client, tenant: Tenant, amir: User
    ) -> None:
        invite(tenant, email=ZOE, role=Membership.Role.ADMIN, by=amir, at=timezone.now())
        response = browser.post(address(tenant, "set_role", pk=pk_of(amir)), {"role": "viewer"}, follow=True)
        assert "1 invitation of theirs is withdrawn." in text(response)

    def test_keep_the_last_owner_and_say_so_beside_the_field(
        self, browser: Client, tenant: Tenant, owner: User
    ) -> None:
        response = browser.post(address(tenant, "set_role", pk=pk_of(owner)), {"role": "viewer"})
        assert response.status_code == 422
        assert f'id="refused-{pk_of(owner)}"' in text(response)
        assert "An organisation needs an owner." in text(response)
        assert Membership.objects.get(user=owner).role == "owner"

    def test_that_do_not_exist_are_refused(self, browser: Client, tenant: Tenant, vera: User) -> None:
        assert browser.post(address(tenant, "set_role", pk=pk_of(vera)), {"role": "boss"}).status_code == 400

    def test_are_felt_at_the_next_request(
        self, client_for: Browser, browser: Client, tenant: Tenant, vera: User
    ) -> None:
        hers = client_for(vera)
        assert ask(hers, tenant).status_code == 403
        browser.post(address(tenant, "set_role", pk=pk_of(vera)), {"role": "admin"})
        assert ask(hers, tenant).status_code == 302

    @pytest.mark.parametrize("who", ["amir", "vera"])
    def test_are_not_for_others_to_change(
        self, client_for: Browser, tenant: Tenant, owner: User, amir: User, vera: User, who: str
    ) -> None:
        person = {"amir": amir, "vera": vera}[who]
        for whose in (owner, amir, vera):
            path = address(tenant, "set_role", pk=pk_of(whose))
            assert client_for(person).post(path, {"role": "owner"}).status_code == 403
        assert Membership.objects.filter(role="owner").count() == 1

    def test_in_other_tenants_are_out_of_reach(
        self, browser: Client, tenant: Tenant, make_tenant: MakeTenant, make_user: MakeUser
    ) -> None:
        eve = make_user("eve@other.example", "viewer", make_tenant("other"))
        for name in ("set_role", "remove_member"):
            assert browser.post(address(tenant, name, pk=pk_of(eve)), {"role": "owner"}).status_code == 404


class TestRemoving:
    def test_asks_first_then_ends_access_at_the_next_request(
        self, client_for: Browser, browser: Client, tenant: Tenant, vera: User
    ) -> None:
        hers, path = client_for(vera), address(tenant, "remove_member", pk=pk_of(vera))
        assert "Remove Vera Voss?" in text(browser.get(path))
        assert hers.get(address(tenant)).status_code == 200
        assert "Vera Voss was removed" in text(browser.post(path, follow=True))
        assert hers.get(address(tenant)).status_code == 404
        assert hers.get("/").status_code == 200  # “you don't belong to an organisation yet”

    def test_is_not_for_admins(self, client_for: Browser, tenant: Tenant, amir: User, vera: User) -> None:
        path = address(tenant, "remove_member", pk=pk_of(vera))
        assert [client_for(amir).get(path).status_code, client_for(amir).post(path).status_code] == [403, 403]

    def test_keeps_the_last_owner(self, browser: Client, tenant: Tenant, owner: User) -> None:
        response = browser.post(address(tenant, "remove_member", pk=pk_of(owner)))
        assert response.status_code == 422
        assert "An organisation needs an owner." in text(response)


class TestLeaving:
    def test_is_for_everybody_but_the_last_owner(
        self, client_for: Browser, tenant: Tenant, owner: User, amir: User, vera: User
    ) -> None:
        path = address(tenant, "leave")
        for person in (vera, amir):
            assert "Leave Northwind?" in text(client_for(person).get(path))
            response = client_for(person).post(path)
            assert (response.status_code, response["Location"]) == (302, "/")
        response = client_for(owner).post(path)
        assert response.status_code == 422
        assert "Make somebody else an owner first." in text(response)
        assert list(Membership.objects.values_list("user__email", flat=True)) == [owner.email]
        assert {one.action for one in AuditEntry.objects.all()} == {"member left"}

    def test_leads_to_another_tenant_of_theirs(
        self, client_for: Browser, tenant: Tenant, make_tenant: MakeTenant, vera: User
    ) -> None:
        Membership.objects.create(tenant=make_tenant("other"), user=vera)
        browser = client_for(vera)
        browser.get(address(tenant))
        response = browser.post(address(tenant, "leave"), follow=True)
        assert response.redirect_chain[-1][0] == "/t/other/"
        assert "You have left Northwind." in text(response)

    def test_is_not_for_staff_who_look_on(self, client_for: Browser, staff: User, tenant: Tenant) -> None:
        assert client_for(staff).post(address(tenant, "leave")).status_code == 403


def test_invitations_live_a_week() -> None:
    """The page says so."""
    assert timedelta(days=7) == LIFE
