"""The last refusals of a tenant, as Redis keeps them: 50, for looking into one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from tenants.models import Tenant
from usage.metering import keys
from usage.metering.links import opener
from usage.metering.outage import breaker
from usage.metering.types import Cause

logger = logging.getLogger(__name__)

CAUSES = {"1": Cause.LIMIT, "2": Cause.CAP, "3": Cause.BURST}


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """One refused request: when (to the second), the metric's code, why, its id and label."""

    at: datetime
    metric: str
    cause: Cause
    request_id: str
    label: str


def last_refusals(tenant: Tenant) -> tuple[PastRefusal, ...] | None:
    """Newest first; None where Redis is away."""
    if breaker.is_open:
        return None
    try:
        lines: list[Any] = opener().lrange(keys.refusals(tenant.pk), 0, -1)
    except RedisError as error:
        logger.warning("No refusals of %s: %s", tenant.slug, error)
        return None
    return tuple(_read(line.decode()) for line in lines)


def _read(line: str) -> PastRefusal:
    second, metric, cause, request_id, label = line.split("|", 4)
    return PastRefusal(datetime.fromtimestamp(int(second), UTC), metric, CAUSES[cause], request_id, label)
