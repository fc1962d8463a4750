"""The notification queue: rows in PostgreSQL that workers take, send and mark; Celery only rings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta

from celery import current_app
from django.db import transaction
from django.db.models import QuerySet
from kombu.exceptions import OperationalError

from usage import heartbeats
from usage.alerts import upshot
from usage.alerts.channels import CHANNELS
from usage.alerts.channels.base import Channel, GiveUp, Gone, Retry, Unreachable
from usage.alerts.lanes import LANES, Lane
from usage.alerts.notes import words_of
from usage.alerts.routes import receivers
from usage.models import Alert, Delivery

logger = logging.getLogger(__name__)

# Seconds from one attempt to the next, the first at once; after the last the delivery is given up.
SCHEDULE = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
GRACE = timedelta(seconds=10)  # that a lease outlasts its channel's deadline: clocks of workers differ
LONGEST_ERROR = Delivery._meta.get_field("error").max_length
RING_EXPIRES = 30  # seconds; beat has rung again by then
QUEUE = "alerts"


def put(news: Sequence[tuple[Alert, bool]], at: datetime) -> int:
    """Queue alerts (with whether each is urgent) for all who are to hear of them; returns how many deliveries.

    Call it in the transaction that wrote the alerts.
    """
    known = receivers({alert.tenant_id for alert, _ in news}, at)
    rows = [
        Delivery(
            tenant_id=None if route.is_operations else alert.tenant_id,
            alert=alert,
            endpoint_id=route.endpoint or None,
            channel=route.channel,
            target=route.target,
            due_at=at,
            created_at=at,
        )
        for alert, is_urgent in news
        for route in known.of(alert, is_urgent=is_urgent)
    ]
    if rows:
        Delivery.objects.bulk_create(rows)
        channels = {row.channel for row in rows}
        transaction.on_commit(lambda: ring(channels))
    return len(rows)


def ring(channels: Iterable[str]) -> None:
    """Tell workers that something is due; where the broker is away beat finds it in the table."""
    wanted = set(channels)
    try:
        for name in (name for name, lane in LANES.items() if wanted & set(lane.channels)):
            current_app.send_task(
                "usage.tasks.deliver", [name], queue=QUEUE, retry=False, expires=RING_EXPIRES
            )
    except OperationalError as error:
        logger.warning("The broker could not be told of new deliveries: %s", error)


def work(name: str, at: datetime) -> int:
    """Work off a lane, unless this process has as many at it as there may be; returns how many got through."""
    lane = LANES[name]
    if not lane.slots.acquire(blocking=False):
        return 0
    try:
        begun = time.perf_counter()
        count = deliver_due(at, lanes=(lane,))
        heartbeats.beat("deliver", at, {"count": count, "ms": round((time.perf_counter() - begun) * 1000)})
        return count
    finally:
        lane.slots.release()


def deliver_due(
    at: datetime,
    limit: int = 100,
    *,
    lanes: Collection[Lane] = tuple(LANES.values()),
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Try up to `limit` deliveries that are due, one after the other; returns how many got through.

    Any number of these may run at once. `clock` counts seconds, so that each lease begins when it is taken.
    """
    started, delivered = clock(), 0

    def now() -> datetime:
        return at + timedelta(seconds=clock() - started)

    with ExitStack() as stack:
        channels = {name: stack.enter_context(closing(make())) for name, make in CHANNELS.items()}
        for lane in lanes:
            while limit and (delivery := _claim(now(), lane, channels)):
                limit -= 1
                delivered += _try(delivery, channels, now)
    return delivered


@transaction.atomic(durable=True)  # a lease that could be rolled back would be no lease
def _claim(at: datetime, lane: Lane, channels: Mapping[str, Channel]) -> Delivery | None:
    """Lease the delivery that is due the longest; one at a time, so that the lease covers one send."""
    delivery = lane.due(at, channels).first()
    if delivery:
        delivery.attempts += 1
        delivery.due_at = at + channels[delivery.channel].deadline + GRACE
        delivery.tried_at = at
        delivery.save(update_fields=["attempts", "due_at", "tried_at"])
        if delivery.endpoint and upshot.is_call(delivery):
            delivery.endpoint.taken_until = delivery.due_at
            delivery.endpoint.save(update_fields=["taken_until"])
    return delivery


def _try(delivery: Delivery, channels: dict[str, Channel], now: Callable[[], datetime]) -> bool:
    """Send, and write down what came of it; True if it got through. A channel that is away is taken out."""
    try:
        status = _send(delivery, channels[delivery.channel])
    except GiveUp as error:
        _give_up(delivery, now(), error)
    except Retry as error:
        if isinstance(error, Unreachable):
            del channels[delivery.channel]
        _postpone(delivery, now(), error)
    else:
        _end(delivery, Delivery.Status.SENT, now(), answer=status)
        return True
    return False


def _send(delivery: Delivery, channel: Channel) -> int | None:
    if delivery.attempts > len(SCHEDULE):  # it was never marked: its workers died, perhaps of it
        raise GiveUp("Every attempt ended without an answer.")
    return channel.send(delivery, words_of(delivery))


def _give_up(delivery: Delivery, at: datetime, error: GiveUp) -> None:
    reason = _short(str(error))
    _end(delivery, Delivery.Status.DEAD, at, reason, answer=error.status)
    if isinstance(error, Gone):
        if upshot.gone(delivery, at, reason):
            ring(["email"])
    elif upshot.is_call(delivery):
        upshot.failed(delivery, at, reason)


def _postpone(delivery: Delivery, at: datetime, error: Retry) -> None:
    """Wait for the next attempt, each delivery a little differently, or give up after the last."""
    reason, asked = _short(str(error)), error.after or timedelta()
    wait = timedelta(seconds=SCHEDULE[min(delivery.attempts, len(SCHEDULE) - 1)])
    wait = max(wait * (1 + delivery.pk.int % 100 / 1000), asked)
    if delivery.attempts >= len(SCHEDULE) or delivery.kind == Delivery.Kind.TEST:
        _end(delivery, Delivery.Status.DEAD, at, reason, answer=error.status)
    else:
        _mine(delivery).update(due_at=at + wait, error=reason, **_measured(delivery, at, error.status))
    if upshot.is_call(delivery):
        upshot.failed(delivery, at, reason, rest=upshot.rest_after(wait, error.after))


def _end(
    delivery: Delivery,
    status: Delivery.Status,
    at: datetime,
    error: str = "",
    *,
    answer: int | None = None,
) -> None:
    """Mark as delivered, whoever holds the lease by now; as dead only while it is still ours."""
    is_sent = status == Delivery.Status.SENT
    rows = Delivery.objects.filter(pk=delivery.pk) if is_sent else _mine(delivery)
    rows.update(status=status, ended_at=at, error=_short(error), **_measured(delivery, at, answer))
    if not is_sent:
        logger.warning("Delivery %s by %s was given up: %s", delivery.pk, delivery.channel, _short(error))
    elif upshot.is_call(delivery):
        upshot.worked(delivery, at)


def _measured(delivery: Delivery, at: datetime, answer: int | None) -> dict[str, int | None]:
    """What the log says of an attempt."""
    took = at - (delivery.tried_at or at)
    return {"answer": answer, "took_ms": took // timedelta(milliseconds=1)}


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, while no other worker has taken it: each taking raises `attempts`."""
    return Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.WAITING, attempts=delivery.attempts)


def _short(error: str) -> str:
    """One line that fits its column."""
    return " ".join(error.split())[:LONGEST_ERROR]
