"""Writes counts into the ledger as the flush would, for tests that read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from billing.models import Metric
from billing.periods import period_at
from tenants.models import Tenant
from usage.metering.ledger import Counts, keep, make_partitions, month_of
from usage.models import UsagePeriod

NOW = datetime(2026, 11, 23, 14, 2, 10, tzinfo=UTC)


def ago(**length: int) -> datetime:
    """A time before NOW."""
    return NOW - timedelta(**length)


def use(
    tenant: Tenant, code: str, units: int, *, at: datetime = NOW, label: str = "GET /ping", epoch: int = 1
) -> None:
    """`units` of a sum were used in the hour of `at`; once for each hour, label and epoch."""
    metric, hour = Metric.objects.get(code=code), _hour(at)
    keep(Counts(hours=[(tenant.pk, metric.pk, hour, label, epoch, units)]))
    _add_to_period(tenant, metric, at, epoch, used=units)


def use_daily(tenant: Tenant, code: str, units: int, *, days: int, at: datetime = NOW) -> None:
    """`units` of a sum were used on each of the days before that of `at`."""
    metric, totals = Metric.objects.get(code=code), dict[date, int]()
    hours = [_floor(at) - timedelta(days=back + 1) for back in range(days)]
    make_partitions({month_of(hour) for hour in hours})
    for hour in hours:
        period = period_at(tenant, hour).first
        totals[period] = totals.get(period, 0) + units
    keep(
        Counts(
            hours=[(tenant.pk, metric.pk, hour, "GET /ping", 1, units) for hour in hours],
            periods=[(tenant.pk, metric.pk, period, 1, used, 0) for period, used in totals.items()],
        )
    )


def refuse(tenant: Tenant, code: str, refused: int, *, at: datetime = NOW, cause: str = "limit") -> None:
    """So many requests were refused in the hour of `at`."""
    metric, hour = Metric.objects.get(code=code), _hour(at)
    keep(Counts(refusals=[(tenant.pk, metric.pk, hour, cause, 1, refused)]))
    _add_to_period(tenant, metric, at, 1, refused=refused)


def see(tenant: Tenant, *members: str, at: datetime = NOW, code: str = "users") -> None:
    """Members were first seen in the hour of `at`."""
    metric, period = Metric.objects.get(code=code), period_at(tenant, at).first
    keep(
        Counts(
            members=[(tenant.pk, metric.pk, period, member) for member in members],
            hours=[(tenant.pk, metric.pk, _hour(at), "POST /sessions", 1, len(members))],
        )
    )


def move(
    tenant: Tenant, *, added: int, removed: int = 0, closing: int, at: datetime = NOW, epoch: int = 1
) -> None:
    """Storage moved in the hour of `at` and closed it at `closing`; added and removed are the epoch's so far."""
    metric = Metric.objects.get(code="storage")
    keep(
        Counts(
            levels=[(tenant.pk, metric.pk, epoch, added, removed)],
            level_hours=[
                (tenant.pk, metric.pk, _hour(at), epoch, added, removed, closing + removed, closing)
            ],
        )
    )


def _add_to_period(
    tenant: Tenant, metric: Metric, at: datetime, epoch: int, *, used: int = 0, refused: int = 0
) -> None:
    """Totals are absolute within their epoch: what was there before is added."""
    period = period_at(tenant, at).first
    row = UsagePeriod.objects.filter(tenant=tenant, metric=metric, period=period, epoch=epoch).first()
    if row:
        used, refused = used + row.used, refused + row.refused
    keep(Counts(periods=[(tenant.pk, metric.pk, period, epoch, used, refused)]))


def _hour(at: datetime) -> datetime:
    hour = _floor(at)
    make_partitions([month_of(hour)])
    return hour


def _floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
