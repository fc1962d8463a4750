"""The verbs of counting: consume, record, measure, peek; and what they answer while Redis is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from tenants.models import Tenant
from usage.metering.catalogue import catalogue
from usage.metering.charges import Packed, check_open, pack, pack_level, pack_looks
from usage.metering.decisions import decide, look_at
from usage.metering.held import Doubtful
from usage.metering.links import Lost, Unanswered, links
from usage.metering.outage import breaker, held, let_pass, recover
from usage.metering.tally import UNAVAILABLE, outcome_of, reporter, tally
from usage.metering.types import Charge, CountsUnavailable, Decision, Gauge, InvalidAmount

logger = logging.getLogger(__name__)


def consume(
    tenant: Tenant, *charges: Charge, gates: Sequence[str] = (), at: datetime, request_id: str = ""
) -> Decision:
    """Count all `charges` of `tenant`, or none when one of them, or one of the `gates`, is refused.

    Amounts are base units. A gate is a metric known only afterwards: refused once its stop is reached, counted
    later by `record`. Raises ChargeError for charges that can't be counted, CountsUnavailable when Redis is away
    and a metric's policy is to refuse.
    """
    packed = [*map(pack, charges)]
    if gates:
        packed += pack_looks("g", gates)
    return _ask(tenant, packed, at=at, request_id=request_id)


def record(tenant: Tenant, *charges: Charge, at: datetime) -> Decision:
    """Count all `charges`, whatever the limits: what has already happened. Raises ChargeError, CountsUnavailable."""
    return _ask(tenant, [pack(charge) for charge in charges], at=at, is_forced=True)


def measure(tenant: Tenant, metric: str, amount: int, *, at: datetime) -> Decision:
    """Set a level to what the host's own job found; never refused. Raises ChargeError, CountsUnavailable."""
    return _ask(tenant, [pack_level(metric, amount)], at=at, is_forced=True)


def peek(tenant: Tenant, at: datetime) -> tuple[Gauge, ...] | None:
    """How every metric stands in Redis right now; None where the tenant is not open or Redis is away."""
    if breaker.is_open:
        return None
    looks = pack_looks("p", catalogue().metrics)
    try:
        with links().one() as link:
            gauges = look_at(link, tenant, looks, at)
    except RedisError as error:
        _failed()
        logger.warning("No live counts of %s: %s", tenant.slug, error)
        return None
    breaker.answered()
    return gauges


def is_delayed() -> bool:
    """Whether Redis did not answer this process's last call, or something it let pass waits to be counted."""
    return breaker.is_failing or bool(held)


def _ask(
    tenant: Tenant, packed: list[Packed], *, at: datetime, is_forced: bool = False, request_id: str = ""
) -> Decision:
    begun = time.perf_counter()
    try:
        decision = _decided(tenant, packed, at=at, is_forced=is_forced, request_id=request_id)
    except CountsUnavailable:
        tally.note(UNAVAILABLE, packed, time.perf_counter() - begun)
        reporter.call()
        raise
    tally.note(outcome_of(decision), packed, time.perf_counter() - begun, decision.refused)
    reporter.call()
    return decision


def _decided(
    tenant: Tenant, packed: list[Packed], *, at: datetime, is_forced: bool, request_id: str
) -> Decision:
    check_open(tenant)
    if not packed:
        raise InvalidAmount("Nothing to count: give at least one charge.")
    if breaker.is_open:
        return let_pass(tenant, packed, at, is_forced=is_forced)
    # Only here what Redis, or for a cold account PostgreSQL, does not answer becomes what the metrics' policies say.
    try:
        with links().one() as link:
            decision = decide(link, tenant, packed, at, is_forced=is_forced, request_id=request_id)
    except Lost as error:
        logger.warning("A call of %s may not be counted: %s", tenant.slug, error)
        return let_pass(tenant, packed, at, is_forced=is_forced, is_held=False)
    except RedisError as error:
        _failed()
        logger.warning("Counts of %s unavailable: %s", tenant.slug, error)
        doubt = (
            Doubtful(tenant.pk, link, packed) if isinstance(error, Unanswered) and error.is_executed else None
        )
        return let_pass(tenant, packed, at, is_forced=is_forced, doubt=doubt)
    except (OperationalError, InterfaceError) as error:
        logger.warning("Account of %s could not be opened: %s", tenant.slug, error)
        return let_pass(tenant, packed, at, is_forced=is_forced)
    breaker.answered()
    return decision


def _failed() -> None:
    breaker.failed()
    if breaker.is_open:
        recover()
