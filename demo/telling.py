"""Tells history's alerts at the times they belong to, as if they had been delivered then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F, Q

from billing.entitlements import Entitlements, Limit, entitlements
from demo.chapters import Chapter
from demo.doors import stuck
from demo.rhythm import dice
from tenants.models import User
from usage.alerts.channels.inbox import Inbox
from usage.alerts.messages import message_of
from usage.alerts.thresholds import DEFAULT_PERCENTS, Reading, judge
from usage.metering.ledger import NOTHING, Totals
from usage.models import Delivery, Notice

ON_ITS_WAY = timedelta(seconds=2)
SEEN_AFTER = timedelta(hours=20)  # operations look at their inbox once a day


class Moment(NamedTuple):
    """What stood, by metric code, when an hour was over in which something was crossed."""

    hour: datetime
    used: Mapping[str, int]
    refused: Mapping[str, int]


def tell(chapter: Chapter, totals: Totals, at: datetime) -> None:
    """Judge at each moment something was crossed, by the rules of live counts; `totals` are those before."""
    rights = entitlements(chapter.tenant, chapter.span.hours[-1])
    for moment in _moments(chapter, rights, totals):
        minute = timedelta(minutes=dice(chapter.tenant.slug, moment.hour).randint(0, 59))
        then = min(at, moment.hour + minute)
        judge([Reading(chapter.tenant, rights, moment.used, moment.refused)], then)


def deliver_history(tenant_ids: list[int], staff: User, at: datetime) -> None:
    """Mark alerts and statements told before `at` as delivered then; operations have seen all but the latest.

    What goes to the channel that never works waits.
    """
    theirs = Q(alert__tenant__in=tenant_ids) | Q(statement__tenant__in=tenant_ids)
    waiting = Delivery.objects.filter(theirs, status=Delivery.Status.WAITING, attempts=0)
    waiting = waiting.exclude(pk__in=list(stuck(waiting).values_list("pk", flat=True)))
    told = waiting.filter(created_at__lte=at).select_related("alert__tenant", "alert__metric", "alert__plan")
    inbox = Inbox()
    for delivery in told.filter(channel=Inbox.name):
        if (alert := delivery.alert) is not None:
            inbox.send(delivery, message_of(alert))
    notices = Notice.objects.filter(delivery__in=told, at__lte=at - SEEN_AFTER)
    notices.update(seen_at=F("at") + SEEN_AFTER, seen_by=staff)
    told.update(status=Delivery.Status.SENT, attempts=1, ended_at=F("created_at") + ON_ITS_WAY)


def _moments(chapter: Chapter, rights: Entitlements, totals: Totals) -> Iterator[Moment]:
    known = {
        code: totals.get((chapter.tenant.pk, limit.metric.pk), NOTHING)
        for code, limit in rights.limits.items()
    }
    used = {code: total.used for code, total in known.items()}
    refused = {code: total.refused for code, total in known.items()}
    passed = None  # so that a period's first hour is judged: levels carry over
    for hour in chapter.span.hours:
        for code in used:
            used[code] += chapter.moves.get(code, {}).get(hour, 0)
            refused[code] += chapter.refused.get(code, {}).get(hour, 0)
        lines = [_passed(limit, used[code], refused[code]) for code, limit in rights.limits.items()]
        if lines != passed:
            yield Moment(hour, dict(used), dict(refused))
        passed = lines


def _passed(limit: Limit, used: int, refused: int) -> tuple[int, bool, bool]:
    """Which of a metric's lines lie behind it."""
    thresholds = sum(used * 100 >= percent * limit.size for percent in DEFAULT_PERCENTS) if limit.size else 0
    return thresholds, limit.included is not None and used > limit.included, refused > 0
