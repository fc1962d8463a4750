"""Slack messages, against a receiver that answers as Slack does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import Settings

from tenants.models import Tenant
from tests.usage.alerting import AT, BILL, limit, own, reading
from tests.usage.calling import SLACK, calls, cross, deliver, endpoint, said
from tests.usage.mailserver import MailServer
from tests.usage.receivers import Receiver, Reply
from usage.alerts.setup import send_test
from usage.alerts.thresholds import judge
from usage.models import Delivery, Endpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mail_server")]


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


class TestMessage:
    def test_has_header_facts_one_button_and_context(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
        body = said(receiver.calls[0])
        assert body["text"].startswith("API calls at 95 % for Northwind: Northwind has 50 API calls left")
        header, section, actions, context = body["blocks"]
        assert header["text"] == {"type": "plain_text", "text": "△ API calls at 95 % for Northwind"}
        assert section["text"]["text"].startswith("Northwind has 50 API calls left")
        assert [one["text"].splitlines()[0] for one in section["fields"]] == [
            "*Used*", "*Left*", "*At the limit*", "*Resets*",
        ]  # fmt: skip
        (button,) = actions["elements"]
        assert button["url"] == "http://localhost:8000/t/northwind/metrics/api_calls/"
        assert "Northwind, Pro" in context["elements"][0]["text"]

    def test_mentions_nobody_and_hides_no_link(self, tenant: Tenant) -> None:
        tenant.name = "<!channel> & <https://evil.example|pay here>"
        tenant.save()
        with Receiver() as receiver:
            endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
        raw = receiver.calls[0].body.decode()
        assert "<" not in raw
        assert "&lt;!channel&gt; &amp; &lt;https://evil.example|pay here&gt;" in raw

    def test_fits_whatever_the_names(self, tenant: Tenant) -> None:
        tenant.name = "&" * 120
        tenant.save()
        with Receiver() as receiver:
            endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
        header, section, *_ = said(receiver.calls[0])["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert len(section["text"]["text"]) <= 3_000
        assert header["text"]["text"].endswith("&amp;")

    def test_of_a_test_says_so(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            made, _ = endpoint(tenant, receiver.url(), SLACK)
            send_test(made, AT)
            deliver(AT)
        assert "This is a test of the alerts of Northwind." in said(receiver.calls[0])["text"]


class TestRoutes:
    def test_leave_out_what_is_not_loud(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url(), SLACK)
            for used in (800, 900, 950, 1_000):
                cross(tenant, used)
            deliver(AT)
        assert len(receiver.calls) == 2

    def test_tell_operations_of_95_and_more_and_of_refusals(self, tenant: Tenant, settings: Settings) -> None:
        own(tenant, "olive@northwind.example")
        with Receiver() as receiver:
            settings.HEADROOM_OPS_SLACK_URL = receiver.url()
            for used in (800, 900, 950, 1_000):
                cross(tenant, used)
            judge([reading(tenant, 5, 1_000, refused=1, metric="users")], AT)
            judge([reading(tenant, 1_001, limit(1_000, BILL, hard_limit=9_000), metric="bandwidth")], AT)
            deliver(AT)
        texts = [said(call)["text"].partition(" for ")[0] for call in receiver.calls]
        assert sorted(texts) == ["API calls at 100 %", "API calls at 95 %", "First refusal of active users"]
        row = Endpoint.objects.get()
        assert (row.tenant, row.label) == (None, "operations")


class TestFailure:
    @pytest.mark.parametrize(
        ("status", "text"),
        [(404, "no_service"), (410, "channel_is_archived"), (403, "invalid_token")],
    )
    def test_that_is_permanent_disables_the_channel(
        self, tenant: Tenant, mail_server: MailServer, status: int, text: str
    ) -> None:
        own(tenant, "olive@northwind.example")
        with Receiver(Reply(status, text)) as receiver:
            made, _ = endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
            deliver(AT)
        made.refresh_from_db()
        assert (made.state, made.reason) == ("disabled", f"{status} {text}")
        assert "A channel for alerts of Northwind was disabled" in {m["Subject"] for m in mail_server.mails}

    def test_that_is_not_is_tried_again_when_slack_asks_for_it(self, tenant: Tenant) -> None:
        with Receiver(Reply(429, "rate_limited", {"Retry-After": "90"}), Reply()) as receiver:
            made, _ = endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
            assert calls()[0].due_at == AT + timedelta(seconds=90)
            deliver(AT + timedelta(seconds=89))
            assert len(receiver.calls) == 1
            deliver(AT + timedelta(seconds=90))
        assert calls()[0].status == "sent"
        made.refresh_from_db()
        assert made.state == "working"

    def test_of_the_text_is_given_up(self, tenant: Tenant) -> None:
        with Receiver(Reply(400, "invalid_payload")) as receiver:
            endpoint(tenant, receiver.url(), SLACK)
            cross(tenant, 950)
            deliver(AT)
        row = Delivery.objects.get(channel="slack")
        assert (row.status, row.error, row.answer) == ("dead", "400 invalid_payload", 400)
