"""Raises Redis where PostgreSQL knows more: what an older life of it, or another epoch, had counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import redis

from billing.models import Metric
from usage.metering import accounts, keys, ledger, scripts
from usage.metering.catalogue import catalogue
from usage.metering.ledger import NOTHING, Total, Totals
from usage.metering.snapshots import Hour, Snapshot

Known = Mapping[tuple[int, date], Totals]  # by tenant id and period


def raise_behind(bulk: redis.Redis, snapshots: Iterable[Snapshot], known: Known) -> None:
    """Raise the accounts that were read, to the totals in `known`; those of other periods are read."""
    accounts_read = list(_accounts(snapshots))
    others = {hour.first for one, hour in accounts_read if (one.tenant_id, hour.first) not in known}
    late = {
        period: ledger.totals((one.tenant_id, period) for one, hour in accounts_read if hour.first == period)
        for period in others
    }
    pipe, metrics = bulk.pipeline(transaction=False), [(one, one.pk) for one in catalogue().metrics.values()]
    for one, hour in accounts_read:
        totals, epoch = (
            known.get((one.tenant_id, hour.first)) or late.get(hour.first, {}),
            int(one.epoch or 0),
        )
        behind = [
            metric
            for metric, pk in metrics
            if _is_behind(one, hour, metric, epoch, totals.get((one.tenant_id, pk), NOTHING))
        ]
        if behind:
            _queue(bulk, pipe, one, hour, behind, totals)
    accounts.execute(pipe, bulk, scripts.RAISE)


def _accounts(snapshots: Iterable[Snapshot]) -> Iterator[tuple[Snapshot, Hour]]:
    """Of each account that lives in its tenant's epoch one hour that it was read with."""
    for one in snapshots:
        for hour in {hour.period: hour for hour in one.hours}.values():
            if hour.account.get(b"epoch") == one.epoch:
                yield one, hour


def _queue(
    bulk: redis.Redis, pipe: Any, one: Snapshot, hour: Hour, behind: list[Metric], totals: Totals
) -> None:
    epoch = int(one.epoch or 0)
    read = [keys.tenant(one.tenant_id), keys.account(one.tenant_id, hour.period)]
    read += [
        accounts.add_members(bulk, one.tenant_id, metric, hour.first)
        for metric in behind
        if metric.kind == Metric.Kind.DISTINCT
    ]
    values = [
        part for metric in behind for part in accounts.standing_counts(totals, one.tenant_id, metric, epoch)
    ]
    pipe.evalsha(scripts.RAISE.sha, len(read), *read, epoch, *values)


def _is_behind(one: Snapshot, hour: Hour, metric: Metric, epoch: int, total: Total) -> bool:
    """Whether Redis, as it was read, knows less of a metric than PostgreSQL does now."""
    is_level = metric.kind == Metric.Kind.LEVEL
    if total is NOTHING and not is_level:
        return False
    fields = one.levels if is_level else hour.account
    opening, used, added, removed = [int(fields.get(name, -1)) for name in _names(metric.code)]
    if (added if is_level else opening) < 0:
        return False
    if metric.kind == Metric.Kind.DISTINCT:
        return used < total.used
    own, others = total.own(epoch), total.others(epoch)
    if is_level:
        return opening != others or added < own.used or removed < own.removed
    return opening < others or used - opening < own.used


@lru_cache(maxsize=100)
def _names(code: str) -> tuple[bytes, ...]:
    """The fields of a metric: what it was opened with, used, added and removed."""
    return tuple(f"{part}:{code}".encode() for part in "ouar")
