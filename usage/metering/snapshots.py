"""What Redis holds of tenants that PostgreSQL may not have yet: which are dirty, and all of each at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import redis

from usage.metering import accounts, keys, scripts

NEWCOMERS = 5_000  # read of one tenant at a time; the rest follows in the next round
Dirty = dict[int, list[bytes]]  # names of dirty hours by tenant id


@dataclass(frozen=True, slots=True)
class Hour:
    """One dirty hour: its name in the dirty set taken apart, the score it was read at, and what it holds."""

    name: bytes
    hour: str
    period: str
    score: bytes
    counts: Mapping[bytes, bytes]
    account: Mapping[bytes, bytes]

    @property
    def first(self) -> date:
        return date.fromisoformat(self.period)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of one tenant that PostgreSQL may not have yet, read at one moment."""

    tenant_id: int
    levels: Mapping[bytes, bytes]
    newcomers: list[bytes]
    hours: list[Hour]

    @property
    def epoch(self) -> bytes | None:
        return self.levels.get(b"epoch")

    @property
    def last_used(self) -> datetime:
        """When the latest of its hours changed, on Redis' clock."""
        return datetime.fromtimestamp(max(float(hour.score) for hour in self.hours) / 1_000_000, UTC)


def dirty(bulk: redis.Redis, only: int | None = None) -> Dirty:
    """All that waits (or all of tenant `only`), tag after tag, of each those first that wait longest."""
    found: Dirty = defaultdict(list)
    pipe = bulk.pipeline(transaction=False)
    for key in keys.all_dirty() if only is None else [keys.dirty(only)]:
        pipe.zrange(key, 0, -1)
    for names in pipe.execute():
        for name in names:
            tenant_id = int(name.partition(b":")[0])
            if only in (None, tenant_id):
                found[tenant_id].append(name)
    return found


def hours_of(found: Dirty) -> set[datetime]:
    """The hours that are dirty."""
    return {keys.hour_of(name) for name in {parts(name)[0] for names in found.values() for name in names}}


def parts(name: bytes) -> tuple[str, str]:
    """Hour and period of a name in the dirty set."""
    _, hour, period = name.decode().split(":")
    return hour, period


def collect(bulk: redis.Redis, batch: Dirty) -> list[Snapshot]:
    """Snapshots of those that are still dirty: another flusher may have taken some meanwhile."""
    pipe = bulk.pipeline(transaction=False)
    for tenant_id, names in batch.items():
        read = [keys.tenant(tenant_id), keys.dirty(tenant_id), keys.newcomers(tenant_id)]
        for name in names:
            hour, period = parts(name)
            read += [keys.hour(tenant_id, hour), keys.account(tenant_id, period)]
        pipe.evalsha(scripts.COLLECT.sha, len(read), *read, NEWCOMERS, *names)
    replies = accounts.execute(pipe, bulk, scripts.COLLECT)
    snapshots = [
        _snapshot(one, names, reply) for (one, names), reply in zip(batch.items(), replies, strict=True)
    ]
    return [one for one in snapshots if one.hours]


def _snapshot(tenant_id: int, names: list[bytes], reply: list[Any]) -> Snapshot:
    hours = []
    for name, (score, counts, account) in zip(names, reply[2:], strict=True):
        if score:
            hours.append(Hour(name, *parts(name), score, _fields(counts), _fields(account)))
    return Snapshot(tenant_id, _fields(reply[0]), reply[1], hours)


def _fields(flat: list[bytes] | dict[bytes, bytes]) -> dict[bytes, bytes]:
    if isinstance(flat, dict):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))
