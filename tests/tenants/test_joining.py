"""Accepting invitations: as somebody new, as somebody known, and never twice, late or for somebody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tenants.invitation_links import Unusable, token_of
from tenants.invitations import invite, invite_again, withdraw
from tenants.joining import HasAccount, OtherAddress, join, join_as_new
from tenants.models import AuditEntry, Invitation, Membership, Tenant, User
from tests.conftest import PASSWORD, MakeTenant, MakeUser
from tests.tenants.crowd import all_at_once

pytestmark = [pytest.mark.urls("tests.tenants.urls"), pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]
ZOE = "zoe@x.example"
GIVEN = {"name": "Zoe Zander", "new_password1": "quite another horse", "new_password2": "quite another horse"}


@pytest.fixture
def asked(tenant: Tenant, owner: User) -> Invitation:
    return invite(tenant, email=ZOE, role=Membership.Role.ADMIN, by=owner, at=timezone.now())


def path(invitation: Invitation) -> str:
    return f"/join/{token_of(invitation)}/"


def text(response: Any) -> str:
    return str(response.content.decode())


class TestSomebodyNew:
    def test_sets_name_and_password_and_is_in(self, client: Client, asked: Invitation) -> None:
        page = text(client.get(path(asked)))
        assert "Join Northwind" in page
        assert "olive@northwind.example invites" in page
        response = client.post(path(asked), GIVEN)
        assert (response.status_code, response["Location"]) == (302, "/t/northwind/")
        assert client.get("/t/northwind/").json()["role"] == "admin"
        zoe = User.objects.get(email=ZOE)
        assert (str(zoe), zoe.check_password("quite another horse")) == ("Zoe Zander", True)
        assert zoe.last_login is not None
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.actor, entry.detail) == (
            "member joined",
            zoe,
            {"who": ZOE, "role": "admin"},
        )

    def test_is_who_was_imported_without_a_password_too(
        self, client: Client, asked: Invitation, make_user: MakeUser
    ) -> None:
        known = User.objects.create_user(ZOE, first_name="Zoe", last_name="Z")
        assert 'value="Zoe Z"' in text(client.get(path(asked)))
        client.post(path(asked), GIVEN)
        assert Membership.objects.get(role="admin").user == known

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"name": ""}, "required"),
            ({"new_password2": "another"}, "didn’t match"),
            ({"new_password1": "12345", "new_password2": "12345"}, "too short"),
            ({"new_password1": "zoezander1", "new_password2": "zoezander1"}, "too similar"),
        ],
    )
    def test_is_told_what_is_wrong_beside_the_field_and_keeps_the_rest(
        self, client: Client, asked: Invitation, wrong: dict[str, str], message: str
    ) -> None:
        response = client.post(path(asked), GIVEN | wrong)
        assert response.status_code == 422
        assert message in text(response)
        assert 'aria-invalid="true"' in text(response)
        assert (f'value="{GIVEN["name"]}"' in text(response)) is ("name" not in wrong)
        assert not User.objects.filter(email=ZOE).exists()
        assert Invitation.objects.pending().exists()

    def test_changes_nothing_by_looking(self, client: Client, asked: Invitation) -> None:
        client.get(path(asked))
        client.head(path(asked))
        assert Invitation.objects.pending().exists()

    def test_needs_the_form_of_this_site(self, asked: Invitation) -> None:
        assert Client(enforce_csrf_checks=True).post(path(asked), GIVEN).status_code == 403

    def test_gets_a_new_session(self, client: Client, asked: Invitation) -> None:
        session = client.session
        session["planted"] = "by an attacker"
        session.save()
        planted = session.session_key or ""
        client.cookies["sessionid"] = planted
        client.post(path(asked), GIVEN)
        assert client.cookies["sessionid"].value not in ("", planted)


class TestSomebodyKnown:
    def test_signs_in_first_then_joins(self, client: Client, asked: Invitation, make_user: MakeUser) -> None:
        zoe = make_user(ZOE)
        page = text(client.get(path(asked)))
        assert f"/sign-in/?next={path(asked)}" in page.replace("%3A", ":")
        assert "new_password1" not in page
        response = client.post("/sign-in/", {"username": ZOE, "password": PASSWORD, "next": path(asked)})
        assert response["Location"] == path(asked)
        assert not zoe.memberships.exists()
        assert client.post(path(asked))["Location"] == "/t/northwind/"
        assert zoe.memberships.get().role == "admin"

    def test_can_not_be_given_another_password_by_the_link(
        self, client: Client, asked: Invitation, make_user: MakeUser
    ) -> None:
        zoe = make_user(ZOE)
        client.post(path(asked), GIVEN)
        zoe.refresh_from_db()
        assert zoe.check_password(PASSWORD)
        assert not zoe.memberships.exists()
        with pytest.raises(HasAccount):
            join_as_new(asked, name="Zoe", password="quite another horse", at=timezone.now())

    def test_keeps_the_role_they_have(
        self, client_for: Browser, asked: Invitation, make_user: MakeUser, tenant: Tenant
    ) -> None:
        zoe = make_user(ZOE, "viewer", tenant)
        client_for(zoe).post(path(asked))
        assert zoe.memberships.get().role == "viewer"
        assert not Invitation.objects.pending().exists()
        assert AuditEntry.objects.count() == 1

    def test_with_another_address_is_refused_and_learns_nothing(
        self, client_for: Browser, asked: Invitation, make_user: MakeUser
    ) -> None:
        eve = make_user("eve@x.example")
        browser = client_for(eve)
        for response in (browser.get(path(asked)), browser.post(path(asked), GIVEN)):
            assert response.status_code == 403
            assert "This invitation is for another address." in text(response)
            assert "eve@x.example" in text(response)
            assert "Northwind" not in text(response)
            assert ZOE not in text(response)
        assert not eve.memberships.exists()
        with pytest.raises(OtherAddress):
            join(asked, eve, timezone.now())

    def test_comes_back_to_the_link_after_signing_out(
        self, client_for: Browser, asked: Invitation, make_user: MakeUser
    ) -> None:
        browser = client_for(make_user("eve@x.example"))
        assert browser.post("/sign-out/", {"next": path(asked)})["Location"] == path(asked)

    def test_who_is_switched_off_stays_out(
        self, client: Client, asked: Invitation, make_user: MakeUser
    ) -> None:
        zoe = make_user(ZOE, is_active=False)
        User.objects.filter(pk=zoe.pk).update(password="!")
        response = client.post(path(asked), GIVEN)
        assert response.status_code == 410
        assert "switched off" in text(response)
        assert not zoe.memberships.exists()


class TestLinkThatIsOver:
    def refused(self, invitation: Invitation, why: str, token: str = "") -> None:
        browser = Client()
        for response in (
            browser.get(f"/join/{token or token_of(invitation)}/"),
            browser.post(f"/join/{token or token_of(invitation)}/", GIVEN),
        ):
            assert response.status_code == 410
            assert why in text(response)
            assert "Northwind" not in text(response)
        assert not User.objects.filter(email=ZOE, memberships__role="owner").exists()

    def test_because_it_was_used(self, client: Client, asked: Invitation) -> None:
        client.post(path(asked), GIVEN)
        self.refused(asked, "accepted already")
        assert Membership.objects.count() == 2
        zoe = User.objects.get(email=ZOE)
        with pytest.raises(Unusable):
            join(asked, zoe, timezone.now())

    def test_because_it_was_withdrawn(self, asked: Invitation, owner: User) -> None:
        withdraw(asked, by=owner, at=timezone.now())
        self.refused(asked, "was withdrawn")

    def test_because_it_has_expired(self, asked: Invitation) -> None:
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        self.refused(asked, "has expired")

    def test_because_a_newer_one_was_sent(self, asked: Invitation, owner: User) -> None:
        old = token_of(asked)
        invite_again(asked, by=owner, at=timezone.now())
        self.refused(asked, "newer mail", old)

    def test_because_it_was_changed(self, client: Client, asked: Invitation) -> None:
        response = client.post(f"/join/{token_of(asked)[:-1]}/", GIVEN)
        assert response.status_code == 404
        assert "no link of ours" in text(response)


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_accept_it_once(self, tenant: Tenant, owner: User, make_user: MakeUser) -> None:
        zoe, now = make_user(ZOE), timezone.now()
        asked = invite(tenant, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=now)
        ends = all_at_once([lambda: join(asked, zoe, now)] * 6)
        assert sum(isinstance(end, Unusable) for end in ends) == 5
        assert AuditEntry.objects.filter(action="member joined").count() == 1

    def test_make_one_account_of_two_invitations(
        self, tenant: Tenant, owner: User, make_tenant: MakeTenant
    ) -> None:
        now = timezone.now()
        asked = [
            invite(one, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=now)
            for one in (tenant, make_tenant("other"))
        ]
        as_zoe = partial(join_as_new, name="Zoe", password="a long one", at=now)
        ends = all_at_once([partial(as_zoe, one) for one in asked])
        assert sorted(type(end).__name__ for end in ends) == ["HasAccount", "User"]
        assert Membership.objects.filter(user__email=ZOE).count() == 1
