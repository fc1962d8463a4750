"""What happens while Redis is away: each metric's policy decides, and what was let pass is counted afterwards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from redis.exceptions import RedisError

from billing.models import Metric
from billing.periods import period_at
from tenants.models import Tenant
from usage.metering.breaker import Breaker
from usage.metering.charges import Packed
from usage.metering.decisions import decide
from usage.metering.held import Doubtful, held
from usage.metering.links import Lost, Unanswered, links
from usage.metering.types import ChargeError, CountsUnavailable, Decision

logger = logging.getLogger(__name__)

breaker = Breaker()

TOGETHER = 50  # charges of a tenant counted in one call afterwards
# Redis keeps an actor's last reply for an hour: after that a repeated call might be counted twice.
DOUBT_SECONDS = 3_000


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
        held.keep_doubtful(doubt, replay)
    elif is_held:
        held.keep(tenant.pk, [one for one in packed if one.op not in "gp"], replay)
    return Decision(tenant, None, period_at(tenant, at), at, (), is_counted=False)


def replay() -> None:
    """Count what is held, once each, until nothing is left or Redis does not answer."""
    try:
        while held and breaker.lets_through() and _replay_one():
            breaker.answered()
    finally:
        connection.close()  # this thread may end now


def _replay_one() -> bool:
    """Count one thing that is held; False when Redis or PostgreSQL did not answer, and it is held again."""
    if doubt := held.take_doubtful():
        return _repeat(doubt)
    if (taken := held.take_tenant(TOGETHER)) is None:
        return False
    tenant_id, packed = taken
    try:
        with links().one() as link:
            decide(link, Tenant.objects.get(pk=tenant_id), packed, timezone.now(), is_forced=True)
    except Lost:
        logger.warning("Held charges of tenant %s were lost with its account: %s", tenant_id, packed)
    except (RedisError, OperationalError, InterfaceError) as error:
        breaker.failed()
        if isinstance(error, Unanswered) and error.is_executed:
            held.keep_doubtful(Doubtful(tenant_id, link, packed), replay)
        else:
            held.keep(tenant_id, packed, replay)
        return False
    except (ChargeError, Tenant.DoesNotExist):
        logger.exception("Held charges of tenant %s can't be counted: %s", tenant_id, packed)
    return True


def _repeat(doubt: Doubtful) -> bool:
    """Repeat a call of unknown fate; it is given up where Redis can no longer tell whether it was counted."""
    if doubt.link.age > DOUBT_SECONDS * 1_000_000:
        logger.error("A call of tenant %s is too old to be repeated: %s", doubt.tenant_id, doubt.packed)
        return True
    try:
        tenant = Tenant.objects.get(pk=doubt.tenant_id)
        decide(doubt.link, tenant, doubt.packed, timezone.now(), is_forced=True, is_again=True)
    except Lost:
        logger.warning("A call of tenant %s was lost with its account: %s", doubt.tenant_id, doubt.packed)
    except (RedisError, OperationalError, InterfaceError):
        breaker.failed()
        held.keep_doubtful(doubt, replay)
        return False
    except (ChargeError, Tenant.DoesNotExist):
        logger.exception("A held call of tenant %s can't be counted: %s", doubt.tenant_id, doubt.packed)
    links().give_back(doubt.link)
    return True
