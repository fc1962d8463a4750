"""Messages that are no alert: a test of a channel, that a channel was disabled, and a statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from billing.models import Statement
from tenants.models import Tenant
from usage import units
from usage.alerts.messages import Message, message_of
from usage.amounts import money
from usage.models import Delivery


@dataclass(frozen=True, slots=True)
class Note:
    """What a note says; `tenant` is none where it concerns operations' own channel. `facts` are for programs."""

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
    facts: Mapping[str, object] = field(default_factory=dict)


def words_of(delivery: Delivery) -> Message | Note:
    """What a delivery says; reads its alert or statement, or its endpoint and tenant."""
    if delivery.alert is not None:
        return message_of(delivery.alert)
    return NOTES[Delivery.Kind(delivery.kind)](delivery)


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


def _statement(delivery: Delivery) -> Note:
    statement, whose = delivery.statement, _whose(delivery)
    assert statement is not None  # what a delivery of this kind is about
    path = reverse("usage:statement", args=[statement.tenant.slug, statement.number])
    url, total = f"{settings.BASE_URL}{path}", money(statement.total, statement.currency)
    days = f"{units.day(statement.period)} to {units.day(statement.until - timedelta(days=1))}"
    headline, following = _owed(statement, f"The statement of {whose} for {days} comes to {total}.")
    return Note(
        tenant=statement.tenant,
        at=statement.issued_at,
        type="statement.issued",
        subject=f"{statement.get_kind_display()} {statement.number} for {whose}: {total}",
        headline=headline,
        next=following,
        reason=f"Sent to those who own {whose}, once.",
        url=url,
        link=f"See {statement.number}",
        thread=f"{statement.tenant_id}.statement.{statement.period}",
        facts={
            "number": statement.number,
            "kind": statement.kind,
            "of": statement.of.number if statement.of else None,
            "period": statement.period.isoformat(),
            "until": statement.until.isoformat(),
            "total": f"{statement.total:.2f}",
            "currency": statement.currency,
            "url": url,
        },
    )


def _owed(statement: Statement, comes_to: str) -> tuple[str, str]:
    """What it comes to, and what that is made of."""
    if statement.of:
        verb = "adds" if statement.total > 0 else "takes off"
        return (
            f"An adjustment {verb} {money(abs(statement.total), statement.currency)}.",
            f"It is for units that were counted too late for {statement.of.number}, at the prices of that.",
        )
    fee, overage = (money(one, statement.currency) for one in (statement.base_fee, statement.overage))
    parts = f"{fee} base fee and {overage} for use beyond what is included"
    return (
        comes_to,
        f"That is {parts}. A statement does not change: what is counted later becomes an adjustment.",
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


NOTES: Mapping[Delivery.Kind, Callable[[Delivery], Note]] = {
    Delivery.Kind.TEST: _test,
    Delivery.Kind.DISABLED: _disabled,
    Delivery.Kind.STATEMENT: _statement,
}
