"""The demo's receivers of Slack messages and webhooks: what they take, and what they show of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from demo.doors import BROKEN, make_channels, point_channels, slack_url
from demo.models import DemoMessage
from demo.papers import issue_history
from tenants.models import User
from tests.conftest import MakeTenant
from tests.usage.alerting import own
from tests.usage.calling import cross
from usage.alerts import outbox
from usage.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)


class TestReceivers:
    def test_get_tests_and_alerts_and_one_gets_none(
        self, make_tenant: MakeTenant, live_server: LiveServer, settings: Settings
    ) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True
        settings.HEADROOM_OPS_SLACK_URL = slack_url(live_server.url)
        tenants = {slug: make_tenant(slug) for slug in ("fjord-analytics", "kestrel-freight")}
        now = timezone.now()
        for _ in range(2):  # a second start makes nothing twice
            make_channels(tenants, now)
        point_channels(live_server.url, now)
        for tenant in tenants.values():
            own(tenant, f"owner@{tenant.slug}.example")
            cross(tenant, 950, now)
        outbox.deliver_due(now)
        kinds = sorted(DemoMessage.objects.values_list("kind", "title"))
        assert [title.partition(" for ")[0] for _kind, title in kinds] == [
            "API calls at 95 %",
            "API calls at 95 %",
            "API calls at 95 %",
            "Test of the alerts of Fjord Analytics: This is a test of the alerts of Fjord Analytics.",
            "usage.threshold_reached",
        ]
        waiting = Delivery.objects.get(status="waiting")
        assert (waiting.target, waiting.answer, waiting.attempts) == (BROKEN, 503, 1)
        assert waiting.due_at > now
        assert Endpoint.objects.get(label=BROKEN).state == "failing"


class TestStatements:
    def test_reach_the_receiver_at_each_start(
        self, make_tenant: MakeTenant, live_server: LiveServer, settings: Settings, redis_db: object
    ) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True
        now = timezone.now()
        tenant = make_tenant("northwind-labs", created_at=now - timedelta(days=70))
        make_channels({tenant.slug: tenant}, now - timedelta(days=70))
        issue_history([tenant], now)
        assert tenant.statements.count() >= 1
        Delivery.objects.update(status=Delivery.Status.SENT)
        for _ in range(2):
            point_channels(live_server.url, now)
            outbox.deliver_due(now)
        newest = tenant.statements.latest("period")
        told = DemoMessage.objects.filter(title="statement.issued")
        assert [one.content["data"]["number"] for one in told] == [newest.number] * 2


class TestHook:
    def test_takes_nothing_without_a_signature(self, make_tenant: MakeTenant, client: Client) -> None:
        make_channels({"fjord-analytics": make_tenant("fjord-analytics")}, timezone.now())
        pk = Endpoint.objects.get(kind="webhook").pk
        body = {"type": "usage.threshold_reached"}
        for path in (f"/demo/receivers/hook/{pk}/", "/demo/receivers/hook/0/"):
            assert client.post(path, body, content_type="application/json").status_code == 401
        assert not DemoMessage.objects.exists()


class TestPage:
    def test_shows_staff_what_arrived(
        self, client_for: Callable[[User], Client], staff: User, owner: User
    ) -> None:
        DemoMessage.objects.keep("slack", "<b>Bold</b>", {"text": "x"}, timezone.now())
        page = client_for(staff).get("/demo/received/").content.decode()
        assert "&lt;b&gt;Bold" in page
        assert client_for(owner).get("/demo/received/").status_code == 404

    def test_forgets_what_is_old(self, db: None) -> None:
        for number in range(205):
            DemoMessage.objects.keep("slack", str(number), {}, timezone.now())
        assert DemoMessage.objects.count() == 200
