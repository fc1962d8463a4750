"""What a channel is, and how it says that a message did not get through."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.models import Delivery


class Failure(Exception):
    """It did not get through; `status` is the HTTP status of the answer, where there was one."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Retry(Failure):
    """Not now: try again later, and not before `after` where the receiver asks for that."""

    def __init__(self, reason: str, after: timedelta | None = None, *, status: int | None = None) -> None:
        super().__init__(reason, status=status)
        self.after = after


class Unreachable(Retry):
    """The channel itself is away: nothing else will get through it now either."""


class GiveUp(Failure):
    """Never: the receiver will not take this message, however often it is sent."""


class Gone(GiveUp):
    """The receiver wants no message any more: its endpoint is to be disabled."""


class Channel(Protocol):
    """One way to tell people. A new one is one file and one line in `channels/__init__.py`."""

    name: str

    @property
    def deadline(self) -> timedelta:
        """The longest that one `send` can take; nobody else takes the delivery before that is over."""

    def send(self, delivery: Delivery, message: Message | Note) -> int | None:
        """Tell `message` to the delivery's target or endpoint, or raise Retry, Unreachable, GiveUp or Gone.

        Returns the HTTP status of the answer, where the channel has such a thing.
        """

    def close(self) -> None:
        """Let go of connections; the channel is not used again."""
