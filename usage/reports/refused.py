"""The last refusals of a metric in a window: by hour while hours are kept, before that by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from usage.reports import dates
from usage.reports.counts import midnight
from usage.reports.meters import Meter
from usage.reports.windows import Window

MOST = 12
# what, time, cause, requests: of hours, and of days whose hours may have been dropped.
REFUSALS = """
SELECT 'refused_in_hour', hour, cause, sum(refused)::bigint FROM usage_refusalhour
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s
AND hour >= GREATEST(%(starts)s, %(hours_from)s) AND hour < %(until)s GROUP BY hour, cause
UNION ALL
SELECT 'refused_on_day', day::timestamp AT TIME ZONE 'UTC', cause, refused FROM usage_refusalday
WHERE tenant_id = %(tenant)s AND metric_id = %(metric)s AND day >= (%(starts)s AT TIME ZONE 'UTC')::date
AND day < (LEAST(%(hours_from)s, %(until)s) AT TIME ZONE 'UTC')::date
ORDER BY 2 DESC, 3 LIMIT %(most)s
"""


class Refused(NamedTuple):
    """Refused requests of one cause in the hour, or on the day, that begins at `at`."""

    at: datetime
    is_day: bool
    cause: str
    refused: int


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """The same in words."""

    at: datetime
    is_day: bool
    when: str
    policy: str
    refused: int


def refusal_values(window: Window, at: datetime) -> dict[str, int | datetime]:
    """What the statement above asks for besides tenant and metric."""
    # The day on which hours begin to be dropped is told as a day.
    hours_from = midnight((at - settings.HEADROOM_KEEP_HOURS).astimezone(UTC).date() + timedelta(days=1))
    return {"starts": window.starts, "until": window.ends, "hours_from": hours_from, "most": MOST}


def told(found: Sequence[Refused], meter: Meter, window: Window) -> tuple[RefusalRow, ...]:
    """What was found, newest first, for people."""
    policies = _policies(meter, is_now=window.ends > meter.at)
    return tuple(
        RefusalRow(
            one.at,
            one.is_day,
            _when(one.at, meter.at, is_day=one.is_day),
            policies.get(one.cause, one.cause),
            one.refused,
        )
        for one in sorted(found, key=lambda one: (-one.at.timestamp(), one.cause))
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
