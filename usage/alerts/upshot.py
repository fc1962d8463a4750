"""What an attempt says about its endpoint: that it works, fails, or wants no message any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When

from usage.alerts.lanes import CALLS
from usage.alerts.routes import Receivers, Route, receivers
from usage.models import Delivery, Endpoint

# An endpoint that could not be reached rests as long as the message that found out, but new ones need not wait longer.
LONGEST_REST = timedelta(minutes=5)
SLOW = timedelta(seconds=2)  # from here on an endpoint is in the way of those that aren't
State = Endpoint.State


def worked(delivery: Delivery, at: datetime) -> None:
    """It took a message: whatever was wrong with it is over."""
    _taken(delivery).exclude(state=State.WORKING).update(state=State.WORKING, reason="", since=at)
    is_slow = at - (delivery.tried_at or at) > SLOW
    _taken(delivery).update(taken_until=None, rests_until=None, is_slow=is_slow)


def failed(delivery: Delivery, at: datetime, reason: str, *, rest: timedelta = timedelta()) -> None:
    """It did not; for `rest` nothing else is sent there either, so that its queue costs one try at a time."""
    until = at + rest
    rows = _taken(delivery).exclude(state=State.DISABLED)
    since = Case(When(state=State.WORKING, then=Value(at)), default=F("since"))
    rows.update(state=State.FAILING, reason=reason, since=since)
    if _taken(delivery).update(taken_until=None, rests_until=until):
        waiting = Delivery.objects.filter(
            endpoint=delivery.endpoint_id, channel=delivery.channel, due_at__lt=until
        )
        waiting.filter(status=Delivery.Status.WAITING).exclude(pk=delivery.pk).update(due_at=until)


@transaction.atomic
def gone(delivery: Delivery, at: datetime, reason: str) -> bool:
    """Disable it, give up what waits for it, and tell who owns it; False where that was done before."""
    rows = _taken(delivery)
    is_news = rows.exclude(state=State.DISABLED).update(state=State.DISABLED, reason=reason, since=at)
    rows.update(taken_until=None, rests_until=None)
    if not is_news:
        return False
    waiting = Delivery.objects.filter(
        endpoint=delivery.endpoint_id, channel=delivery.channel, status=Delivery.Status.WAITING
    )
    waiting.exclude(pk=delivery.pk).exclude(kind=Delivery.Kind.TEST).update(
        status=Delivery.Status.DEAD, ended_at=at, error="The channel was disabled before this was sent."
    )
    known = receivers([delivery.tenant_id] if delivery.tenant_id else [], at)
    Delivery.objects.bulk_create(
        Delivery(
            kind=Delivery.Kind.DISABLED,
            tenant_id=None if route.is_operations else delivery.tenant_id,
            endpoint_id=delivery.endpoint_id,
            channel=route.channel,
            target=route.target,
            due_at=at,
            created_at=at,
        )
        for route in _owners(known, delivery.tenant_id)
    )
    return True


def rest_after(wait: timedelta, asked: timedelta | None) -> timedelta:
    """How long an endpoint rests after a message that waits for `wait`; as long as it asked for, if it did."""
    return max(min(wait, LONGEST_REST), asked or timedelta())


def is_call(delivery: Delivery) -> bool:
    """Whether a delivery goes to an endpoint, and so says something about it."""
    return delivery.channel in CALLS and delivery.endpoint_id is not None


def _owners(known: Receivers, tenant_id: int | None) -> list[Route]:
    return known.mail_of(tenant_id) if tenant_id else known.operations_mail


def _taken(delivery: Delivery) -> QuerySet[Endpoint]:
    """The endpoint, while no other worker has taken it since: the lease is the delivery's."""
    held = Endpoint.objects.filter(taken_until=delivery.due_at)
    return held.filter(pk=delivery.endpoint_id) if delivery.endpoint_id else held.none()
