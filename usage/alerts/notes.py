"""Messages that are no alert: a test of a channel, and that a channel was disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from tenants.models import Tenant
from usage.alerts.messages import Message, message_of
from usage.models import Delivery


@dataclass(frozen=True, slots=True)
class Note:
    """What a note says; `tenant` is none where it concerns operations' own channel."""

    tenant: Tenant | None
    at: datetime
    type: str
    subject: str
    headline: str
    next: str
    reason: str
    url: str
    link: str
    thread: str


def words_of(delivery: Delivery) -> Message | Note:
    """What a delivery says; reads its alert, or its endpoint and tenant."""
    if delivery.alert is not None:
        return message_of(delivery.alert)
    return _test(delivery) if delivery.kind == Delivery.Kind.TEST else _disabled(delivery)


def _test(delivery: Delivery) -> Note:
    whose = _whose(delivery)
    return Note(
        tenant=_tenant(delivery),
        at=delivery.created_at,
        type="headroom.test",
        subject=f"Test of the alerts of {whose}",
        headline=f"This is a test of the alerts of {whose}.",
        next="It arrived. No limit was crossed, and it does not count as an alert.",
        reason="Sent because somebody pressed “Send test”.",
        url=_page(delivery),
        link="See alerts",
        thread=f"{delivery.pk}",
    )


def _disabled(delivery: Delivery) -> Note:
    endpoint, whose = delivery.endpoint, _whose(delivery)
    what = str(endpoint) if endpoint else "a channel that was removed since"
    why = endpoint.reason if endpoint else ""
    return Note(
        tenant=_tenant(delivery),
        at=delivery.created_at,
        type="headroom.channel_disabled",
        subject=f"A channel for alerts of {whose} was disabled",
        headline=f"{what} takes no alerts of {whose} any more.",
        next=f"It answered: {why or 'nothing'} Nothing is sent there until a test gets through.",
        reason=f"Sent to those who own {whose}, once.",
        url=_page(delivery),
        link="See channels",
        thread=f"{delivery.pk}",
    )


def _tenant(delivery: Delivery) -> Tenant | None:
    """Whose channel it is about; operations are told of a tenant's where nobody else hears."""
    return delivery.tenant or (delivery.endpoint.tenant if delivery.endpoint else None)


def _whose(delivery: Delivery) -> str:
    """On one line, whatever was typed."""
    tenant = _tenant(delivery)
    return " ".join(tenant.name.split()) if tenant else "operations"


def _page(delivery: Delivery) -> str:
    tenant = _tenant(delivery)
    path = reverse("usage:alerts", args=[tenant.slug]) if tenant else reverse("usage:deliveries")
    return f"{settings.BASE_URL}{path}"
