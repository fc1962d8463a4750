"""One decision: asks Redis in one round trip, opens a cold account on the way, reads the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from billing.entitlements import entitlements
from billing.periods import Period
from tenants.models import Tenant
from usage.metering import scripts
from usage.metering.accounts import look, open_account
from usage.metering.calls import Place, call, place_at
from usage.metering.catalogue import catalogue
from usage.metering.charges import Packed, check_open
from usage.metering.flush import flush
from usage.metering.links import Link, Lost, Unanswered, opener
from usage.metering.types import BurstTooSmall, Cause, Decision, Gauge, InvalidAmount, Refusal

COUNTED, REFUSED, COLD, MOVED, STALE, BURST, BEYOND = range(7)
CAUSES = {1: Cause.LIMIT, 2: Cause.CAP, 3: Cause.BURST}
GAUGE = 7  # integers for each charge in a reply
MOST = 1_000  # charges in one call, so that Lua can take them from one list
ROUNDS = 8  # to open a cold account against others who open it too


def look_at(link: Link, tenant: Tenant, looks: Sequence[Packed], at: datetime) -> tuple[Gauge, ...] | None:
    """Gauges of an open account; None where it is cold. Raises RedisError."""
    for _ in range(2):  # the hour may be another one by Redis' clock
        reply, _ = _call(link, place_at(tenant, at), looks, is_forced=True, request_id="", is_kept=False)
        if reply[0] != MOVED:
            return _gauges(looks, reply, 2) if reply[0] == COUNTED else None
        at = _time_of(reply)
    return None


def _time_of(reply: Sequence[int]) -> datetime:
    """Redis' time, where a reply has it: limits change by it, as hours do."""
    return datetime.fromtimestamp(reply[1], UTC).replace(microsecond=reply[2])


def decide(
    link: Link,
    tenant: Tenant,
    packed: Sequence[Packed],
    at: datetime,
    *,
    is_forced: bool = False,
    is_again: bool = False,
    request_id: str = "",
) -> Decision:
    """Count `packed` or refuse it; `is_forced` counts whatever the limits.

    `is_again` repeats the link's last call, whose fate is unknown, under its number. Raises Unanswered, ChargeError
    and, where an account must be opened, what PostgreSQL raises.
    """
    if len(packed) > MOST:
        raise InvalidAmount(f"{len(packed)} charges at once: give at most {MOST}.")
    for _ in range(ROUNDS):
        place = place_at(tenant, at)
        reply, is_resent = _call(
            link, place, packed, is_forced=is_forced, is_again=is_again, request_id=request_id
        )
        status = reply[0]
        if status == COUNTED:
            plan = catalogue().plans.get(reply[1])
            return Decision(tenant, plan, place.period, at, _gauges(packed, reply, 2))
        if status not in (COLD, MOVED):
            return _refused(tenant, packed, place.period, at, reply)
        if is_resent and status == COLD:
            # The first attempt may have been counted before its account was lost: again could be twice.
            raise Lost("the account was lost between a call and its resend")
        is_again = is_resent  # of unknown fate still: in the hour that Redis has, under the same number
        at = _time_of(reply)
        if status == COLD:
            tenant = _open(link, tenant, at)
    raise Unanswered(f"account of {tenant.slug} could not be opened in {ROUNDS} rounds", is_executed=False)


def _call(
    link: Link,
    place: Place,
    packed: Sequence[Packed],
    *,
    is_forced: bool,
    request_id: str,
    is_kept: bool = True,
    is_again: bool = False,
) -> tuple[list[int], bool]:
    """One round trip; the reply's integers, and whether a resend was needed that may have found it executed."""
    send = link.repeat if is_again else link.call
    command = partial(call, scripts.CONSUME, place, packed, link, is_forced, request_id, is_kept)
    reply, is_resent = send(scripts.CONSUME, command)
    return list(map(int, reply.split(b","))), is_resent


def _open(link: Link, tenant: Tenant, at: datetime) -> Tenant:
    """Open the tenant's account; whoever comes second finds it open at the next call. Returns the tenant anew."""
    redis = opener()
    life = link.life(fresh=True)
    found = look(redis, tenant.pk)
    if not found.is_alive(life):
        flush(redis, at, only=tenant.pk)  # what survived, under its old epoch
    tenant = Tenant.objects.get(pk=tenant.pk)  # the caller's may be older: another anchor day, not yet closed
    check_open(tenant)
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
        raise Lost("a later call of this connection was answered first")
    _, plan, index, cause, wait = reply[:5]
    gauges = _gauges(packed, reply, 5)
    refusal = Refusal(packed[index].charge, CAUSES[cause], gauges[index], wait if cause == 3 else None)
    return Decision(tenant, catalogue().plans.get(plan), period, at, gauges, refusal)


def _gauges(packed: Sequence[Packed], reply: Sequence[int], start: int) -> tuple[Gauge, ...]:
    gauges = []
    for one in packed:
        used, limit, stop, cap, burst, left, milliseconds = reply[start : start + GAUGE]
        gauges.append(
            Gauge(
                one.metric,
                used,
                None if limit < 0 else limit,
                None if stop < 0 else stop,
                None if cap < 0 else cap,
                None if burst < 0 else burst,
                None if left < 0 else left,
                -(-milliseconds // 1000),
            )
        )
        start += GAUGE
    return tuple(gauges)
