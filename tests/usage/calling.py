"""What tests of Slack channels and webhooks begin with: endpoints, deliveries that are due, what the receiver got."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tenants.models import Tenant
from tests.usage.alerting import AT, reading
from tests.usage.receivers import Call
from usage.alerts import outbox
from usage.alerts.setup import add_endpoint
from usage.alerts.thresholds import judge
from usage.models import Delivery, Endpoint

SLACK, WEBHOOK = Endpoint.Kind.SLACK, Endpoint.Kind.WEBHOOK


def endpoint(tenant: Tenant, url: str, kind: str = WEBHOOK) -> tuple[Endpoint, str]:
    """A channel of the tenant, and its secret."""
    return add_endpoint(tenant, kind=kind, url=url, name="", person=None, at=AT)


def cross(tenant: Tenant, used: int = 850, at: datetime = AT, *, metric: str = "api_calls") -> None:
    """Let a metric of the tenant stand at `used` of 1 000."""
    judge([reading(tenant, used, 1_000, metric=metric, at=at)], at)


def deliver(at: datetime) -> int:
    """Work off what is due, with a clock that stands still."""
    return outbox.deliver_due(at, clock=lambda: 0.0)


def calls() -> list[Delivery]:
    """The deliveries to endpoints, oldest first."""
    return list(Delivery.objects.filter(channel__in=[SLACK, WEBHOOK]).order_by("alert_id", "created_at"))


def said(call: Call) -> Any:
    return json.loads(call.body)
