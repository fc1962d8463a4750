"""Opens a tenant's account in Redis from what PostgreSQL knows, and brings newer limits and caps into open ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis
from django.db import transaction

from billing.entitlements import Entitlements, entitlements_of
from billing.models import Entitlement, Metric
from billing.periods import period_at
from tenants.models import Tenant
from usage.metering import keys, ledger, scripts
from usage.metering.caps import Reach, reaches_of
from usage.metering.catalogue import catalogue
from usage.metering.ledger import NOTHING, Totals

KIND = {Metric.Kind.SUM: "s", Metric.Kind.LEVEL: "l", Metric.Kind.DISTINCT: "d"}
KEPT = timedelta(days=35)  # an account, after its period
AHEAD = timedelta(hours=1)  # before a period ends, upkeep opens the next accounts
MEMBERS_KEPT = 5_800_000  # seconds: longer than any period and KEPT together; consume.lua has the same
CHUNK = 5_000
NONE = -1
UNSTAMPED = 0  # there is no cap
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Opening:
    """What was found in Redis before opening: the life and epoch the tenant was last counted under."""

    life: bytes
    epoch: int | None

    def is_alive(self, life: bytes) -> bool:
        return self.epoch is not None and self.life == life


def look(bulk: redis.Redis, tenant_id: int) -> Opening:
    """The tenant's life and epoch in Redis; no epoch = Redis knows nothing of it."""
    found: list[Any] = bulk.hmget(keys.tenant(tenant_id), "life", "epoch")
    return Opening(found[0] or b"", int(found[1]) if found[1] else None)


def open_account(
    bulk: redis.Redis, tenant: Tenant, entitlements: Entitlements, found: Opening, life: bytes, at: datetime
) -> bool:
    """Set up the account of `entitlements.period`; False when another opener was first or counts came in between.

    What survived under an older epoch must be flushed before.
    """
    period, reach = entitlements.period, _reach(entitlements, at)
    totals = ledger.totals([(tenant.pk, period.first)])
    epoch = found.epoch if found.epoch is not None and found.is_alive(life) else ledger.new_epoch()
    for metric in distinct():
        add_members(bulk, tenant.pk, metric, period.first)
    names, values = opening_of(entitlements, reach, totals, epoch, found, life, at)
    if not run(bulk, scripts.OPEN, len(names), [*names, *values]):
        return False
    # An edit since the limits were read may have found no account to rewrite.
    if Entitlement.objects.filter(tenant=tenant, version__gt=entitlements.version).exists():
        rewrite_limits(bulk, [tenant], at)
    return True


def opening_of(
    entitlements: Entitlements,
    reach: Reach | None,
    totals: Totals,
    epoch: int,
    found: Opening,
    life: bytes,
    at: datetime,
) -> tuple[list[str], list[Any]]:
    """Keys and values of a call of open.lua; the sets of members must have been filled before."""
    tenant, period, hour = entitlements.tenant, entitlements.period, keys.hour_name(at)
    names = [
        keys.tenant(tenant.pk),
        keys.account(tenant.pk, period),
        keys.hour(tenant.pk, hour),
        keys.dirty(tenant.pk),
        *(keys.members(tenant.pk, metric.code, period.first) for metric in distinct()),
    ]
    values: list[Any] = [
        life,
        "" if found.epoch is None else found.epoch,
        epoch,
        keys.dirty_name(tenant.pk, hour, period),
        _microseconds(entitlements.until),
        entitlements.version,
        entitlements.plan.pk,
        int((period.ends + KEPT - at).total_seconds()),
        _stamp(reach),
    ]
    for metric in catalogue().metrics.values():
        own = totals.get((tenant.pk, metric.pk), NOTHING).own(epoch)
        values += [*standing_counts(totals, tenant.pk, metric, epoch), own.refused]
        values += _limits(entitlements, reach, metric)
    return names, values


def standing_counts(totals: Totals, tenant_id: int, metric: Metric, epoch: int) -> list[Any]:
    """What PostgreSQL knows of a metric as open.lua and raise.lua take it: metric, kind, others, own, removed."""
    total = totals.get((tenant_id, metric.pk), NOTHING)
    own = total.own(epoch)
    return [metric.code, KIND[Metric.Kind(metric.kind)], total.others(epoch), own.used, own.removed]


def add_members(bulk: redis.Redis, tenant_id: int, metric: Metric, period: date) -> str:
    """Add the members PostgreSQL knows of to the metric's set; returns the set's key. Adding twice is harmless."""
    pipe = bulk.pipeline(transaction=False)
    key = queue_members(pipe, tenant_id, metric, period, ledger.members(tenant_id, metric.pk, period))
    pipe.execute()
    return key


def queue_members(pipe: Any, tenant_id: int, metric: Metric, period: date, known: Sequence[str]) -> str:
    """The same with members that were read before, in a pipeline."""
    key = keys.members(tenant_id, metric.code, period)
    for start in range(0, len(known), CHUNK):
        pipe.sadd(key, *known[start : start + CHUNK])
        pipe.expire(key, MEMBERS_KEPT)
    return key


def distinct() -> list[Metric]:
    return [metric for metric in catalogue().metrics.values() if metric.kind == Metric.Kind.DISTINCT]


def _limits(entitlements: Entitlements, reach: Reach | None, metric: Metric) -> list[int]:
    """Limit, stop, cap stop and burst for Redis; a metric that the plan lacks is full from the start."""
    limit = entitlements.limits.get(metric.code)
    if limit is None:
        return [0, 0, NONE, NONE]
    cap_stop = reach.stops.get(metric.code) if reach else None
    return [NONE if value is None else value for value in (limit.size, limit.stop, cap_stop, limit.burst)]


def _reach(entitlements: Entitlements, at: datetime) -> Reach | None:
    """How far the tenant's spend cap reaches in the period of `entitlements`; None where nothing is capped."""
    if entitlements.caps.stop is None:
        return None
    tenant = entitlements.tenant
    return reaches_of([tenant], max(at, entitlements.period.starts)).get(tenant.pk)


def _stamp(reach: Reach | None) -> int:
    return reach.stamp if reach else UNSTAMPED


def _microseconds(moment: datetime) -> int:
    return (moment - FIRST_MOMENT) // timedelta(microseconds=1)


def rewrite_limits(bulk: redis.Redis, tenants: Iterable[Tenant], at: datetime) -> None:
    """Bring the limits as PostgreSQL has them now into the current and next accounts of `tenants`."""
    moments: dict[datetime, list[Tenant]] = {at: list(tenants)}
    for tenant in moments[at]:
        ends = period_at(tenant, at).ends
        if ends - at < 2 * AHEAD:  # else nobody has opened its next account yet
            moments.setdefault(ends, []).append(tenant)
    pipe = bulk.pipeline(transaction=False)
    for moment, those in moments.items():
        rights = entitlements_of(those, moment)
        capped = [one.tenant for one in rights.values() if one.caps.stop is not None]
        reaches = reaches_of(capped, moment)
        for one in rights.values():
            _queue_rewrite(pipe, one, reaches.get(one.tenant.pk))
    execute(pipe, bulk, scripts.REWRITE)


def write_reaches(bulk: redis.Redis, reaches: Iterable[Reach]) -> None:
    """Bring cap stops into open accounts, once what they were computed from is committed."""
    pipe = bulk.pipeline(transaction=False)
    for one in reaches:
        rights = one.rights
        head = [one.stamp, rights.version, _microseconds(rights.until)]
        stops = [part for code in catalogue().metrics for part in (code, one.stops.get(code, NONE))]
        pipe.evalsha(scripts.CAP.sha, 1, keys.account(rights.tenant.pk, rights.period), *head, *stops)
    execute(pipe, bulk, scripts.CAP)


def _queue_rewrite(pipe: Any, entitlements: Entitlements, reach: Reach | None) -> None:
    arguments: list[Any] = [
        keys.account(entitlements.tenant.pk, entitlements.period),
        entitlements.version,
        _microseconds(entitlements.until),
        entitlements.plan.pk,
        _stamp(reach),
    ]
    for metric in catalogue().metrics.values():
        arguments += [metric.code, *_limits(entitlements, reach, metric)]
    pipe.evalsha(scripts.REWRITE.sha, 1, *arguments)


def run(bulk: redis.Redis, script: scripts.Script, count: int, arguments: list[Any]) -> Any:
    """Run a script that may be repeated; `count` of the arguments are keys."""
    try:
        return bulk.evalsha(script.sha, count, *arguments)
    except redis.exceptions.NoScriptError:
        return bulk.eval(script.text, count, *arguments)


def execute(pipe: Any, bulk: redis.Redis, script: scripts.Script) -> list[Any]:
    """Run a pipeline of one script's calls, which may be repeated; loads the script where Redis lacks it."""
    commands = list(pipe.command_stack)
    try:
        return list(pipe.execute())
    except redis.exceptions.NoScriptError:
        bulk.script_load(script.text)
        pipe.command_stack.extend(commands)
        return list(pipe.execute())


@transaction.atomic
def ensure_months(at: datetime) -> int:
    """Make the hourly tables' partitions for this month and the next two; returns how many months."""
    months = [ledger.month_of(at)]
    while len(months) < 3:
        months.append(ledger.next_month(months[-1]))
    ledger.make_partitions(months)
    return len(months)
