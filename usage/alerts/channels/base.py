"""What a channel is, and how it says that a message did not get through."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from usage.alerts.messages import Message
from usage.models import Delivery


class Retry(Exception):
    """Not now: try again later, and not before `after` where the receiver asks for that."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Unreachable(Retry):
    """The channel itself is away: nothing else will get through it now either."""


class GiveUp(Exception):
    """Never: the receiver will not take this message, however often it is sent."""


class Channel(Protocol):
    """One way to tell people. A new one is one file and one line in `channels/__init__.py`."""

    name: str

    @property
    def deadline(self) -> timedelta:
        """The longest that one `send` can take; nobody else takes the delivery before that is over."""

    def send(self, delivery: Delivery, message: Message) -> None:
        """Tell `message` to `delivery.target`, or raise Retry, Unreachable or GiveUp."""

    def close(self) -> None:
        """Let go of connections; the channel is not used again."""
