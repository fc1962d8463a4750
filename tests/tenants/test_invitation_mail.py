"""The mail of an invitation: what it says, and that it is sent once, and again where the server did not take it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from pytest_django import Settings

from tenants import invitation_mail
from tenants.invitation_links import link_of
from tenants.invitation_mail import AGAIN_AFTER, compose, send_waiting
from tenants.invitations import LIFE, invite, invite_again, withdraw
from tenants.models import Invitation, Membership, Tenant, User
from tenants.tasks import mail_invitations
from tests.conftest import MakeTenant
from tests.tenants.crowd import all_at_once
from tests.usage.mailserver import MailServer, free_port

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZOE = "zoe@x.example"


@pytest.fixture
def asked(tenant: Tenant, owner: User) -> Invitation:
    return invite(tenant, email=ZOE, role=Membership.Role.VIEWER, by=owner, at=NOW)


def smtp(settings: Settings, port: int) -> None:
    """Mail goes to a real server on this port."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 2


class TestMail:
    def test_says_who_invites_whom_to_what_with_the_link_in_text_and_html(
        self, asked: Invitation, settings: Settings
    ) -> None:
        settings.BASE_URL = "https://headroom.example"
        Tenant.objects.update(name="Bits & Bobs")
        asked.tenant.refresh_from_db()
        sent = compose(asked)
        text, html = str(sent.body), str(sent.alternatives[0][0])
        assert (sent.to, sent.subject) == ([ZOE], "Join Bits & Bobs on Headroom")
        for part, name in ((text, "Bits & Bobs"), (html, "Bits &amp; Bobs")):
            assert f"olive@northwind.example invites you to join {name}" in part
            assert link_of(asked) in part
            assert "As viewer you see usage and limits" in part
            assert "until 30 Nov 2026, 12:00 UTC" in part
        assert re.search(rf"for {ZOE} alone", text)

    def test_says_the_time_in_the_tenants_zone(self, asked: Invitation) -> None:
        asked.tenant.time_zone = "Europe/Berlin"
        assert "until 30 Nov 2026, 13:00 CET" in str(compose(asked).body)


class TestSendWaiting:
    def test_mails_once(self, asked: Invitation) -> None:
        assert [send_waiting(NOW), send_waiting(NOW + LIFE)] == [1, 0]
        asked.refresh_from_db()
        assert (asked.mailed_at, asked.mail_due_at) == (NOW, None)
        assert len(mail.outbox) == 1

    def test_is_what_task_and_command_do(self, asked: Invitation, owner: User) -> None:
        Invitation.objects.update(expires_at=datetime(2100, 1, 1, tzinfo=UTC))
        mail_invitations()
        Invitation.objects.update(mailed_at=None, mail_due_at=NOW)
        call_command("mail_invitations", verbosity=0)
        assert len(mail.outbox) == 2

    def test_mails_the_newest_link_again(self, asked: Invitation, owner: User) -> None:
        send_waiting(NOW)
        invite_again(asked, by=owner, at=NOW)
        send_waiting(NOW)
        asked.refresh_from_db()
        assert link_of(asked) in str(mail.outbox[1].body)

    @pytest.mark.parametrize("end", ["withdrawn", "expired"])
    def test_leaves_what_is_over(self, asked: Invitation, owner: User, end: str) -> None:
        if end == "withdrawn":
            withdraw(asked, by=owner, at=NOW)
        assert send_waiting(NOW if end == "withdrawn" else NOW + LIFE) == 0

    def test_tries_again_while_no_server_answers(self, asked: Invitation, settings: Settings) -> None:
        port = free_port()
        smtp(settings, port)
        assert [send_waiting(NOW), send_waiting(NOW + AGAIN_AFTER / 2)] == [0, 0]
        asked.refresh_from_db()
        assert (asked.mail_due_at, asked.mail_problem) == (NOW + AGAIN_AFTER, "")
        with MailServer(port) as server:
            assert send_waiting(NOW + AGAIN_AFTER) == 1
            assert server.receivers == [ZOE]

    def test_gives_up_what_the_server_will_never_take_and_says_why(
        self, asked: Invitation, settings: Settings
    ) -> None:
        with MailServer() as server:
            smtp(settings, server.port)
            server.answers[ZOE] = "550 5.1.1 no such user"
            assert send_waiting(NOW) == 0
        asked.refresh_from_db()
        assert (asked.mail_due_at, asked.mail_problem) == (None, "550 5.1.1 no such user")

    def test_tries_again_what_the_server_does_not_take_now(
        self, asked: Invitation, settings: Settings
    ) -> None:
        with MailServer() as server:
            smtp(settings, server.port)
            server.answers[ZOE] = "451 come back later"
            assert send_waiting(NOW) == 0
        asked.refresh_from_db()
        assert (asked.mail_due_at, asked.mail_problem) == (NOW + AGAIN_AFTER, "")

    def test_does_not_let_one_that_fails_hold_up_the_others(
        self, asked: Invitation, make_tenant: MakeTenant, owner: User, settings: Settings
    ) -> None:
        invite(make_tenant("other"), email="yan@x.example", role=Membership.Role.ADMIN, by=owner, at=NOW)
        with MailServer() as server:
            smtp(settings, server.port)
            server.answers[ZOE] = "550 no"
            assert send_waiting(NOW) == 1
            assert server.receivers == ["yan@x.example"]

    def test_that_is_overtaken_by_a_newer_mail_leaves_that_to_be_sent(
        self, asked: Invitation, owner: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def meanwhile(backend: EmailBackend, messages: Any) -> int:
            invite_again(asked, by=owner, at=NOW + timedelta(seconds=1))
            return len(messages)

        monkeypatch.setattr(EmailBackend, "send_messages", meanwhile)
        send_waiting(NOW)
        asked.refresh_from_db()
        assert (asked.mailed_at, asked.mail_due_at) == (None, NOW + timedelta(seconds=1))

    @pytest.mark.django_db(transaction=True)
    def test_by_many_workers_mails_each_once(
        self, tenant: Tenant, owner: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(invitation_mail, "AT_ONCE", 2)
        for number in range(6):
            invite(tenant, email=f"{number}@x.example", role=Membership.Role.VIEWER, by=owner, at=NOW)
        all_at_once([lambda: send_waiting(NOW)] * 4)
        send_waiting(NOW)
        assert sorted(one.to[0] for one in mail.outbox) == [f"{number}@x.example" for number in range(6)]
