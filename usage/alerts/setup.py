"""Adds, tests, changes and removes the channels of a tenant."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta

from django.db import transaction

from tenants.models import Tenant, User
from usage.alerts.outbox import ring
from usage.alerts.routes import EMAIL
from usage.alerts.safe_http import checked
from usage.alerts.vault import seal
from usage.models import Delivery, Endpoint

ROTATION = timedelta(hours=24)  # that the secret before still signs
SECRET_BYTES = 32
MOST = 10  # channels of a tenant


class TooMany(Exception):
    """A tenant has as many channels as it may."""


@transaction.atomic
def add_endpoint(
    tenant: Tenant, *, kind: str, url: str, name: str, person: User | None, at: datetime
) -> tuple[Endpoint, str]:
    """A new channel, and the secret its messages are signed with, which is shown this once; empty for Slack.

    Raises Forbidden where the address may not be called, TooMany.
    """
    host = str(checked(url).hostname)
    Tenant.objects.select_for_update().get(pk=tenant.pk)  # so that two who add at once are counted
    if tenant.endpoints.count() >= MOST:
        raise TooMany(f"Remove a channel first: there are {MOST}.")
    secret = new_secret() if kind == Endpoint.Kind.WEBHOOK else ""
    endpoint = Endpoint.objects.create(
        tenant=tenant,
        kind=kind,
        label=(name or host)[:80],
        sealed_url=seal(url),
        sealed_secret=seal(secret),
        since=at,
        created_at=at,
        created_by=person,
    )
    return endpoint, secret


@transaction.atomic
def rotate(endpoint: Endpoint, at: datetime) -> str:
    """A new secret, shown this once; the one before signs beside it for a day."""
    row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    secret = new_secret()
    row.sealed_old_secret, row.sealed_secret = row.sealed_secret, seal(secret)
    row.old_secret_until = at + ROTATION
    row.save(update_fields=["sealed_old_secret", "sealed_secret", "old_secret_until"])
    return secret


@transaction.atomic
def remove(endpoint: Endpoint, at: datetime) -> None:
    """Send nothing there any more; what waits for it is given up, its log stays."""
    waiting = endpoint.deliveries.filter(status=Delivery.Status.WAITING, channel=endpoint.kind)
    waiting.update(status=Delivery.Status.DEAD, ended_at=at, error="The channel was removed.")
    endpoint.delete()


def send_test(endpoint: Endpoint, at: datetime) -> Delivery:
    """Queue a message that says it is a test; it counts as no alert, and mends a disabled channel if it arrives."""
    return _queue(endpoint.tenant, endpoint.kind, endpoint.label, at, endpoint)


def send_test_mail(tenant: Tenant, person: User, at: datetime) -> Delivery:
    """Queue a test to the person who asks for it."""
    return _queue(tenant, EMAIL, person.email, at, None)


def new_secret() -> str:
    """As Standard Webhooks wants it: a prefix and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


@transaction.atomic
def _queue(
    tenant: Tenant | None, channel: str, target: str, at: datetime, endpoint: Endpoint | None
) -> Delivery:
    delivery = Delivery.objects.create(
        kind=Delivery.Kind.TEST,
        tenant=tenant,
        endpoint=endpoint,
        channel=channel,
        target=target,
        due_at=at,
        created_at=at,
    )
    transaction.on_commit(lambda: ring([channel]))
    return delivery
