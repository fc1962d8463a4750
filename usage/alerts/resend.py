"""Tries again what was given up, when somebody has mended what was in its way."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from usage.alerts.outbox import ring
from usage.models import Delivery


@transaction.atomic
def resend(deliveries: QuerySet[Delivery], at: datetime) -> int:
    """Queue those of `deliveries` that were given up once more, from their first attempt; returns how many.

    They keep their ids, so that a receiver who had one after all knows it again.
    """
    given_up = Delivery.objects.filter(pk__in=deliveries.values("pk"), status=Delivery.Status.DEAD)
    channels = set(given_up.values_list("channel", flat=True))
    count = given_up.update(status=Delivery.Status.WAITING, attempts=0, due_at=at, ended_at=None, error="")
    transaction.on_commit(lambda: ring(channels))
    return count
