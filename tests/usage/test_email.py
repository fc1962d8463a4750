"""The mail as its receiver gets it, from a real SMTP server."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest
from pytest_django import Settings

from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import AT, BILL, limit, own, reading
from tests.usage.mailserver import MailServer
from usage.alerts import outbox
from usage.alerts.thresholds import judge
from usage.models import Delivery

OWNER = "olive@northwind.example"

TEXT = """\
△ Approaching: 80 % of the limit passed

Northwind Labs has 199,959 API calls left until 1 December.
From the limit on, requests that need more API calls are refused with status 429 until 1 Dec 2026, 00:00 UTC.

Tenant:      Northwind Labs, Pro
Metric:      API calls
Used:        800,041 of 1,000,000 (80 %)
Left:        199,959
Limit:       1,000,000, Stops at the limit
Resets:      1 Dec 2026, 00:00 UTC
Counted to:  23 Nov 2026, 06:02 UTC

See API calls: http://localhost:8000/t/northwind/metrics/api_calls/
See plans: http://localhost:8000/t/northwind/plan/

Sent once per period and limit to who gets the alerts of Northwind Labs; operations hear of what is urgent.
Stop these mails:
"""


@pytest.fixture
def northwind(make_tenant: MakeTenant) -> Tenant:
    tenant = make_tenant("northwind", name="Northwind Labs")
    own(tenant, OWNER)
    return tenant


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.mark.django_db
class TestMail:
    def test_says_everything_in_text(self, northwind: Tenant, mail_server: MailServer) -> None:
        judge([reading(northwind, 800_041, 1_000_000)], AT)
        outbox.deliver_due(AT)
        (mail,) = mail_server.mails
        text, _, link = body(mail, "plain").rstrip().rpartition(" ")
        assert text.rstrip() == TEXT.rstrip()
        assert link.startswith("http://localhost:8000/alerts/mail/")

    def test_says_the_same_in_html(self, northwind: Tenant, mail_server: MailServer) -> None:
        judge([reading(northwind, 800_041, 1_000_000)], AT)
        outbox.deliver_due(AT)
        html = body(mail_server.mails[0], "html")
        for words in (
            "Approaching: 80 % of the limit passed",
            "Northwind Labs has 199,959 API calls left until 1 December.",
            "refused with status 429 until 1 Dec 2026, 00:00 UTC.",
            "800,041 of 1,000,000",
            'href="http://localhost:8000/t/northwind/metrics/api_calls/"',
            'href="http://localhost:8000/t/northwind/plan/"',
        ):
            assert words in html

    def test_has_the_headers_of_a_mail_nobody_typed(
        self, northwind: Tenant, mail_server: MailServer, settings: Settings
    ) -> None:
        settings.DEFAULT_FROM_EMAIL = "Headroom <alerts@headroom.example>"
        judge([reading(northwind, 800, 1_000)], AT)
        outbox.deliver_due(AT)
        (mail,) = mail_server.mails
        assert mail["Subject"] == "API calls at 80 % for Northwind Labs"
        assert (mail["To"], mail["From"]) == (OWNER, "Headroom <alerts@headroom.example>")
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Message-ID"] == f"<{Delivery.objects.get().pk}@localhost>"
        assert mail["Date"] is not None

    def test_keeps_its_id_when_it_is_sent_again(self, northwind: Tenant, mail_server: MailServer) -> None:
        judge([reading(northwind, 800, 1_000)], AT)
        outbox.deliver_due(AT)
        Delivery.objects.update(status=Delivery.Status.WAITING, due_at=AT)
        outbox.deliver_due(AT)
        first, second = mail_server.mails
        assert first["Message-ID"] == second["Message-ID"]

    def test_forms_a_thread_per_metric_and_period(self, northwind: Tenant, mail_server: MailServer) -> None:
        later = AT + timedelta(days=20)
        for one in (
            reading(northwind, 800, 1_000),
            reading(northwind, 900, 1_000),
            reading(northwind, 9, 10, metric="users"),
            reading(northwind, 900, 1_000, at=later),
        ):
            judge([one], AT)
            outbox.deliver_due(AT)
        eighty, ninety, users, december = [mail["References"] for mail in mail_server.mails]
        assert eighty == ninety
        assert len({ninety, users, december}) == 3
        assert len({mail["Message-ID"] for mail in mail_server.mails}) == 4

    def test_name_with_line_breaks_adds_no_header(self, northwind: Tenant, mail_server: MailServer) -> None:
        northwind.name = "Evil\r\nBcc: victim@example.com\r\n\r\nBuy!"
        northwind.save()
        judge([reading(northwind, 800, 1_000)], AT)
        assert outbox.deliver_due(AT) == 1
        (mail,) = mail_server.mails
        assert mail["Bcc"] is None
        assert mail["Subject"] == "API calls at 80 % for Evil Bcc: victim@example.com Buy!"
        assert mail_server.receivers == [OWNER]

    def test_names_are_escaped_in_html_and_plain_in_text(
        self, northwind: Tenant, mail_server: MailServer
    ) -> None:
        northwind.name = "<b>Smith & Söhne</b>"
        northwind.save()
        judge([reading(northwind, 800, 1_000)], AT)
        outbox.deliver_due(AT)
        (mail,) = mail_server.mails
        assert "<b>Smith & Söhne</b> has 200 API calls left" in body(mail, "plain")
        assert "&lt;b&gt;Smith &amp; Söhne&lt;/b&gt; has 200 API calls left" in body(mail, "html")
        assert "<b>" not in body(mail, "html")

    def test_says_that_use_is_billed_where_it_is(self, northwind: Tenant, mail_server: MailServer) -> None:
        judge([reading(northwind, 1_200, limit(1_000, BILL))], AT)
        outbox.deliver_due(AT)
        text = body(mail_server.mails[0], "plain")
        assert "Nothing stops: what goes beyond the included amount is billed." in text
        assert "1,000, Billed over" in text


@pytest.mark.django_db
class TestConnection:
    def test_is_one_for_a_whole_run(self, northwind: Tenant, mail_server: MailServer) -> None:
        own(northwind, "omar@northwind.example", "ada@northwind.example")
        judge([reading(northwind, 800, 1_000)], AT)
        assert outbox.deliver_due(AT) == 3
        assert len(mail_server.sessions) == 1

    def test_is_made_anew_after_a_refusal(self, northwind: Tenant, mail_server: MailServer) -> None:
        own(northwind, "gone@northwind.example")
        mail_server.answers["gone@northwind.example"] = "550 5.1.1 no such user"
        judge([reading(northwind, 800, 1_000)], AT)
        assert outbox.deliver_due(AT) == 1

    def test_that_the_server_ends_is_tried_again(self, northwind: Tenant, mail_server: MailServer) -> None:
        mail_server.answers[OWNER] = "421 4.3.2 closing for the night"
        judge([reading(northwind, 800, 1_000)], AT)
        assert outbox.deliver_due(AT) == 0
        assert Delivery.objects.get().error == "421 4.3.2 closing for the night"
        mail_server.answers.clear()
        assert outbox.deliver_due(AT + timedelta(seconds=6)) == 1

    def test_without_a_login_is_tried_again(
        self, northwind: Tenant, mail_server: MailServer, settings: Settings
    ) -> None:
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "headroom", "wrong"
        judge([reading(northwind, 800, 1_000)], AT)
        outbox.deliver_due(AT)
        assert Delivery.objects.get().status == "waiting"

    def test_address_that_can_not_be_written_is_given_up(
        self, northwind: Tenant, mail_server: MailServer
    ) -> None:
        judge([reading(northwind, 800, 1_000)], AT)
        Delivery.objects.update(target="not an address\nBcc: victim@example.com")
        outbox.deliver_due(AT)
        assert Delivery.objects.get().status == "dead"
        assert mail_server.mails == []
