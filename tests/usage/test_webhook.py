"""Webhooks as a program gets them, checked by the library of Standard Webhooks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from tenants.models import Tenant
from tests.usage.alerting import AT, BILL, limit, own, reading
from tests.usage.calling import cross, deliver, endpoint, said
from tests.usage.mailserver import MailServer
from tests.usage.receivers import Receiver, Reply
from usage.alerts.setup import rotate, send_test
from usage.alerts.thresholds import judge
from usage.models import Alert, Delivery, Endpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mail_server")]
OWNER = "olive@northwind.example"


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


class TestWebhook:
    def test_is_signed_and_says_what_happened(self, tenant: Tenant) -> None:
        now = timezone.now()  # the verifier takes no older ones
        with Receiver() as receiver:
            _, secret = endpoint(tenant, receiver.url())
            cross(tenant, 850, now)
            deliver(now)
        (call,) = receiver.calls
        body = Verifier(secret).verify(call.body, call.headers)
        delivery = Delivery.objects.get(channel="webhook")
        assert call.headers["webhook-id"] == f"msg_{delivery.pk.hex}"
        assert call.headers["content-type"] == "application/json"
        assert body["type"] == "usage.threshold_reached"
        assert body["timestamp"] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
        facts = body["data"]
        assert (facts["tenant"], facts["metric"], facts["plan"]) == ("northwind", "api_calls", "pro")
        assert (facts["percent"], facts["used"], facts["limit"], facts["headroom"]) == (80, 850, 1_000, 150)
        assert facts["message"].startswith("Northwind has 150 API calls left")
        assert (delivery.status, delivery.answer, delivery.attempts) == ("sent", 200, 1)

    def test_of_another_secret_is_not_taken_for_ours(self, tenant: Tenant) -> None:
        now = timezone.now()
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant, 850, now)
            deliver(now)
        with pytest.raises(WebhookVerificationError):
            Verifier("whsec_" + "A" * 44).verify(receiver.calls[0].body, receiver.calls[0].headers)

    def test_keeps_its_id_and_gets_a_new_time_when_it_is_tried_again(self, tenant: Tenant) -> None:
        with Receiver(Reply(500), Reply(200)) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
            later = AT + timedelta(seconds=6)
            deliver(later)
        first, second = (call.headers for call in receiver.calls)
        assert first["webhook-id"] == second["webhook-id"]
        assert first["webhook-timestamp"] == str(int(AT.timestamp()))
        assert second["webhook-timestamp"] == str(int(later.timestamp()))
        assert first["webhook-signature"] != second["webhook-signature"]

    @pytest.mark.parametrize(("hours", "signatures"), [(1, 2), (23, 2), (25, 1)])
    def test_is_signed_with_both_secrets_for_a_day(self, tenant: Tenant, hours: int, signatures: int) -> None:
        now = timezone.now()
        with Receiver() as receiver:
            made, old = endpoint(tenant, receiver.url())
            new = rotate(made, now - timedelta(hours=hours))
            cross(tenant, 850, now)
            deliver(now)
        (call,) = receiver.calls
        assert len(call.headers["webhook-signature"].split()) == signatures
        assert Verifier(new).verify(call.body, call.headers)
        if signatures == 2:
            assert Verifier(old).verify(call.body, call.headers)

    @pytest.mark.parametrize(
        ("one", "kind"),
        [({"used": 5, "of": 1_000, "refused": 1}, "usage.first_refusal"), (None, "usage.billing_began")],
    )
    def test_names_what_happened(self, tenant: Tenant, one: dict[str, int] | None, kind: str) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            if one is None:
                judge([reading(tenant, 1_001, limit(1_000, BILL, hard_limit=2_000))], AT)
            else:
                judge([reading(tenant, one["used"], one["of"], refused=one["refused"])], AT)
            deliver(AT)
        assert kind in [said(call)["type"] for call in receiver.calls]

    def test_is_small_whatever_the_names(self, tenant: Tenant) -> None:
        tenant.name = "\U0001f680" * 120
        tenant.save()
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
        assert len(receiver.calls[0].body) < 20_000

    def test_is_sent_for_every_alert(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            for used in (800, 900, 950, 1_000):
                cross(tenant, used)
            deliver(AT)
        assert sorted(said(call)["data"]["percent"] for call in receiver.calls) == [80, 90, 95, 100]

    def test_of_an_endpoint_whose_secret_is_shut_is_given_up(
        self, tenant: Tenant, settings: Settings
    ) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            settings.SECRET_KEY = "another key than the one it was sealed with"
            deliver(AT)
        assert receiver.calls == []
        assert "can't be opened" in Delivery.objects.get(channel="webhook").error

    def test_opens_with_a_key_that_has_become_a_fallback(self, tenant: Tenant, settings: Settings) -> None:
        with Receiver() as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
            settings.SECRET_KEY = "the key of after the change"
            assert deliver(AT) >= 1
        assert len(receiver.calls) == 1

    def test_has_secret_and_address_nowhere_in_the_clear(self, tenant: Tenant) -> None:
        made, secret = endpoint(tenant, "https://hooks.example/very/secret/path")
        made.refresh_from_db()
        row = str(Endpoint.objects.filter(pk=made.pk).values())
        assert secret not in row
        assert "very/secret" not in row
        assert (made.url, made.secrets(AT)) == ("https://hooks.example/very/secret/path", [secret])


class TestGone:
    def test_disables_the_endpoint_and_tells_its_owner(self, tenant: Tenant, mail_server: MailServer) -> None:
        own(tenant, OWNER)
        with Receiver(Reply(410, "")) as receiver:
            made, _ = endpoint(tenant, receiver.url())
            cross(tenant, 1_000)
            cross(tenant, 1_000, metric="users")
            deliver(AT)
            made.refresh_from_db()
            assert (made.state, made.reason, made.since) == ("disabled", "410 Said", AT)
            assert len(receiver.calls) == 1
            deliver(AT)
            cross(tenant, 900, AT + timedelta(days=20))
            deliver(AT + timedelta(days=20))
            assert len(receiver.calls) == 1
        errors = {row.error for row in Delivery.objects.filter(channel="webhook")}
        assert errors == {"410 Said", "The channel was disabled before this was sent."}
        told = [mail for mail in mail_server.mails if "disabled" in mail["Subject"]]
        assert [mail["To"] for mail in told] == [OWNER]
        assert Delivery.objects.filter(status="waiting").count() == 0

    def test_is_mended_by_a_test_that_arrives(self, tenant: Tenant) -> None:
        with Receiver(Reply(410), Reply(410), Reply(200)) as receiver:
            made, _ = endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
            for state in ("disabled", "working"):
                send_test(made, AT)
                deliver(AT)
                made.refresh_from_db()
                assert made.state == state
        assert said(receiver.calls[-1])["type"] == "headroom.test"
        assert "test" in said(receiver.calls[-1])["data"]["message"]
        assert Alert.objects.count() == 1

    def test_of_an_owner_who_stopped_mail_is_told_to_operations(
        self, tenant: Tenant, mail_server: MailServer, settings: Settings
    ) -> None:
        settings.HEADROOM_OPS_EMAIL = ["ops@headroom.example"]
        with Receiver(Reply(410)) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
            deliver(AT)
        assert any("disabled" in mail["Subject"] for mail in mail_server.mails)
        assert set(mail_server.receivers) == {"ops@headroom.example"}
