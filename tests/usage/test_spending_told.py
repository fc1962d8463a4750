"""Alerts about spend caps: once a period and amount, to those who see money and to operations, in every channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from billing.models import Metric
from tenants.models import Tenant, User
from tests.conftest import MakeUser
from tests.usage.alerting import AT, BILL, STOP, limit, own, rights, spending
from usage.alerts.channels import slack, webhook
from usage.alerts.channels.email import compose
from usage.alerts.messages import message_of
from usage.alerts.notes import words_of
from usage.alerts.spending import CAP
from usage.alerts.thresholds import Reading, judge
from usage.models import Alert, AlertChoice, Delivery, Endpoint, MailChoice

REFUSED = Alert.Kind.REFUSED


def capped(tenant: Tenant, spent: str, stop: str | None = "390", *notify: str, **more: Any) -> Reading:
    """A tenant on Pro that spends so much beyond it."""
    limits = {"api_calls": limit(500_000, BILL, metric=Metric.objects.get(code="api_calls"))}
    refused, stops = more.pop("refused", 0), more.pop("stops", {})
    used = {"api_calls": more.pop("used", 100)}
    found = spending(spent, stop, *notify, **more)
    return Reading(tenant, rights(tenant, limits), used, {"api_calls": refused}, stops, found)


def receivers() -> set[tuple[str, str]]:
    """Channel and target of all that was queued, then begins anew."""
    found = set(Delivery.objects.values_list("channel", "target"))
    Delivery.objects.all().delete()
    return found


@pytest.mark.django_db
class TestTelling:
    def test_is_written_once_with_cents_and_no_metric(self, tenant: Tenant) -> None:
        own(tenant, "ann@x.example")
        assert judge([capped(tenant, "312.00")], AT) == 1
        assert judge([capped(tenant, "315.00")], AT) == 0
        alert = Alert.objects.get()
        assert (alert.metric, alert.kind, alert.percent, alert.limit, alert.used, alert.beyond) == (
            None,
            CAP,
            80,
            39_000,
            31_200,
            STOP,
        )

    def test_goes_where_other_alerts_go(self, tenant: Tenant, staff: User, settings: Settings) -> None:
        settings.HEADROOM_OPS_SLACK_URL = "https://hooks.example/ops"
        own(tenant, "ann@x.example")
        Endpoint.objects.create(tenant=tenant, kind="slack", label="#a", since=AT, created_at=AT)
        Endpoint.objects.create(tenant=tenant, kind="webhook", label="hook", since=AT, created_at=AT)
        judge([capped(tenant, "312.00")], AT)
        assert receivers() == {("email", "ann@x.example"), ("webhook", "hook")}
        judge([capped(tenant, "390.00", before="312.00")], AT)
        assert receivers() == {
            ("email", "ann@x.example"),
            ("email", "sam@ops.example"),
            ("inbox", "staff"),
            ("slack", "#a"),
            ("slack", "operations"),
            ("webhook", "hook"),
        }

    def test_goes_to_nobody_who_sees_no_money(self, tenant: Tenant, make_user: MakeUser) -> None:
        own(tenant, "ann@x.example")
        viewer = make_user("vic@x.example", "viewer", tenant)
        MailChoice.objects.create(tenant=tenant, user=viewer, is_wanted=True)
        judge([capped(tenant, "312.00")], AT)
        assert receivers() == {("email", "ann@x.example")}

    def test_is_only_listed_while_alerts_are_paused(self, tenant: Tenant) -> None:
        AlertChoice.objects.create(tenant=tenant, paused_until=datetime(2026, 12, 1, tzinfo=UTC))
        assert judge([capped(tenant, "390.00")], AT) == 0
        assert set(Alert.objects.values_list("is_sent", flat=True)) == {False}

    def test_makes_the_first_refusal_no_news(self, tenant: Tenant) -> None:
        own(tenant, "ann@x.example")
        stops = {"api_calls": 890_000}
        judge([capped(tenant, "390.00", used=890_000, refused=1, stops=stops)], AT)
        judge([capped(tenant, "390.00", used=890_000, refused=9, stops=stops, before="390")], AT)
        kinds = Alert.objects.filter(is_sent=True, metric=None).values_list("kind", "percent")
        assert list(kinds) == [(CAP, 100)]
        assert Alert.objects.get(kind=REFUSED).is_sent is False

    def test_of_a_refusal_by_a_cap_that_is_not_reached_says_so(self, tenant: Tenant) -> None:
        own(tenant, "ann@x.example")
        judge([capped(tenant, "1.00", used=889_999, refused=1, stops={"api_calls": 890_000})], AT)
        alert = Alert.objects.get(kind=REFUSED)
        assert (alert.is_sent, alert.beyond) == (True, BILL)
        message = message_of(alert)
        assert message.subject == "First refusal of API calls for Northwind"
        assert message.headline == "A request of Northwind for API calls was refused."
        assert message.next == (
            "It did not fit into what the spend cap leaves, or came faster than the plan allows. "
            "Included amounts keep working."
        )

    def test_a_cap_without_money_is_said_to_stop_at_what_is_included(self, tenant: Tenant) -> None:
        judge([capped(tenant, "0.00", "0", used=500_000, stops={"api_calls": 500_000})], AT)
        full = Alert.objects.get(kind="threshold", percent=100)
        assert (full.is_sent, full.beyond) == (True, STOP)

    def test_costs_no_query_more_for_many(
        self, make_tenant: Callable[..., Tenant], django_assert_max_num_queries: Any
    ) -> None:
        readings = [capped(make_tenant(f"tenant-{number}"), "390.00") for number in range(20)]
        with django_assert_max_num_queries(14):
            judge(readings, AT)


@pytest.fixture
def alert(tenant: Tenant) -> Callable[..., Alert]:
    """The alert that a tenant gets when it has spent so much."""

    def tell(spent: str, stop: str | None = "390", *notify: str, **more: Any) -> Alert:
        Alert.objects.all().delete()
        judge([capped(tenant, spent, stop, *notify, **more)], AT)
        return Alert.objects.get(is_sent=True, kind=CAP)

    return tell


Tell = Callable[..., Alert]
STOPPED = "refused with status 429 until 1 Dec 2026, 00:00 UTC. Included amounts keep working."


@pytest.mark.django_db
class TestWords:
    @pytest.mark.parametrize(
        ("spent", "stop", "notify", "subject", "headline", "following", "state"),
        [
            (
                "319.79",
                "390",
                [],
                "Spend cap at 81 % for Northwind",
                "Northwind has $70.21 left below its spend cap until 1 December.",
                f"At the cap, billable requests are {STOPPED}",
                "near",
            ),
            (
                "390.00",
                "390",
                [],
                "Spend cap reached for Northwind",
                "Northwind has reached its spend cap of $390.00.",
                f"Billable requests are {STOPPED} Raise the cap to go on.",
                "full",
            ),
            (
                "319.79",
                None,
                ["390"],
                "Spend cap at 81 % for Northwind",
                "Northwind has $70.21 left below its spend cap until 1 December.",
                "Nothing stops at the cap: what goes beyond the plan is billed.",
                "near",
            ),
            (
                "400.00",
                None,
                ["390"],
                "Spend cap reached for Northwind",
                "Northwind has reached its spend cap of $390.00.",
                "Nothing stops: what goes beyond the plan is billed.",
                "over",
            ),
        ],
    )
    def test_say_what_is_left_and_what_happens_then(
        self,
        alert: Tell,
        spent: str,
        stop: str | None,
        notify: list[str],
        subject: str,
        headline: str,
        following: str,
        state: str,
    ) -> None:
        message = message_of(alert(spent, stop, *notify))
        assert (message.subject, message.headline, message.next, message.state) == (
            subject,
            headline,
            following,
            state,
        )
        assert message.url == "http://localhost:8000/t/northwind/cost/#cap"
        assert message.metric is None

    def test_stand_in_every_channel(self, alert: Tell, tenant: Tenant) -> None:
        own(tenant, "ann@x.example")
        delivery = Delivery(
            alert=alert("319.79"), tenant=tenant, target="ann@x.example", due_at=AT, created_at=AT
        )
        message = words_of(delivery)
        mail = compose(delivery, message)
        for text in (mail.body, str(mail.alternatives[0][0])):
            assert "$319.79 of $390.00" in text
            assert "spend cap" in text.lower()
            assert "None" not in text
        sections = slack.content(message)["blocks"]
        assert {"type": "mrkdwn", "text": "*Left*\n$70.21"} in sections[1]["fields"]
        assert sections[2]["elements"][0]["text"]["text"] == "See the spend cap"

    def test_reach_programs_as_decimal_strings(self, alert: Tell, tenant: Tenant) -> None:
        delivery = Delivery(alert=alert("390.00"), tenant=tenant, due_at=AT, created_at=AT)
        body = webhook.content(delivery, words_of(delivery))
        assert body["type"] == "spend_cap.reached"
        assert body["data"] == {
            "tenant": "northwind",
            "tenant_name": "Northwind",
            "plan": "pro",
            "period": "2026-11-01",
            "percent": 100,
            "cap": "390.00",
            "spent": "390.00",
            "left": "0.00",
            "currency": "USD",
            "mode": "stop",
            "message": body["data"]["message"],
            "url": "http://localhost:8000/t/northwind/cost/#cap",
        }
        delivery = Delivery(alert=alert("312.00"), tenant=tenant, due_at=AT, created_at=AT)
        assert webhook.content(delivery, words_of(delivery))["type"] == "spend_cap.approached"
