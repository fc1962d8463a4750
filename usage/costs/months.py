"""Calendar months in UTC, as providers bill them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from usage.metering.ledger import month_of, next_month


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, named by its first day; `until` is the next one's."""

    first: date

    @property
    def until(self) -> date:
        return next_month(self.first)

    @property
    def starts(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends(self) -> datetime:
        return datetime.combine(self.until, time(), UTC)

    def is_over(self, at: datetime) -> bool:
        return at >= self.ends


def month_at(at: datetime) -> Month:
    """The month that `at` lies in."""
    return Month(month_of(at))
