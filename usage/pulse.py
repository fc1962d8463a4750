"""Connects Celery's own signals: beat leaves a sign of life, a worker process hands over what it holds."""

from __future__ import annotations

from typing import Any

from celery.signals import after_task_publish, beat_init, worker_process_shutdown
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from usage import heartbeats
from usage.metering import outage

BEAT = "beat"


@beat_init.connect(weak=False)
def follow_beat(**_: Any) -> None:
    """In beat's own process every task that is handed to the broker is a sign of life; its start is kept too."""
    after_task_publish.connect(tell_of_beat, weak=False)
    _tell(heartbeats.STARTED)


def tell_of_beat(**_: Any) -> None:
    _tell(BEAT)


def _tell(name: str) -> None:
    try:
        heartbeats.beat(name, timezone.now())
    except (OperationalError, InterfaceError):
        connection.close()  # beat goes on ringing; the next task tells


@worker_process_shutdown.connect(weak=False)
def hand_over(**_: Any) -> None:
    """Celery's processes end without running what Python has to do at exit."""
    outage.hand_over()
