"""Tries again what failed, when somebody has mended what was in its way."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from usage.alerts.lanes import CALLS
from usage.alerts.outbox import ring
from usage.models import Delivery, Endpoint


@transaction.atomic
def resend(deliveries: QuerySet[Delivery], at: datetime) -> int:
    """Try those of `deliveries` again now: what was given up from its first attempt, what waits ahead of its time.

    They keep their ids, so that a receiver who had one after all knows it again. Returns how many.
    """
    rows = Delivery.objects.filter(pk__in=deliveries.values("pk"))
    dead = rows.filter(status=Delivery.Status.DEAD).exclude(channel__in=CALLS, endpoint=None)
    # Whose endpoint is taken may be on its way this moment.
    waiting = rows.filter(status=Delivery.Status.WAITING, attempts__gt=0, endpoint__taken_until=None)
    waiting = waiting.exclude(endpoint=None)
    chosen = dict(dead.values_list("pk", "channel")) | dict(waiting.values_list("pk", "channel"))
    channels = set(chosen.values())
    Endpoint.objects.filter(deliveries__in=list(chosen), taken_until=None).update(rests_until=None)
    waiting.update(due_at=at)
    dead.update(status=Delivery.Status.WAITING, attempts=0, due_at=at, ended_at=None, error="")
    transaction.on_commit(lambda: ring(channels))
    return len(chosen)
