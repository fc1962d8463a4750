"""Brings what Redis counted into PostgreSQL; any number of these may run at once, die, or come late."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice

import redis
from django.db import transaction

from usage.metering import accounts, keys, ledger, scripts, snapshots
from usage.metering.ledger import Counts
from usage.metering.raising import Known, raise_behind
from usage.metering.rows import rows_of
from usage.metering.snapshots import Dirty, Snapshot, collect, dirty, hours_of
from usage.metering.standings import Touch, restand
from usage.models import LateUse

TENANTS = 1_000  # in one transaction
HOUR_KEPT = 7_200  # seconds an hour stays in Redis after it was flushed
# An hour written later than this after its end may be missing in what its period was billed; less than the grace after
# which a period is billed, and by more than any transaction lasts.
LATE = timedelta(hours=1, minutes=30)  # from its beginning


def flush(bulk: redis.Redis, at: datetime, *, only: int | None = None) -> int:
    """Keep everything dirty (or all of tenant `only`); returns how many tenants were brought up to date."""
    found, others = dirty(bulk, only), Dirty()
    _ensure_months(hours_of(found), at)
    count = sum(_flush(bulk, batch, at, others if only is None else None) for batch in _batches(found))
    # Whoever was at these may have begun before `at`, or have died: what is still dirty of them is kept all the same.
    return count + sum(_flush(bulk, batch, at) for batch in _batches(others))


def _flush(bulk: redis.Redis, batch: Dirty, at: datetime, others: Dirty | None = None) -> int:
    """Keep these together. With `others` given, what another flusher is at is left to it, and put down there."""
    with transaction.atomic():
        mine = batch if others is None else _taken(batch, others)
        found = collect(bulk, mine)
        if found:
            counts = rows_of(found)
            ledger.keep(counts)
            LateUse.objects.bulk_create(_late(found, at))
            known = restand(_touched(found, counts), at)
            # Redis gives up only what is committed, also where a host calls from inside its own transaction.
            transaction.on_commit(partial(_settle, bulk, found, known))
    return len(found)


def _taken(batch: Dirty, others: Dirty) -> Dirty:
    """What no other flusher is at: two that kept the same would only wait for each other, from batch to batch."""
    tags = {tenant_id: keys.tag_of(tenant_id) for tenant_id in batch}
    taken = ledger.take(set(tags.values()))
    others.update((pk, names) for pk, names in batch.items() if tags[pk] not in taken)
    return {pk: names for pk, names in batch.items() if tags[pk] in taken}


def _batches(found: Dirty) -> Iterator[Dirty]:
    rest = iter(list(found.items()))
    while batch := dict(islice(rest, TENANTS)):
        yield batch


def _late(found: Iterable[Snapshot], at: datetime) -> list[LateUse]:
    """A mark for each period that hours were written in long after they ended."""
    late = {
        (one.tenant_id, hour.first)
        for one in found
        for hour in one.hours
        if keys.hour_of(hour.hour) + LATE <= at
    }
    return [LateUse(tenant_id=tenant_id, period=period, at=at) for tenant_id, period in sorted(late)]


def _touched(found: Iterable[Snapshot], counts: Counts) -> dict[int, Touch]:
    moved: dict[int, datetime] = {}
    for tenant_id, _, hour, *_ in counts.level_hours:
        moved[tenant_id] = min(hour, moved.get(tenant_id, hour))
    return {one.tenant_id: Touch(one.last_used, moved.get(one.tenant_id)) for one in found}


_months: set[date] = set()


def _ensure_months(hours: Collection[datetime], at: datetime) -> None:
    """Make partitions that are not there yet: beat makes them ahead, an old Redis may bring older hours.

    Before rows are locked, and in a transaction of its own: two flushes could wait for each other otherwise.
    A month whose time is over may have been dropped since it was made.
    """
    wanted = {ledger.month_of(hour) for hour in hours}
    missing = {month for month in wanted if month not in _months or ledger.may_go(month, at)}
    if missing:
        with transaction.atomic():
            ledger.make_partitions(missing)
            transaction.on_commit(lambda: _months.update(missing))


def _settle(bulk: redis.Redis, found: list[Snapshot], known: Known) -> None:
    """After the commit: unmark what did not move meanwhile, and raise Redis where PostgreSQL knows more."""
    pipe = bulk.pipeline(transaction=False)
    for one in found:
        read = [keys.dirty(one.tenant_id), keys.newcomers(one.tenant_id)]
        # Where there may be more newcomers it stays marked.
        hours = one.hours if len(one.newcomers) < snapshots.NEWCOMERS else []
        read += [keys.hour(one.tenant_id, hour.hour) for hour in hours]
        scores = [part for hour in hours for part in (hour.name, hour.score)]
        pipe.evalsha(scripts.SETTLE.sha, len(read), *read, HOUR_KEPT, len(hours), *scores, *one.newcomers)
    accounts.execute(pipe, bulk, scripts.SETTLE)
    raise_behind(bulk, found, known)
