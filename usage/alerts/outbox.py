"""The notification queue: rows in PostgreSQL that workers take, send and mark; Celery only rings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta

from celery import current_app
from django.db import transaction
from django.db.models import QuerySet
from kombu.exceptions import OperationalError

from usage.alerts.channels import CHANNELS
from usage.alerts.channels.base import Channel, GiveUp, Retry, Unreachable
from usage.alerts.messages import message_of
from usage.alerts.routes import receivers
from usage.models import Alert, Delivery

logger = logging.getLogger(__name__)

# Seconds from one attempt to the next, the first at once; after the last the delivery is given up.
SCHEDULE = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
GRACE = timedelta(seconds=10)  # that a lease outlasts its channel's deadline: clocks of workers differ
LONGEST_ERROR = Delivery._meta.get_field("error").max_length
RING_EXPIRES = 30  # seconds; beat has rung again by then


def put(news: Sequence[tuple[Alert, bool]], at: datetime) -> int:
    """Queue alerts (with whether each is urgent) for all who are to hear of them; returns how many deliveries.

    Call it in the transaction that wrote the alerts.
    """
    known = receivers({alert.tenant_id for alert, _ in news})
    rows = [
        Delivery(alert=alert, channel=route.channel, target=route.target, due_at=at, created_at=at)
        for alert, is_urgent in news
        for route in known.of(alert.tenant_id, is_urgent=is_urgent)
    ]
    if rows:
        Delivery.objects.bulk_create(rows)
        transaction.on_commit(ring)
    return len(rows)


def ring() -> None:
    """Tell a worker that something is due; where the broker is away beat finds it in the table."""
    try:
        current_app.send_task("usage.tasks.deliver", retry=False, expires=RING_EXPIRES)
    except OperationalError as error:
        logger.warning("The broker could not be told of new deliveries: %s", error)


def deliver_due(at: datetime, limit: int = 100, *, clock: Callable[[], float] = time.monotonic) -> int:
    """Try up to `limit` deliveries that are due, one after the other; returns how many got through.

    Any number of these may run at once. `clock` counts seconds, so that each lease begins when it is taken.
    """
    started, delivered = clock(), 0

    def now() -> datetime:
        return at + timedelta(seconds=clock() - started)

    with ExitStack() as stack:
        channels = {name: stack.enter_context(closing(make())) for name, make in CHANNELS.items()}
        for _ in range(limit):
            delivery = _claim(now(), channels)
            if delivery is None:
                break
            try:
                _send(delivery, channels[delivery.channel])
            except GiveUp as error:
                _end(delivery, Delivery.Status.DEAD, now(), str(error))
            except Retry as error:
                if isinstance(error, Unreachable):
                    del channels[delivery.channel]
                _postpone(delivery, now(), error)
            else:
                _end(delivery, Delivery.Status.SENT, now())
                delivered += 1
    return delivered


@transaction.atomic(durable=True)  # a lease that could be rolled back would be no lease
def _claim(at: datetime, channels: Mapping[str, Channel]) -> Delivery | None:
    """Lease the delivery that is due the longest; one at a time, so that the lease covers one send."""
    waiting = Delivery.objects.due(at).filter(channel__in=channels)
    rows = waiting.select_related("alert__tenant", "alert__metric", "alert__plan")
    delivery = rows.select_for_update(skip_locked=True, of=("self",)).first()
    if delivery:
        delivery.attempts += 1
        delivery.due_at = at + channels[delivery.channel].deadline + GRACE
        delivery.save(update_fields=["attempts", "due_at"])
    return delivery


def _send(delivery: Delivery, channel: Channel) -> None:
    if delivery.attempts > len(SCHEDULE):  # it was never marked: its workers died, perhaps of it
        raise GiveUp("Every attempt ended without an answer.")
    channel.send(delivery, message_of(delivery.alert))


def _postpone(delivery: Delivery, at: datetime, error: Retry) -> None:
    """Wait for the next attempt, each delivery a little differently, or give up after the last."""
    if delivery.attempts >= len(SCHEDULE):
        _end(delivery, Delivery.Status.DEAD, at, str(error))
        return
    wait = timedelta(seconds=SCHEDULE[delivery.attempts]) * (1 + delivery.pk.int % 100 / 1000)
    wait = max(wait, error.after or timedelta())
    _mine(delivery).update(due_at=at + wait, error=_short(str(error)))


def _end(delivery: Delivery, status: Delivery.Status, at: datetime, error: str = "") -> None:
    """Mark as delivered, whoever holds the lease by now; as dead only while it is still ours."""
    rows = Delivery.objects.filter(pk=delivery.pk) if status == Delivery.Status.SENT else _mine(delivery)
    rows.update(status=status, ended_at=at, error=_short(error))
    if status == Delivery.Status.DEAD:
        logger.warning("Delivery %s by %s was given up: %s", delivery.pk, delivery.channel, _short(error))


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, while no other worker has taken it: each taking raises `attempts`."""
    return Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.WAITING, attempts=delivery.attempts)


def _short(error: str) -> str:
    """One line that fits its column."""
    return " ".join(error.split())[:LONGEST_ERROR]
