"""Whether this process can do its work: PostgreSQL and Redis answer, and the flush keeps up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError

from usage import heartbeats
from usage.metering import redis_answers

LATE = timedelta(seconds=30)  # a flush that comes later is stuck, not busy


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is wrong with each part, empty where nothing is; `lag` is how far PostgreSQL is behind Redis."""

    postgresql: str
    redis: str
    flush: str
    lag: timedelta | None

    @property
    def is_ready(self) -> bool:
        return not (self.postgresql or self.redis or self.flush)


def readiness(at: datetime) -> Readiness:
    """Asks both servers; Redis within HEADROOM_REDIS_DEADLINE, PostgreSQL as long as a connection may take."""
    redis = "" if redis_answers() else "Redis does not answer: see REDIS_URL."
    try:
        lag = heartbeats.lag(at)
    except (DatabaseError, InterfaceError) as error:
        return Readiness(f"PostgreSQL does not answer: {_first_line(error)}", redis, "unknown", None)
    return Readiness("", redis, _flush(lag), lag)


def _flush(lag: timedelta | None) -> str:
    if lag is None:
        return "Nothing was ever flushed: start a Celery worker for the queue “flush”, and beat."
    if lag > LATE:
        return f"The last flush was {lag.total_seconds():.0f} s ago: see the worker of the queue “flush”."
    return ""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
