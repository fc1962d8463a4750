"""The UTC days or hours that a chart and its table are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from usage.reports import dates

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """One UTC day, or one hour of one: a bar of the chart and a row of the table."""

    starts: datetime
    is_hour: bool = False

    @property
    def on(self) -> date:
        return self.starts.date()

    @property
    def ends(self) -> datetime:
        return self.starts + (HOUR if self.is_hour else DAY)

    @property
    def key(self) -> str:
        """Its row's id: “day-2026-11-23”, “hour-2026-11-23-14”."""
        return f"hour-{self.starts:%Y-%m-%d-%H}" if self.is_hour else f"day-{self.on.isoformat()}"

    @property
    def iso(self) -> str:
        """What `<time datetime>` and files hold: “2026-11-23”, “2026-11-23T14:00:00Z”."""
        return f"{self.starts:%Y-%m-%dT%H:%M:%SZ}" if self.is_hour else self.on.isoformat()

    @property
    def text(self) -> str:
        """“Mon 23 Nov”, “Mon 23 Nov 14:00”."""
        written = dates.weekday(self.on)
        return f"{written} {self.starts:%H:%M}" if self.is_hour else written

    @property
    def dated(self) -> str:
        """The same with its year: “Mon 23 Nov 2026”, “Mon 23 Nov 2026 14:00”."""
        written = f"{dates.weekday(self.on)} {self.on.year}"
        return f"{written} {self.starts:%H:%M}" if self.is_hour else written


def days_between(first: date, until: date) -> tuple[Slot, ...]:
    """The days from `first` to before `until`."""
    begins = datetime.combine(first, time(), UTC)
    return tuple(Slot(begins + n * DAY) for n in range((until - first).days))


def hours_between(starts: datetime, ends: datetime) -> tuple[Slot, ...]:
    """The hours from one full hour to before another."""
    return tuple(_hours(starts.astimezone(UTC), ends))


def _hours(hour: datetime, ends: datetime) -> Iterator[Slot]:
    while hour < ends:
        yield Slot(hour, is_hour=True)
        hour += HOUR
