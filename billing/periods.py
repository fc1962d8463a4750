"""A tenant's billing months: UTC, from its anchor day, named by their first day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tenants.anchors import period_of
from tenants.models import Tenant


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time from `first` to `until`, both at 00:00 UTC, `until` excluded."""

    first: date
    until: date

    def __str__(self) -> str:
        return self.first.isoformat()

    @property
    def starts(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends(self) -> datetime:
        return datetime.combine(self.until, time(), UTC)

    @property
    def last_day(self) -> date:
        return self.until - timedelta(days=1)

    @property
    def days(self) -> int:
        return (self.until - self.first).days

    @property
    def seconds(self) -> int:
        return self.days * 86_400

    def elapsed(self, at: datetime) -> float:
        """The share of the period that is over at `at`, 0 to 1."""
        return min(1.0, max(0.0, (at - self.starts).total_seconds() / self.seconds))


def period_at(tenant: Tenant, at: datetime) -> Period:
    """The tenant's period that `at` lies in."""
    return Period(*period_of(tenant, at))


def period_after(tenant: Tenant, period: Period) -> Period:
    """The period that follows `period`."""
    return period_at(tenant, period.ends)


def period_before(tenant: Tenant, period: Period) -> Period:
    """The period that precedes `period`."""
    return period_at(tenant, period.starts - timedelta(seconds=1))
