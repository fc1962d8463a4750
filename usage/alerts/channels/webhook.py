"""Tells programs by a signed request: Standard Webhooks 1.0."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from standardwebhooks import Webhook as Signer

from billing.models import Metric
from usage.alerts.cap_wording import CapFacts
from usage.alerts.channels.base import GiveUp, Gone
from usage.alerts.channels.calls import CALL_DEADLINE, call, endpoint_of, opened, refused
from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.alerts.spending import FULL
from usage.alerts.vault import Shut
from usage.models import Alert, Delivery, Endpoint

GONE = 410
TYPES = {
    Alert.Kind.THRESHOLD: "usage.threshold_reached",
    Alert.Kind.REFUSED: "usage.first_refusal",
    Alert.Kind.BILLED: "usage.billing_began",
}


class Webhook:
    """Posts to the delivery's endpoint; the id is the delivery's, so that a repeated one is known again."""

    name = "webhook"
    deadline = CALL_DEADLINE

    def send(self, delivery: Delivery, message: Message | Note) -> int:
        endpoint = endpoint_of(delivery)
        at = delivery.tried_at or delivery.created_at
        body = json.dumps(content(delivery, message), ensure_ascii=False, separators=(",", ":"))
        headers = _headers(delivery, endpoint, body, at)
        answer = call(opened(endpoint), body.encode(), headers)
        if answer.status == GONE:
            raise Gone(f"{answer.status} {answer.reason}", status=answer.status)
        if not answer.is_success:
            raise refused(answer, at)
        return answer.status

    def close(self) -> None:
        """Each message has a connection of its own."""


def content(delivery: Delivery, message: Message | Note) -> dict[str, Any]:
    """The body: what happened, when, and the facts; quantities in base units."""
    if isinstance(message, Note):
        slug = message.tenant.slug if message.tenant else None
        words = f"{message.headline} {message.next}"
        note = {"tenant": slug, "message": words, "url": message.url, **message.facts}
        return {"type": message.type, "timestamp": _moment(message.at), "data": note}
    alert = delivery.alert
    assert alert is not None  # a Message is made of nothing else
    data = {
        "tenant": message.tenant.slug,
        "tenant_name": message.tenant.name,
        "plan": message.plan.slug if message.plan else None,
        "period": alert.period.isoformat(),
        "percent": alert.percent or None,
        **(_of_metric(alert, message.metric) if message.metric else _of_cap(alert)),
        "message": f"{message.headline} {message.next}",
        "url": message.url,
    }
    return {"type": _type(alert), "timestamp": _moment(message.at), "data": data}


def _of_metric(alert: Alert, metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.code,
        "limit": alert.limit,
        "used": alert.used,
        "headroom": None if alert.limit is None else max(0, alert.limit - alert.used),
        "beyond": alert.beyond,
    }


def _of_cap(alert: Alert) -> dict[str, Any]:
    facts = CapFacts(alert, alert.at)
    return {
        "cap": f"{facts.amount:.2f}",
        "spent": f"{facts.spent:.2f}",
        "left": f"{facts.left:.2f}",
        "currency": settings.HEADROOM_CURRENCY,
        "mode": alert.beyond,
    }


def _type(alert: Alert) -> str:
    if alert.kind == Alert.Kind.CAP:
        return "spend_cap.reached" if alert.percent >= FULL else "spend_cap.approached"
    return TYPES[Alert.Kind(alert.kind)]


def _headers(delivery: Delivery, endpoint: Endpoint, body: str, at: datetime) -> dict[str, str]:
    """Signed with each secret that counts at `at`, which is the time of the attempt."""
    name, moment = f"msg_{delivery.pk.hex}", at.astimezone(UTC)
    try:
        signatures = [Signer(secret).sign(name, moment, body) for secret in endpoint.secrets(at)]
    except Shut as error:
        raise GiveUp(f"The signing secret: {error}") from error
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
