"""The demo's channels: Slack-like and webhook receivers of its own, of which one never works."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q, QuerySet
from django.urls import reverse

from tenants.models import Tenant
from usage.alerts.setup import new_secret, send_test
from usage.alerts.vault import seal
from usage.models import Delivery, Endpoint

BROKEN = "never-works.example"
# By slug: kind, label, and which of the receivers below.
CHANNELS = {
    "fjord-analytics": (("slack", "#fjord-ops", "slack"), ("webhook", "alerts.fjord.example", "hook")),
    "northwind-labs": (("slack", "#platform-alerts", "slack"), ("webhook", "ops.northwind.example", "hook")),
    "kestrel-freight": (("webhook", BROKEN, "broken"),),
}
STUCK = 2  # messages that wait for the one that never works


def make_channels(tenants: Mapping[str, Tenant], at: datetime) -> None:
    """Give the tenants, by slug, what they have not yet; where the page is they learn once it is known."""
    for slug in CHANNELS.keys() & tenants.keys():
        known = set(tenants[slug].endpoints.values_list("label", flat=True))
        for kind, label, _receiver in CHANNELS[slug]:
            if label not in known:
                Endpoint.objects.create(
                    tenant=tenants[slug],
                    kind=kind,
                    label=label,
                    sealed_secret=seal(new_secret()) if kind == Endpoint.Kind.WEBHOOK else "",
                    since=at,
                    created_at=at,
                )


def point_channels(base_url: str, at: datetime) -> None:
    """Have the demo's channels lead to the page at `base_url`; send a test through Slack's.

    The others, but for the one that never works, get their last statement once more.
    """
    for slug, channels in CHANNELS.items():
        for endpoint in Endpoint.objects.filter(tenant__slug=slug).select_related("tenant"):
            for kind, label, receiver in channels:
                if (endpoint.kind, endpoint.label) == (kind, label):
                    path = reverse(f"demo:{receiver}", args=[endpoint.pk] if receiver == "hook" else [])
                    endpoint.sealed_url = seal(f"{base_url}{path}")
                    endpoint.save(update_fields=["sealed_url"])
                    if kind == Endpoint.Kind.SLACK:
                        send_test(endpoint, at)
                    elif receiver == "hook":
                        _send_newest(endpoint, at)


def _send_newest(endpoint: Endpoint, at: datetime) -> None:
    """Tell an endpoint of the last statement once more, so that its receiver has one to show."""
    told = Delivery.objects.filter(endpoint=endpoint, statement__isnull=False, status=Delivery.Status.SENT)
    newest = told.order_by("-created_at", "-pk").values("pk")[:1]
    again = {"status": Delivery.Status.WAITING, "attempts": 0, "due_at": at, "ended_at": None}
    Delivery.objects.filter(pk__in=newest).update(**again)


def stuck(waiting: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """The newest messages to the channel that never works: they are tried, and wait."""
    newest = waiting.filter(Q(endpoint__label=BROKEN)).order_by("-created_at", "-pk")
    return Delivery.objects.filter(pk__in=newest.values("pk")[:STUCK])


def slack_url(base_url: str) -> str:
    """Operations' own."""
    return f"{base_url}{reverse('demo:slack')}"
