"""What happens while Redis is away: each metric's policy decides, and what was let pass is counted afterwards."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from multiprocessing import util

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone
from redis.exceptions import RedisError

from billing.models import Metric
from billing.periods import period_at
from tenants.models import Tenant
from usage import heartbeats
from usage.metering.attendant import Attendant
from usage.metering.breaker import Breaker
from usage.metering.charges import Packed
from usage.metering.decisions import decide
from usage.metering.held import Doubtful, Held
from usage.metering.links import Lost, Unanswered, links
from usage.metering.tally import report, reporter, tally
from usage.metering.types import ChargeError, CountsUnavailable, Decision

logger = logging.getLogger(__name__)

TOGETHER = 50  # charges of a tenant counted in one call afterwards
LAST = 2.0  # seconds a process that ends tries to hand over what it holds
# Redis keeps an actor's last reply for an hour: after that a repeated call might be counted twice.
DOUBT_SECONDS = 3_000
PROBE = (b"SET", b"hr:probe", b"1", b"EX", b"60")  # a write: a replica or a full server answers reads


def let_pass(
    tenant: Tenant,
    packed: Sequence[Packed],
    at: datetime,
    *,
    is_forced: bool,
    is_held: bool = True,
    doubt: Doubtful | None = None,
) -> Decision:
    """Answer without counts, and hold what is to be counted later; a call of unknown fate comes with its doubt.

    What has happened already (`is_forced`) is always held. Raises CountsUnavailable where a metric's policy is to
    refuse, or nothing more can be held.
    """
    refusing = [one.metric.code for one in packed if one.metric.on_outage == Metric.OnOutage.REFUSE]
    if refusing and not is_forced:
        raise CountsUnavailable(f"{', '.join(refusing)} can't be counted now: Redis does not answer.")
    if doubt:
        held.keep_doubtful(doubt)
    elif is_held:
        held.keep(tenant.pk, _countable(packed))
    attendant.call()
    return Decision(tenant, None, period_at(tenant, at), at, (), is_counted=False)


def replay() -> bool:
    """Count what is held, once each; False where Redis or PostgreSQL does not answer and it is to be tried again."""
    try:
        is_done = _replay_all()
        _tell(is_done)
        return is_done
    finally:
        connection.close()  # this thread may end now


def answers() -> bool:
    """Whether Redis takes a write within the deadline; asked beside the requests, it closes no breaker."""
    try:
        with links().one() as link:
            link.ask(*PROBE)
    except RedisError:
        return False
    return True


def _replay_all() -> bool:
    if breaker.is_open and not answers():
        return False
    breaker.answered()
    while held:
        if not _replay_one():
            return False
    return True


def _tell(is_done: bool) -> None:
    """Let the health page know what this process holds, for as long as it holds something or asks Redis nothing."""
    name = f"{heartbeats.OUTAGE}{socket.gethostname()[:40]}:{os.getpid()}"
    try:
        if is_done:
            heartbeats.end(name)
        else:
            heartbeats.beat(name, timezone.now(), {"held": len(held), "is_open": breaker.is_open})
    except (DatabaseError, InterfaceError) as error:
        logger.warning("What is held could not be told: %s", error)


def _replay_one() -> bool:
    """Count one thing that is held; False when Redis or PostgreSQL did not answer, and it is held again."""
    if doubt := held.take_doubtful():
        return _repeat(doubt)
    if (taken := held.take_tenant(TOGETHER)) is None:
        return True
    tenant_id, packed = taken
    try:
        with links().one() as link:
            decide(link, Tenant.objects.get(pk=tenant_id), packed, timezone.now(), is_forced=True)
    except Lost:
        logger.warning("Held charges of tenant %s were lost with its account: %s", tenant_id, packed)
    except (OperationalError, InterfaceError):
        held.put_back(tenant_id, packed)
        return False
    except RedisError as error:
        breaker.failed()
        if isinstance(error, Unanswered) and error.is_executed:
            held.put_back_doubtful(Doubtful(tenant_id, link, packed))
        else:
            held.put_back(tenant_id, packed)
        return False
    except (ChargeError, Tenant.DoesNotExist):
        logger.exception("Held charges of tenant %s can't be counted: %s", tenant_id, packed)
    held.settle()
    return True


def _repeat(doubt: Doubtful) -> bool:
    """Repeat a call of unknown fate; it is given up where Redis can no longer tell whether it was counted."""
    if doubt.link.age > DOUBT_SECONDS * 1_000_000:
        logger.error("A call of tenant %s is too old to be repeated: %s", doubt.tenant_id, doubt.packed)
        held.settle()
        return True
    try:
        tenant = Tenant.objects.get(pk=doubt.tenant_id)
        decision = decide(doubt.link, tenant, doubt.packed, timezone.now(), is_forced=True, is_again=True)
    except Lost:
        logger.warning("A call of tenant %s was lost with its account: %s", doubt.tenant_id, doubt.packed)
    except (RedisError, OperationalError, InterfaceError) as error:
        if isinstance(error, RedisError):
            breaker.failed()
        held.put_back_doubtful(doubt)
        return False
    except (ChargeError, Tenant.DoesNotExist):
        logger.exception("A held call of tenant %s can't be counted: %s", doubt.tenant_id, doubt.packed)
    else:
        if decision.refused:  # Redis had refused it, but nobody heard: it was let pass, so it counts
            held.put_back(doubt.tenant_id, _countable(doubt.packed))
    held.settle()
    links().give_back(doubt.link)
    return True


def _countable(packed: Sequence[Packed]) -> list[Packed]:
    """What counts something: no gates and no looks."""
    return [one for one in packed if one.op not in "gp"]


def hand_over() -> None:
    """At the end of the process: count what is held if that is possible yet, and say what is lost."""
    if held:
        attendant.finish(LAST)
    if held:
        logger.error("%d things that were let pass while Redis was away were never counted", len(held))
    report()


def begin() -> None:
    """Hold nothing and know nothing: a new process, or a forked one, whose parent counts what it held."""
    breaker.begin()
    held.begin()
    attendant.begin()
    tally.begin()
    reporter.begin()


def _await_end(_: object = None) -> None:
    # atexit would not do: a child that multiprocessing has forked, such as a web worker, ends without it.
    util.Finalize(None, hand_over, exitpriority=100)


breaker = Breaker()
held = Held()
attendant = Attendant("attendant", replay)
recover = attendant.call  # look beside the requests whether Redis is back
os.register_at_fork(after_in_child=begin)
util.register_after_fork(attendant, _await_end)
_await_end()
