"""Signs of life of the chores and of processes in an outage."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import connection, models

NOTE = """
INSERT INTO usage_heartbeat AS t (name, at, detail) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail WHERE t.at <= excluded.at
"""


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def note(self, name: str, at: datetime, detail: dict[str, Any]) -> None:
        """Write down that `name` ran at `at`, unless it has run since: two workers may finish out of order."""
        with connection.cursor() as cursor:
            cursor.execute(NOTE, [name, at, json.dumps(detail)])


class Heartbeat(models.Model):
    """What ran last: when, and what it says of that; one row for each chore, and for each process in an outage."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
