"""Writes what a demo tenant did while nobody watched, as ledger rows whose sums agree.

Only what is missing up to where the customer should stand is added, under a new epoch: so it can run beside live
counts, and a second time it adds what happened since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from django.db.models import Max

from billing.entitlements import Limit, entitlements
from billing.models import Metric
from billing.periods import period_at
from demo.cast import Customer
from demo.chapters import Chapter, add_level, add_members, add_sum
from demo.goals import TYPICAL_HOURS, Span, missing
from demo.telling import tell
from tenants.models import Tenant
from usage.metering import ledger
from usage.metering.ledger import NOTHING, Totals
from usage.models import LevelHour, RefusalHour, UsageHour

DAYS = 60
HOUR = timedelta(hours=1)
REFUSED_CALLS = "api_calls"  # what a customer that ran out has run out of


def write_history(tenant: Tenant, customer: Customer, at: datetime) -> datetime | None:
    """Write what is missing up to `at` and tell its alerts; returns when the tenant was last active, if it ever was.

    Call it in a transaction.
    """
    last = _last_hour(tenant)
    if not customer.is_new and (last is None or not customer.asleep):
        epoch = 0
        for span in _spans(tenant, customer, last, at):
            epoch = epoch or ledger.new_epoch()
            _write(tenant, customer, span, epoch, at)
            last = span.hours[-1]
    return None if last is None else min(at, last + HOUR)


def _last_hour(tenant: Tenant) -> datetime | None:
    """The last hour of which anything is known."""
    tables = (UsageHour, LevelHour, RefusalHour)
    known = [table.objects.filter(tenant=tenant).aggregate(last=Max("hour"))["last"] for table in tables]
    return max(filter(None, known), default=None)


def _spans(tenant: Tenant, customer: Customer, last: datetime | None, at: datetime) -> Iterator[Span]:
    """The hours after `last`, at most 60 days and the one of `at` included, period by period."""
    ends = at - timedelta(days=customer.asleep)
    hour = max(filter(None, (at - timedelta(days=DAYS), last and last + HOUR)))
    hour = hour.replace(minute=0, second=0, microsecond=0)
    hours = [hour + n * HOUR for n in range(max(0, (ends - hour) // HOUR + 1))]
    periods = [(period, list(those)) for period, those in groupby(hours, partial(period_at, tenant))]
    today = period_at(tenant, at)
    later = len(periods) if periods and periods[-1][0] != today else len(periods) - 1
    for number, (period, those) in enumerate(periods):
        yield Span(period, those, back=later - number, is_first=last is None)


def _write(tenant: Tenant, customer: Customer, span: Span, epoch: int, at: datetime) -> None:
    """Write one span and tell what was crossed in it."""
    totals = ledger.totals([(tenant.pk, span.period.first)])
    chapter = Chapter(tenant, customer, span, epoch)
    for limit in entitlements(tenant, span.hours[-1]).limits.values():
        _add(chapter, limit, totals, at)
    ledger.make_partitions({ledger.month_of(hour) for hour in span.hours})
    ledger.keep(chapter.rows)
    tell(chapter, totals, at)


def _add(chapter: Chapter, limit: Limit, totals: Totals, at: datetime) -> None:
    known = totals.get((chapter.tenant.pk, limit.metric.pk), NOTHING)
    units = missing(chapter.customer, limit, chapter.span, known.used)
    match limit.metric.kind:
        case Metric.Kind.SUM:
            hours, later = _split(chapter, limit, at)
            refused = (limit.size or 0) * len(later) // TYPICAL_HOURS
            if units or refused:
                add_sum(chapter, limit, units, hours, refused, later)
        case Metric.Kind.LEVEL if units:
            add_level(chapter, limit, units, known)
        case Metric.Kind.DISTINCT if units:
            add_members(chapter, limit, units, known.used)


def _split(chapter: Chapter, limit: Limit, at: datetime) -> tuple[Sequence[datetime], Sequence[datetime]]:
    """The hours until the calls ran out, at least one, and those after."""
    hours, days = chapter.span.hours, chapter.customer.ran_out
    if not days or chapter.span.back or limit.metric.code != REFUSED_CALLS:
        return hours, ()
    count = max(1, sum(hour < at - timedelta(days=days) for hour in hours))
    return hours[:count], hours[count:]
