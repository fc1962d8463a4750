"""The days a page looks at: the current period, the one before, or the last 30 or 60 days; UTC days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from billing.periods import Period
from usage.reports import dates

WINDOWS = ("period", "previous", "30d", "60d")


@dataclass(frozen=True, slots=True)
class Window:
    """Days from `first` to before `until`; `period` where they are one."""

    code: str
    first: date
    until: date
    period: Period | None

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.until - self.first).days)]

    @property
    def text(self) -> str:
        return dates.days(self.first, self.until - timedelta(days=1))


def window_of(period: Period, before: Period, code: str, at: datetime) -> Window:
    """The window of this code; what is unknown shows the current period."""
    tomorrow = at.astimezone(UTC).date() + timedelta(days=1)
    if code == "previous":
        return Window(code, before.first, before.until, before)
    if code in ("30d", "60d"):
        return Window(code, tomorrow - timedelta(days=int(code[:-1])), tomorrow, None)
    return Window("period", period.first, period.until, period)
