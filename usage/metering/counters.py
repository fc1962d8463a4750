"""Counting: one round trip to Redis that counts all charges or none, and opens cold accounts on the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from billing.entitlements import entitlements
from billing.models import Metric
from billing.periods import Period, period_at
from tenants.models import Tenant
from usage.metering import keys, scripts
from usage.metering.accounts import look, open_account
from usage.metering.catalogue import catalogue
from usage.metering.charges import Packed, pack, pack_level, pack_looks
from usage.metering.flush import flush
from usage.metering.links import Link, Unanswered, bulk, links
from usage.metering.types import (
    BurstTooSmall,
    Cause,
    Charge,
    CountsUnavailable,
    Decision,
    Gauge,
    InvalidAmount,
    Refusal,
    TenantClosed,
)

logger = logging.getLogger(__name__)

COUNTED, REFUSED, COLD, MOVED, STALE, BURST, BEYOND = range(7)
CAUSES = {1: Cause.LIMIT, 2: Cause.CAP, 3: Cause.BURST}
GAUGE = 7  # integers for each charge in a reply
ROUNDS = 8  # to open a cold account against others who open it too


def consume(
    tenant: Tenant, *charges: Charge, gates: Sequence[str] = (), at: datetime, request_id: str = ""
) -> Decision:
    """Count all `charges` of `tenant`, or none when one of them, or one of the `gates`, is refused.

    Amounts are base units. A gate is a metric known only afterwards: refused once its stop is reached, counted
    later by `record`. Raises ChargeError for charges that can't be counted, CountsUnavailable when Redis is away
    and a metric's policy is to refuse.
    """
    return _ask(tenant, [*map(pack, charges), *pack_looks("g", gates)], at=at, request_id=request_id)


def record(tenant: Tenant, *charges: Charge, at: datetime) -> Decision:
    """Count all `charges`, whatever the limits: what has already happened. Raises ChargeError, CountsUnavailable."""
    return _ask(tenant, [pack(charge) for charge in charges], at=at, is_forced=True)


def measure(tenant: Tenant, metric: str, amount: int, *, at: datetime) -> Decision:
    """Set a level to what the host's own job found; never refused. Raises ChargeError, CountsUnavailable."""
    return _ask(tenant, [pack_level(metric, amount)], at=at, is_forced=True)


def peek(tenant: Tenant, at: datetime) -> tuple[Gauge, ...] | None:
    """How every metric stands in Redis right now; None where the tenant is not open or Redis is away."""
    looks = pack_looks("p", catalogue().metrics)
    try:
        with links().one() as link:
            period = period_at(tenant, at)
            reply, _ = _call(link, tenant, looks, period, at, is_forced=True, request_id="", is_kept=False)
    except RedisError as error:
        logger.warning("No live counts of %s: %s", tenant.slug, error)
        return None
    return _gauges(looks, reply, 2) if reply[0] == COUNTED else None


def _ask(
    tenant: Tenant, packed: list[Packed], *, at: datetime, is_forced: bool = False, request_id: str = ""
) -> Decision:
    if tenant.is_closed:
        raise TenantClosed(f"{tenant.slug} is closed: reopen it in the admin to count for it.")
    if not packed:
        raise InvalidAmount("Nothing to count: give at least one charge.")
    try:
        with links().one() as link:
            return _decide(link, tenant, packed, at, is_forced=is_forced, request_id=request_id)
    except (RedisError, OperationalError, InterfaceError) as error:
        # The one place that knows what happens while Redis (or, for a cold account, PostgreSQL) does not answer.
        logger.warning("Counts of %s unavailable: %s", tenant.slug, error)
        return _without_counts(tenant, packed, at, error)


def _decide(
    link: Link, tenant: Tenant, packed: list[Packed], at: datetime, *, is_forced: bool, request_id: str
) -> Decision:
    for _ in range(ROUNDS):
        period = period_at(tenant, at)
        reply, is_resent = _call(link, tenant, packed, period, at, is_forced=is_forced, request_id=request_id)
        status = reply[0]
        if status == COUNTED:
            plan = catalogue().plans.get(reply[1])
            return Decision(tenant, plan, period, at, _gauges(packed, reply, 2))
        if status not in (COLD, MOVED):
            return _refused(tenant, packed, period, at, reply)
        if is_resent:
            # The first attempt may have been counted before its account was lost: again could be twice.
            raise Unanswered("the account was lost between a call and its resend", is_executed=True)
        # Limits change by Redis' clock, as hours do.
        at = datetime.fromtimestamp(reply[1], UTC).replace(microsecond=reply[2])
        if status == COLD:
            tenant = _open(link, tenant, at)
    raise Unanswered(f"account of {tenant.slug} could not be opened in {ROUNDS} rounds", is_executed=False)


def _call(
    link: Link,
    tenant: Tenant,
    packed: Sequence[Packed],
    period: Period,
    at: datetime,
    *,
    is_forced: bool,
    request_id: str,
    is_kept: bool = True,
) -> tuple[list[int], bool]:
    """One round trip; the reply's integers, and whether a resend was needed that may have found it executed."""
    hours = int(at.timestamp()) // 3600
    places = keys.places(tenant.pk, period.first, hours)
    names = (
        *places.counts,
        keys.caller(tenant.pk, link.actor),
        *places.lists,
        *[keys.members(tenant.pk, one.metric.code, places.period) for one in packed if one.op == "d"],
    )
    rest = [hours, places.period, places.dirty_name, 1 if is_forced else 0, request_id]
    charges = [part for one in packed for part in one.arguments]
    reply, is_resent = link.call(
        scripts.CONSUME,
        lambda: (*names, link.life(), link.number if is_kept else 0, *rest, link.age, *charges),
        len(names),
    )
    return [int(part) for part in reply.split(b",")], is_resent


def _open(link: Link, tenant: Tenant, at: datetime) -> Tenant:
    """Open the tenant's account; whoever comes second finds it open at the next call. Returns the tenant anew."""
    redis = bulk()
    life = link.life(fresh=True)
    found = look(redis, tenant.pk)
    if found.epoch is not None and not found.is_alive(life):
        flush(redis, at, only=tenant.pk)  # what survived, under its old epoch
    tenant = Tenant.objects.get(pk=tenant.pk)  # the caller's may have an older anchor day
    if not open_account(redis, tenant, entitlements(tenant, at), found, life, at):
        flush(redis, at, only=tenant.pk)
    return tenant


def _refused(
    tenant: Tenant, packed: Sequence[Packed], period: Period, at: datetime, reply: Sequence[int]
) -> Decision:
    status = reply[0]
    if status in (BURST, BEYOND):
        charge = packed[reply[1]].charge
        if status == BEYOND:
            raise InvalidAmount(f"{charge.metric}: {charge.amount} more would pass 2**53 units.")
        raise BurstTooSmall(
            f"{charge.metric}: {charge.amount} at once is more than its burst a minute allows."
        )
    if status == STALE:
        raise Unanswered("a later call of this connection was answered first", is_executed=True)
    _, plan, index, cause, wait = reply[:5]
    gauges = _gauges(packed, reply, 5)
    refusal = Refusal(packed[index].charge, CAUSES[cause], gauges[index], wait if cause == 3 else None)
    return Decision(tenant, catalogue().plans.get(plan), period, at, gauges, refusal)


def _gauges(packed: Sequence[Packed], reply: Sequence[int], start: int) -> tuple[Gauge, ...]:
    gauges = []
    for one in packed:
        used, *bounds, milliseconds = reply[start : start + GAUGE]
        limit, stop, cap, burst, left = [None if bound < 0 else bound for bound in bounds]
        gauges.append(Gauge(one.metric, used, limit, stop, cap, burst, left, -(-milliseconds // 1000)))
        start += GAUGE
    return tuple(gauges)


def _without_counts(tenant: Tenant, packed: Sequence[Packed], at: datetime, error: Exception) -> Decision:
    """What each metric's policy says while nothing can be counted. Raises CountsUnavailable."""
    refusing = [one.metric.code for one in packed if one.metric.on_outage == Metric.OnOutage.REFUSE]
    if refusing:
        raise CountsUnavailable(f"{', '.join(refusing)} can't be counted now ({error}).") from error
    return Decision(tenant, None, period_at(tenant, at), at, (), is_counted=False)
