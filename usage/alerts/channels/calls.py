"""One message to an endpoint over HTTP, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from usage.alerts.channels.base import GiveUp, Retry
from usage.alerts.safe_http import DEADLINE, Answer, Forbidden, NoAnswer, post
from usage.alerts.vault import Shut
from usage.models import Delivery, Endpoint

CALL_DEADLINE = timedelta(seconds=DEADLINE)
LONGEST_WAIT = timedelta(days=1)  # whatever the receiver asks for


def endpoint_of(delivery: Delivery) -> Endpoint:
    """Where a delivery goes; raises GiveUp where that was removed."""
    if delivery.endpoint is None:
        raise GiveUp("The channel was removed.")
    return delivery.endpoint


def call(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """What was answered; raises Retry where nothing was, GiveUp where nothing may be sent."""
    try:
        return post(url, body, headers)
    except Forbidden as error:
        raise GiveUp(str(error)) from error
    except NoAnswer as error:
        raise Retry(str(error)) from error


def opened(sealed: Endpoint) -> str:
    """The address of an endpoint; raises GiveUp where it can't be read."""
    try:
        return sealed.url
    except Shut as error:
        raise GiveUp(f"The address: {error}") from error


def refused(answer: Answer, at: datetime) -> Retry:
    """An answer that is no success, as something to try again."""
    words = f"{answer.status} {answer.reason}".strip()
    return Retry(words, _wait(answer.retry_after, at), status=answer.status)


def _wait(header: str, at: datetime) -> timedelta | None:
    """How long `Retry-After` asks to wait: seconds, or a date; none where it says nothing one can read."""
    header = header.strip()
    if header.isascii() and header.isdecimal():
        return min(timedelta(seconds=int(header[:6])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(timedelta(), min(until - at, LONGEST_WAIT))
