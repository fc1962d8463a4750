"""Whose counts are not all in PostgreSQL yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date

from redis.exceptions import RedisError

from usage.metering import keys
from usage.metering.links import bulk

logger = logging.getLogger(__name__)


def unflushed() -> Mapping[int, date] | None:
    """Tenants with hours that wait to be flushed, by id: the first day of the oldest period of these.

    None where Redis does not answer: then nobody knows.
    """
    pipe = bulk().pipeline(transaction=False)
    for key in keys.all_dirty():
        pipe.zrange(key, 0, -1)
    try:
        names = [name for part in pipe.execute() for name in part]
    except RedisError as error:
        logger.warning("Nobody knows what waits to be flushed: %s", error)
        return None
    oldest: dict[int, date] = {}
    for name in names:
        tenant, _, period = name.decode().split(":")
        first = date.fromisoformat(period)
        oldest[int(tenant)] = min(first, oldest.get(int(tenant), first))
    return oldest
