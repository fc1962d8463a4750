"""Tells operations by a line in the staff inbox."""

from __future__ import annotations

from datetime import timedelta

from usage.alerts.channels.base import GiveUp
from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.models import Delivery, Notice

LONGEST = Notice._meta.get_field("text").max_length


class Inbox:
    """Writes the notice of a delivery, once however often it is sent."""

    name = "inbox"
    deadline = timedelta(seconds=10)

    def send(self, delivery: Delivery, message: Message | Note) -> None:
        if isinstance(message, Note):
            raise GiveUp("Only alerts come into the inbox.")
        Notice.objects.get_or_create(
            delivery=delivery,
            defaults={
                "tenant": message.tenant,
                "kind": Notice.Kind.ALERT,
                "text": f"{message.headline} {message.next}"[:LONGEST],
                "at": message.at,
            },
        )

    def close(self) -> None:
        """It holds no connection of its own."""
