"""The last refusals of a metric in a window: by hour while hours are kept, before that by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from tenants.models import Tenant
from usage.reports import dates
from usage.reports.counts import midnight
from usage.reports.meters import Meter
from usage.reports.windows import Window

MOST = 12
REFUSALS = """
SELECT hour, cause, sum(refused)::bigint, FALSE FROM usage_refusalhour
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s
AND hour >= GREATEST(%(starts)s, %(kept)s) AND hour < %(ends)s GROUP BY hour, cause
UNION ALL
SELECT day::timestamp AT TIME ZONE 'UTC', cause, refused, TRUE FROM usage_refusalday
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s
AND day >= (%(starts)s AT TIME ZONE 'UTC')::date AND day < (LEAST(%(kept)s, %(ends)s) AT TIME ZONE 'UTC')::date
ORDER BY 1 DESC, 2 LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """Refused requests of one cause in one hour, or on one day."""

    at: datetime
    is_day: bool
    when: str
    policy: str
    refused: int


def refused_in(tenant: Tenant, meter: Meter, window: Window, at: datetime) -> Sequence[RefusalRow]:
    """The newest of them; one query."""
    # The day on which hours begin to be dropped is told as a day.
    kept = midnight((at - settings.HEADROOM_KEEP_HOURS).astimezone(UTC).date() + timedelta(days=1))
    values: dict[str, int | datetime] = {
        "tenant": tenant.pk,
        "metric": meter.metric.pk,
        "starts": window.starts,
        "ends": window.ends,
        "kept": kept,
        "most": MOST,
    }
    policies = _policies(meter, is_now=window.ends > at)
    with connection.cursor() as cursor:
        cursor.execute(REFUSALS, values)
        return tuple(
            RefusalRow(then, is_day, _when(then, at, is_day=is_day), policies.get(cause, cause), refused)
            for then, cause, refused, is_day in cursor
        )


def _when(then: datetime, at: datetime, *, is_day: bool) -> str:
    if is_day:
        return _("%(day)s (UTC)") % {"day": dates.weekday(then.astimezone(UTC).date())}
    return dates.when(then, at)


def _policies(meter: Meter, *, is_now: bool) -> dict[str, str]:
    """What refused, in words; of a time that is over nobody says here which limit it was."""
    burst = meter.number(meter.limit.burst) if is_now and meter.limit.burst else ""
    return {
        "limit": _("limit %(size)s") % {"size": meter.size_text} if is_now else _("limit"),
        "cap": _("spend cap"),
        "burst": _("burst %(burst)s / min") % {"burst": burst} if burst else _("burst"),
    }
