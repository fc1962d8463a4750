"""Who is told of a statement, through what, and what it says."""

from __future__ import annotations

import json
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.test import Client
from pytest_django import Settings

from billing.models import Statement
from tenants.models import Membership, Tenant
from tests.conftest import MakeTenant, MakeUser
from tests.usage.alerting import own
from tests.usage.billed import CLOSES, FIRST, close, day, example, issued
from tests.usage.calling import deliver, endpoint
from tests.usage.counted import use
from tests.usage.mailserver import MailServer
from tests.usage.pages import text
from tests.usage.receivers import Receiver
from usage.endpoints import MailChoice
from usage.models import Delivery, Endpoint, LateUse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(created_at=FIRST)


def told() -> list[tuple[str, str]]:
    rows = Delivery.objects.filter(kind=Delivery.Kind.STATEMENT).order_by("channel", "target")
    return list(rows.values_list("channel", "target"))


def plain(mail: EmailMessage) -> str:
    """Its text, on one line."""
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(str(part.get_content()).split())


class TestWho:
    def test_is_each_owner_by_mail_and_each_program(self, tenant: Tenant) -> None:
        example(tenant)
        own(tenant, "olive@northwind.example", "otto@northwind.example")
        endpoint(tenant, "https://hooks.northwind.example/x")
        endpoint(tenant, "https://slack.example/x", Endpoint.Kind.SLACK)
        [statement] = close()
        assert told() == [
            ("email", "olive@northwind.example"),
            ("email", "otto@northwind.example"),
            ("webhook", "hooks.northwind.example"),
        ]
        assert {one.statement for one in Delivery.objects.all()} == {statement}
        assert {one.tenant for one in Delivery.objects.all()} == {tenant}

    def test_is_no_person_where_nothing_is_owed(self, tenant: Tenant) -> None:
        own(tenant, "olive@northwind.example")
        endpoint(tenant, "https://hooks.northwind.example/x")
        close()
        assert told() == [("webhook", "hooks.northwind.example")]

    def test_is_nobody_who_sees_no_money_or_wants_no_mail(self, tenant: Tenant, make_user: MakeUser) -> None:
        """A viewer may want alerts by mail; an owner may not."""
        example(tenant)
        viewer = make_user("vera@northwind.example", Membership.Role.VIEWER, tenant)
        admin = make_user("adam@northwind.example", Membership.Role.ADMIN, tenant)
        owner = make_user("olive@northwind.example", Membership.Role.OWNER, tenant)
        for person, is_wanted in ((viewer, True), (admin, True), (owner, False)):
            MailChoice.objects.create(tenant=tenant, user=person, is_wanted=is_wanted)
        close()
        assert told() == [("email", "adam@northwind.example")]

    def test_is_no_channel_that_was_disabled(self, tenant: Tenant) -> None:
        endpoint(tenant, "https://hooks.northwind.example/x")
        Endpoint.objects.update(state=Endpoint.State.DISABLED)
        close()
        assert told() == []

    def test_is_only_the_tenants_own(self, make_tenant: MakeTenant) -> None:
        for slug in ("one", "other"):
            tenant = make_tenant(slug, plan="pro", created_at=FIRST)
            own(tenant, f"owner@{slug}.example")
        close()
        rows = Delivery.objects.values_list("statement__tenant__slug", "target")
        assert set(rows) == {("one", "owner@one.example"), ("other", "owner@other.example")}


class TestWhat:
    def test_says_the_mail(self, tenant: Tenant, mail_server: MailServer) -> None:
        example(tenant)
        own(tenant, "olive@northwind.example")
        close()
        assert deliver(CLOSES) == 1
        [mail] = mail_server.mails
        body = plain(mail)
        assert mail["Subject"] == "Statement HR-2026-11-0001 for Northwind: $127.05"
        assert "The statement of Northwind for 1 November to 30 November comes to $127.05." in body
        assert "$74.34 base fee and $52.71 for use beyond what is included" in body
        assert "/t/northwind/statements/HR-2026-11-0001/" in body
        assert "estimate" not in body.lower()

    def test_says_the_mail_of_an_adjustment(self, tenant: Tenant, mail_server: MailServer) -> None:
        example(tenant)
        own(tenant, "olive@northwind.example")
        close()
        Delivery.objects.update(status=Delivery.Status.SENT)
        use(tenant, "api_calls", 2_000, at=day(30), epoch=2)
        LateUse.objects.create(tenant=tenant, period=FIRST.date(), at=CLOSES)
        later = CLOSES + timedelta(hours=2)
        close(later)
        assert deliver(later) == 1
        [mail] = mail_server.mails
        body = plain(mail)
        assert mail["Subject"] == "Adjustment HR-2026-11-0002 for Northwind: $2.00"
        assert "An adjustment adds $2.00." in body
        assert "counted too late for HR-2026-11-0001, at the prices of that" in body

    def test_says_a_signed_webhook(self, tenant: Tenant) -> None:
        example(tenant)
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            close()
            assert deliver(CLOSES) == 1
            [call] = receiver.calls
        said = json.loads(call.body)
        assert (said["type"], said["timestamp"]) == ("statement.issued", "2026-12-01T01:00:00Z")
        data = said["data"]
        assert data.pop("message").startswith("The statement of Northwind for 1 November")
        assert data.pop("url").endswith("/t/northwind/statements/HR-2026-11-0001/")
        assert data == {
            "tenant": "northwind",
            "number": "HR-2026-11-0001",
            "kind": "statement",
            "of": None,
            "period": "2026-11-01",
            "until": "2026-12-01",
            "total": "127.05",
            "currency": "USD",
        }
        assert call.headers["webhook-signature"].startswith("v1,")

    def test_stands_in_the_log_of_deliveries(
        self, tenant: Tenant, make_user: MakeUser, client: Client
    ) -> None:
        example(tenant)
        client.force_login(make_user("olive@northwind.example", Membership.Role.OWNER, tenant))
        close()
        assert "Statement HR-2026-11-0001" in text(client.get("/t/northwind/alerts/"))
        assert issued(tenant)[0][0] == Statement.objects.get().number
