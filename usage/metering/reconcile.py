"""Makes Redis, the totals and the hours agree again where they do not: what is behind is raised, none lowered."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import redis
from django.db import transaction
from django.db.models import F, Q

from billing.periods import Period, period_at
from tenants.models import Tenant
from usage.heartbeats import RECONCILE
from usage.metering import accounts, evidence, keys, ledger, scripts
from usage.metering.audit import Audit, Gap, Place, audit, described
from usage.metering.flush import flush
from usage.metering.ledger import Counts
from usage.metering.standings import restand
from usage.models import Heartbeat

logger = logging.getLogger(__name__)

TENANTS = 500  # compared at once
LATELY = timedelta(days=1)  # who used something is compared each time, the others in turns
TURNS = 144
STILL_HELD = 4  # hours back that Redis may hold: see flush.HOUR_KEPT
RUNS = 5  # that are remembered
SAID = 20  # sentences of one run that are remembered


def reconcile(bulk: redis.Redis, at: datetime) -> int:
    """Compare and repair; returns how many differences were found. What was found is logged and remembered."""
    begun, counts, moving, gaps = time.perf_counter(), 0, 0, list[Gap]()
    for periods in _batches(at):
        found = audit(bulk, periods)
        counts, moving = counts + found.counts, moving + found.moving
        gaps += found.gaps
        if found.gaps:
            again = _flush_again(bulk, {gap.tenant for gap in found.gaps if gap.place == Place.HOURS}, at)
            rest = audit(bulk, {one: periods[one] for one in again})
            _repair(bulk, [*(gap for gap in found.gaps if gap.tenant not in again), *rest.gaps], at)
    for sentence in described(gaps):
        logger.warning("Reconcile: %s", sentence)
    _remember(Audit(counts, moving, gaps), at, round((time.perf_counter() - begun) * 1000))
    return len(gaps)


def _batches(at: datetime) -> Iterable[dict[Tenant, Period]]:
    turn = int(at.timestamp()) // 600 % TURNS
    wanted = Q(standing__last_used__gt=at - LATELY) | Q(turn=turn, standing__isnull=False)
    tenants = Tenant.objects.annotate(turn=F("pk") % TURNS).filter(wanted).order_by("pk")
    rest = tenants.iterator(chunk_size=TENANTS)
    while batch := {tenant: period_at(tenant, at) for tenant in islice(rest, TENANTS)}:
        yield batch


def _flush_again(bulk: redis.Redis, tenants: Collection[Tenant], at: datetime) -> Collection[Tenant]:
    """Write the hours that Redis still holds once more: only what is missing then is lost; returns the tenants."""
    names = [keys.hour_name(at - timedelta(hours=back)) for back in range(STILL_HELD)]
    for tenant in tenants:
        held = [name for name in names if bulk.exists(keys.hour(tenant.pk, name))]
        for name in held:
            period = period_at(tenant, keys.hour_of(name))
            score = at.timestamp() * 1_000_000
            bulk.zadd(keys.dirty(tenant.pk), {keys.dirty_name(tenant.pk, name, period): score}, nx=True)
        if held:
            flush(bulk, at, only=tenant.pk)
    return tenants


def _repair(bulk: redis.Redis, gaps: Sequence[Gap], at: datetime) -> None:
    with transaction.atomic():
        for gap in gaps:
            if gap.place == Place.MEMBERS:
                _restore_members(bulk, gap)
        ledger.keep(_counts(gaps, at))
        raised = {gap.tenant.pk for gap in gaps if gap.place in (Place.TOTALS, Place.MEMBERS)}
        if raised:
            restand(dict.fromkeys(raised), at)
    _raise(bulk, [gap for gap in gaps if gap.place in (Place.REDIS, Place.TOTALS)])


def _counts(gaps: Iterable[Gap], at: datetime) -> Counts:
    counts, before = Counts(), at - timedelta(hours=STILL_HELD)
    for gap in gaps:
        where = (gap.tenant.pk, gap.metric.pk)
        if gap.place == Place.TOTALS and gap.metric.kind == gap.metric.Kind.LEVEL:
            counts.levels.append((*where, gap.epoch, gap.to, gap.removed))
        elif gap.place == Place.TOTALS:
            counts.periods.append((*where, gap.period.first, gap.epoch, gap.to, 0))
        elif gap.place == Place.HOURS and gap.period.starts < before:
            # Nobody knows under which label they were used: so under the one for all others, in the latest hour that
            # Redis no longer holds: it would write its own number over it.
            hour, there = evidence.latest_other(*where, gap.epoch, gap.period.starts, before)
            counts.hours.append((*where, hour, evidence.OTHER, gap.epoch, there + gap.by))
    return counts


def _restore_members(bulk: redis.Redis, gap: Gap) -> None:
    """Write the members that only Redis knows; they are counted with the totals."""
    key = keys.members(gap.tenant.pk, gap.metric.code, gap.period)
    found = [member.decode() for member in bulk.sscan_iter(key, count=1_000)]
    evidence.restore_members(gap.tenant.pk, gap.metric.pk, gap.period.first, found)


def _raise(bulk: redis.Redis, gaps: Sequence[Gap]) -> None:
    """Bring what the totals say now into open accounts."""
    totals = {
        first: ledger.totals((gap.tenant.pk, first) for gap in gaps if gap.period.first == first)
        for first in {gap.period.first for gap in gaps}
    }
    for gap in gaps:
        read = [keys.tenant(gap.tenant.pk), keys.account(gap.tenant.pk, gap.period)]
        if gap.metric.kind == gap.metric.Kind.DISTINCT:
            read.append(accounts.add_members(bulk, gap.tenant.pk, gap.metric, gap.period.first))
        found = totals[gap.period.first]
        values = accounts.standing_counts(found, gap.tenant.pk, gap.metric, gap.epoch)
        accounts.run(bulk, scripts.RAISE, len(read), [*read, gap.epoch, *values])


def _remember(found: Audit, at: datetime, took: int) -> None:
    """Keep what the last runs found where the health page reads it."""
    last = Heartbeat.objects.filter(pk=RECONCILE).values_list("detail", flat=True).first()
    earlier: list[Mapping[str, Any]] = (last or {}).get("runs", [])
    run = {
        "at": at.isoformat(),
        "counts": found.counts,
        "moving": found.moving,
        "ms": took,
        "found": len(found.gaps),
        "said": described(found.gaps[:SAID]),
    }
    Heartbeat.objects.note(RECONCILE, at, {"runs": [run, *earlier][:RUNS]})
