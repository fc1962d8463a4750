"""Brings what Redis counted into PostgreSQL; any number of these may run at once, die, or come late."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import redis
from django.db import transaction

from billing.models import Metric
from usage.metering import accounts, keys, ledger, scripts
from usage.metering.catalogue import catalogue
from usage.metering.ledger import NOTHING, Counts, Total, Totals
from usage.metering.standings import Touch, restand
from usage.models import LateUse

logger = logging.getLogger(__name__)

TENANTS = 1_000  # in one transaction
NEWCOMERS = 5_000  # read of one tenant at a time; the rest follows in the next round
HOUR_KEPT = 7_200  # seconds an hour stays in Redis after it was flushed
# An hour written later than this after its end may be missing in what its period was billed; less than the grace after
# which a period is billed, and by more than any transaction lasts.
LATE = timedelta(hours=1, minutes=30)  # from its beginning
CAUSES = {b"1": "limit", b"2": "cap", b"3": "burst"}


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


def flush(bulk: redis.Redis, at: datetime, *, only: int | None = None) -> int:
    """Keep everything dirty (or all of tenant `only`); returns how many tenants were brought up to date."""
    count = 0
    for batch in _batches(_dirty(bulk, only), TENANTS):
        snapshots = _collect(bulk, batch)
        if snapshots:
            counts = _counts(snapshots)
            _ensure_months(counts, at)
            with transaction.atomic():
                ledger.keep(counts)
                LateUse.objects.bulk_create(_late(snapshots, at))
                restand(_touched(snapshots, counts), at)
                # Redis gives up only what is committed, also where a host calls from inside its own transaction.
                transaction.on_commit(partial(_settle, bulk, snapshots))
            count += len(snapshots)
    return count


def _dirty(bulk: redis.Redis, only: int | None) -> dict[int, list[bytes]]:
    """Names of dirty hours by tenant, those that wait longest first."""
    found: dict[int, list[bytes]] = defaultdict(list)
    wanted = keys.all_dirty() if only is None else [keys.dirty(only)]
    pipe = bulk.pipeline(transaction=False)
    for key in wanted:
        pipe.zrange(key, 0, -1)
    for names in pipe.execute():
        for name in names:
            tenant_id = int(name.partition(b":")[0])
            if only in (None, tenant_id):
                found[tenant_id].append(name)
    return found


def _batches(dirty: dict[int, list[bytes]], size: int) -> Iterator[dict[int, list[bytes]]]:
    rest = iter(sorted(dirty.items()))
    while batch := dict(islice(rest, size)):
        yield batch


def _collect(bulk: redis.Redis, batch: Mapping[int, list[bytes]]) -> list[Snapshot]:
    pipe = bulk.pipeline(transaction=False)
    for tenant_id, names in batch.items():
        read = [keys.tenant(tenant_id), keys.dirty(tenant_id), keys.newcomers(tenant_id)]
        for name in names:
            _, hour, period = name.decode().split(":")
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
        if score:  # another flusher may have taken it meanwhile
            _, hour, period = name.decode().split(":")
            hours.append(Hour(name, hour, period, score, _fields(counts), _fields(account)))
    return Snapshot(tenant_id, _fields(reply[0]), reply[1], hours)


def _fields(flat: list[bytes] | dict[bytes, bytes]) -> dict[bytes, bytes]:
    if isinstance(flat, dict):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _counts(snapshots: Iterable[Snapshot]) -> Counts:
    # Read anew: other processes may have counted a metric that was added a moment ago.
    counts, metrics = Counts(), {metric.code: metric for metric in Metric.objects.all()}
    for one in snapshots:
        _read_levels(one, metrics, counts)
        _read_members(one, metrics, counts)
        for hour in one.hours:
            _read_hour(one.tenant_id, hour, metrics, counts)
        for period, account in {hour.first: hour.account for hour in one.hours}.items():
            _read_account(one.tenant_id, period, account, metrics, counts)
    return counts


def _read_levels(one: Snapshot, metrics: Mapping[str, Metric], counts: Counts) -> None:
    if b"epoch" not in one.levels:
        return
    epoch = int(one.levels[b"epoch"])
    for field, added in one.levels.items():
        if field.startswith(b"a:") and (metric := metrics.get(field[2:].decode())):
            counts.levels.append(
                (one.tenant_id, metric.pk, epoch, int(added), int(one.levels[b"r:" + field[2:]]))
            )


def _read_members(one: Snapshot, metrics: Mapping[str, Metric], counts: Counts) -> None:
    for entry in one.newcomers:
        period, code, member = entry.decode().split("|", 2)
        if metric := metrics.get(code):
            counts.members.append((one.tenant_id, metric.pk, date.fromisoformat(period), member))


def _read_account(
    tenant_id: int,
    period: date,
    account: Mapping[bytes, bytes],
    metrics: Mapping[str, Metric],
    counts: Counts,
) -> None:
    for field, refused in account.items():
        if not field.startswith(b"x:") or not (metric := metrics.get(field[2:].decode())):
            continue
        used = 0
        if metric.kind == Metric.Kind.SUM:
            used = int(account[b"u:" + field[2:]]) - int(account[b"o:" + field[2:]])
        if used or int(refused):
            counts.periods.append((tenant_id, metric.pk, period, int(account[b"epoch"]), used, int(refused)))


def _read_hour(tenant_id: int, hour: Hour, metrics: Mapping[str, Metric], counts: Counts) -> None:
    if b"epoch" not in hour.counts:
        return
    epoch, at = int(hour.counts[b"epoch"]), keys.hour_of(hour.hour)
    for field, value in hour.counts.items():
        kind, _, rest = field.decode().partition(":")
        code, _, detail = rest.partition(":")
        metric = metrics.get(code)
        if metric is None:
            continue
        if kind == "u":
            counts.hours.append((tenant_id, metric.pk, at, detail, epoch, int(value)))
        elif kind == "x":
            counts.refusals.append((tenant_id, metric.pk, at, CAUSES[detail.encode()], epoch, int(value)))
        elif kind == "lp":
            moves = [int(hour.counts.get(f"{part}:{code}".encode(), 0)) for part in ("la", "lr", "lp", "lc")]
            counts.level_hours.append((tenant_id, metric.pk, at, epoch, *moves))


def _late(snapshots: Iterable[Snapshot], at: datetime) -> list[LateUse]:
    """A mark for each period that hours were written in long after they ended."""
    found = {
        (one.tenant_id, hour.first)
        for one in snapshots
        for hour in one.hours
        if keys.hour_of(hour.hour) + LATE <= at
    }
    return [LateUse(tenant_id=tenant_id, period=period, at=at) for tenant_id, period in sorted(found)]


def _touched(snapshots: Iterable[Snapshot], counts: Counts) -> dict[int, Touch]:
    moved: dict[int, datetime] = {}
    for tenant_id, _, hour, *_ in counts.level_hours:
        moved[tenant_id] = min(hour, moved.get(tenant_id, hour))
    return {one.tenant_id: Touch(one.last_used, moved.get(one.tenant_id)) for one in snapshots}


_months: set[date] = set()


@transaction.atomic
def _ensure_months(counts: Counts, at: datetime) -> None:
    """Make partitions that are not there yet: beat makes them ahead, an old Redis may bring older hours.

    Before rows are locked, and in a transaction of its own: two flushes could wait for each other otherwise.
    A month whose time is over may have been dropped since it was made.
    """
    wanted = {ledger.month_of(hour) for _, hour in counts.of_hours()}
    missing = {month for month in wanted if month not in _months or ledger.may_go(month, at)}
    if missing:
        ledger.make_partitions(missing)
        transaction.on_commit(lambda: _months.update(missing))


def _settle(bulk: redis.Redis, snapshots: list[Snapshot]) -> None:
    """After the commit: unmark what did not move meanwhile, and raise Redis where PostgreSQL knows more."""
    pipe = bulk.pipeline(transaction=False)
    for one in snapshots:
        read = [keys.dirty(one.tenant_id), keys.newcomers(one.tenant_id)]
        hours = one.hours if len(one.newcomers) < NEWCOMERS else []  # there may be more: it stays marked
        read += [keys.hour(one.tenant_id, hour.hour) for hour in hours]
        scores = [part for hour in hours for part in (hour.name, hour.score)]
        pipe.evalsha(scripts.SETTLE.sha, len(read), *read, HOUR_KEPT, len(hours), *scores, *one.newcomers)
    accounts.execute(pipe, bulk, scripts.SETTLE)
    _raise(bulk, snapshots)


def _raise(bulk: redis.Redis, snapshots: Iterable[Snapshot]) -> None:
    pairs = [
        (one, hour) for one in snapshots for hour in one.hours if hour.account.get(b"epoch") == one.epoch
    ]
    totals = {
        period: ledger.totals((one.tenant_id, period) for one, hour in pairs if hour.first == period)
        for period in {hour.first for _, hour in pairs}
    }
    pipe = bulk.pipeline(transaction=False)
    for one, hour in {(one.tenant_id, hour.period): (one, hour) for one, hour in pairs}.values():
        _queue_raise(bulk, pipe, one, hour, totals[hour.first])
    accounts.execute(pipe, bulk, scripts.RAISE)


def _queue_raise(bulk: redis.Redis, pipe: Any, one: Snapshot, hour: Hour, totals: Totals) -> None:
    behind = [
        metric
        for metric in catalogue().metrics.values()
        if _is_behind(one, hour, metric, totals.get((one.tenant_id, metric.pk), NOTHING))
    ]
    if not behind:
        return
    read = [keys.tenant(one.tenant_id), keys.account(one.tenant_id, hour.period)]
    read += [
        accounts.add_members(bulk, one.tenant_id, metric, hour.first)
        for metric in behind
        if metric.kind == Metric.Kind.DISTINCT
    ]
    epoch = int(one.epoch or 0)
    values = [
        part for metric in behind for part in accounts.standing_counts(totals, one.tenant_id, metric, epoch)
    ]
    pipe.evalsha(scripts.RAISE.sha, len(read), *read, epoch, *values)


def _is_behind(one: Snapshot, hour: Hour, metric: Metric, total: Total) -> bool:
    """Whether Redis, as it was read, knows less of a metric than PostgreSQL does now."""
    fields = one.levels if metric.kind == Metric.Kind.LEVEL else hour.account
    opening, used, added, removed = (int(fields.get(f"{part}:{metric.code}".encode(), -1)) for part in "ouar")
    own = total.own(int(one.epoch or 0))
    if opening < 0 and metric.kind != Metric.Kind.LEVEL:
        return False
    if metric.kind == Metric.Kind.DISTINCT:
        return used < total.used
    others = total.others(own.epoch)
    if metric.kind == Metric.Kind.SUM:
        return opening < others or used - opening < own.used
    return added >= 0 and (opening != others or added < own.used or removed < own.removed)
