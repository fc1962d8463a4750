"""Stopping one's alert mail from the mail itself."""

from __future__ import annotations

import re

import pytest
from django.core import mail as outbox_of_django
from django.test import Client

from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.alerting import AT
from tests.usage.calling import cross, deliver
from usage.alerts.unsubscribe import choose_mail
from usage.models import Delivery

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def link(tenant: Tenant, used: int = 800, to: str = "olive@northwind.example") -> str:
    """The path that a mail about the tenant carries for `to`."""
    cross(tenant, used)
    deliver(AT)
    (mail,) = [one for one in outbox_of_django.outbox if one.to == [to]][-1:]
    found = re.fullmatch(r"<http://localhost:8000(/.+)>", mail.extra_headers["List-Unsubscribe"])
    assert found
    assert mail.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return found[1]


def told(tenant: Tenant, used: int) -> set[str]:
    """Who gets the mail about the next crossing."""
    cross(tenant, used)
    return set(Delivery.objects.filter(alert__used=used, channel="email").values_list("target", flat=True))


class TestLink:
    def test_stops_at_one_click_without_signing_in(
        self, tenant: Tenant, owner: User, make_user: MakeUser
    ) -> None:
        make_user("omar@northwind.example", "owner", tenant)
        path = link(tenant)
        response = Client(enforce_csrf_checks=True).post(path, ONE_CLICK)
        assert response.status_code == 200
        assert "Stopped" in response.content.decode()
        assert told(tenant, 900) == {"omar@northwind.example"}

    def test_only_asks_when_it_is_followed(self, tenant: Tenant, owner: User) -> None:
        path = link(tenant)
        page = Client().get(path).content.decode()
        assert "Stop alert mail?" in page
        assert told(tenant, 900) == {owner.email}

    def test_warns_the_last_one(self, tenant: Tenant, owner: User, make_user: MakeUser) -> None:
        path = link(tenant)
        assert "Nobody else at Northwind gets these mails" in Client().get(path).content.decode()
        make_user("omar@northwind.example", "owner", tenant)
        assert "Nobody else" not in Client().get(path).content.decode()

    def test_stops_no_other_tenants_mail(self, tenant: Tenant, owner: User, make_tenant: MakeTenant) -> None:
        other = make_tenant("other")
        Membership.objects.create(tenant=other, user=owner, role="owner")
        Client().post(link(tenant), ONE_CLICK)
        assert told(other, 901) == {owner.email}

    def test_may_be_taken_back(self, tenant: Tenant, owner: User) -> None:
        path = link(tenant)
        Client().post(path, ONE_CLICK)
        page = Client().get(path).content.decode()
        assert "Send them again" in page
        Client().post(path, {"mail": "start"})
        assert told(tenant, 900) == {owner.email}

    @pytest.mark.parametrize("token", ["x", "x:y:z", "WzEsMV0:1vabc:nonsense"])
    def test_that_is_not_ours_leads_nowhere(self, client: Client, db: None, token: str) -> None:
        assert client.get(f"/alerts/mail/{token}/").status_code == 404
        assert client.post(f"/alerts/mail/{token}/").status_code == 404

    def test_of_somebody_who_left_leads_nowhere(self, tenant: Tenant, owner: User) -> None:
        path = link(tenant)
        Membership.objects.all().delete()
        assert Client().get(path).status_code == 404

    def test_is_not_in_mail_to_operations(self, tenant: Tenant, owner: User, staff: User) -> None:
        cross(tenant, 1_000)
        deliver(AT)
        (mail,) = [one for one in outbox_of_django.outbox if one.to == [staff.email]]
        assert "List-Unsubscribe" not in mail.extra_headers


class TestChoice:
    def test_lets_a_viewer_hear_too(self, tenant: Tenant, owner: User, make_user: MakeUser) -> None:
        viewer = make_user("vera@northwind.example", "viewer", tenant)
        choose_mail(Membership.objects.get(user=viewer), is_wanted=True)
        assert told(tenant, 800) == {owner.email, viewer.email}

    def test_of_everybody_to_hear_nothing_leaves_it_to_operations(
        self, tenant: Tenant, owner: User, staff: User
    ) -> None:
        choose_mail(Membership.objects.get(user=owner), is_wanted=False)
        assert told(tenant, 800) == {staff.email}

    def test_does_not_make_a_sleeper_of_who_may_not_sign_in(
        self, tenant: Tenant, make_user: MakeUser
    ) -> None:
        viewer = make_user("vera@northwind.example", "viewer", tenant)
        choose_mail(Membership.objects.get(user=viewer), is_wanted=True)
        User.objects.filter(pk=viewer.pk).update(is_active=False)
        assert viewer.email not in told(tenant, 800)
