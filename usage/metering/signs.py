"""Vital signs of Redis, for the health page and /metrics: who it is, what waits in it, what was decided."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from usage.metering import keys
from usage.metering.links import opener
from usage.metering.tally import KEY

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signs:
    """What Redis says of itself. `tallies` are the fields of usage.metering.tally, `info` those of INFO."""

    dirty_hours: int
    dirty_tenants: int
    tallies: Mapping[str, int]
    info: Mapping[str, Any]


def vital_signs() -> Signs | None:
    """Two round trips; None where Redis does not answer."""
    pipe = opener().pipeline(transaction=False)
    for key in keys.all_dirty():
        pipe.zrange(key, 0, -1)
    pipe.hgetall(KEY)
    try:
        *names, tallies = pipe.execute()
        info = opener().info()
    except RedisError as error:
        logger.warning("No vital signs of Redis: %s", error)
        return None
    dirty = [name for part in names for name in part]
    return Signs(
        len(dirty),
        len({name.partition(b":")[0] for name in dirty}),
        {name.decode(): int(count) for name, count in tallies.items()},
        info,
    )
