"""Compares what Redis, the totals and the hours say of tenants whose counts are all written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import redis

from billing.models import Metric
from billing.periods import Period
from tenants.models import Tenant
from usage.metering import evidence, keys, ledger
from usage.metering.catalogue import catalogue
from usage.metering.ledger import NOTHING, Total, Totals

Fields = Mapping[bytes, bytes]


class Place(StrEnum):
    """Where a count can be behind the others."""

    REDIS = "Redis"
    TOTALS = "totals"
    HOURS = "hours"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Gap:
    """A metric of a tenant that is behind in one place: by so many units, which should be `to` there.

    `to` and `removed` are units of `epoch`; of hours, of the whole period; of Redis they don't matter: it is raised
    to what the totals say.
    """

    tenant: Tenant
    metric: Metric
    period: Period
    place: Place
    by: int
    epoch: int = 0
    to: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """One tenant in Redis: levels, the account of its period, and how many members its sets have."""

    levels: Fields
    account: Fields
    members: Mapping[str, int]

    @property
    def epoch(self) -> int:
        """The epoch of its account, 0 where none is open."""
        epoch = self.levels.get(b"epoch", b"0")
        return int(epoch) if self.account.get(b"epoch") == epoch else 0

    def number(self, kind: str, metric: Metric) -> int:
        fields = self.levels if metric.kind == Metric.Kind.LEVEL else self.account
        return int(fields.get(f"{kind}:{metric.code}".encode(), 0))

    def has(self, metric: Metric) -> bool:
        fields = self.levels if metric.kind == Metric.Kind.LEVEL else self.account
        return self.epoch > 0 and f"o:{metric.code}".encode() in fields


@dataclass(frozen=True, slots=True)
class Audit:
    """What was compared (metrics of tenants), who changed meanwhile, and what was found."""

    counts: int = 0
    moving: int = 0
    gaps: list[Gap] = field(default_factory=list)


def audit(bulk: redis.Redis, periods: Mapping[Tenant, Period]) -> Audit:
    """Compare what is known of tenants in the periods named with them.

    Only of who is not dirty, and the same in Redis before and after PostgreSQL was read: nothing of theirs is on its
    way then.
    """
    if not periods:
        return Audit()
    before, late = _books(bulk, periods), _dirty(bulk)
    with evidence.one_moment():
        known = _Known(periods)
    after, late = _books(bulk, periods), late | _dirty(bulk)
    still = [one for one in periods if one.pk not in late and before[one] == after[one]]
    metrics = catalogue().metrics.values()
    gaps = [
        gap
        for one in still
        for metric in metrics
        for gap in known.gaps(one, metric, periods[one], after[one])
    ]
    return Audit(len(still) * len(metrics), len(periods) - len(still), gaps)


def _books(bulk: redis.Redis, periods: Mapping[Tenant, Period]) -> dict[Tenant, Book]:
    sets = [code for code, one in catalogue().metrics.items() if one.kind == Metric.Kind.DISTINCT]
    pipe = bulk.pipeline(transaction=False)
    for tenant, period in periods.items():
        pipe.hgetall(keys.tenant(tenant.pk))
        pipe.hgetall(keys.account(tenant.pk, period))
        for code in sets:
            pipe.scard(keys.members(tenant.pk, code, period))
    replies = iter(pipe.execute())
    return {
        tenant: Book(next(replies), next(replies), {code: next(replies) for code in sets})
        for tenant in periods
    }


def _dirty(bulk: redis.Redis) -> set[int]:
    pipe = bulk.pipeline(transaction=False)
    for key in keys.all_dirty():
        pipe.zrange(key, 0, -1)
    return {int(name.partition(b":")[0]) for names in pipe.execute() for name in names}


class _Known:
    """All that PostgreSQL says of some tenants in their periods."""

    def __init__(self, periods: Mapping[Tenant, Period]) -> None:
        wanted = [(tenant.pk, period.first, period.until) for tenant, period in periods.items()]
        self.stale = evidence.stale_tenants(tenant for tenant, _, _ in wanted)
        self.totals: Totals = ledger.totals((tenant, first) for tenant, first, _ in wanted)
        self.hours = evidence.units_in_hours(wanted)
        self.members = evidence.member_counts((tenant, first) for tenant, first, _ in wanted)

    def gaps(self, tenant: Tenant, metric: Metric, period: Period, book: Book) -> Iterator[Gap]:
        total = self.totals.get((tenant.pk, metric.pk), NOTHING)
        if metric.kind == Metric.Kind.LEVEL:
            yield from _level(tenant, metric, period, book, total)
        elif metric.kind == Metric.Kind.DISTINCT:
            yield from _distinct(
                tenant, metric, period, book, total, self.members.get((tenant.pk, metric.pk), 0)
            )
        else:
            in_hours = None if tenant.pk in self.stale else self.hours.get((tenant.pk, metric.pk), 0)
            yield from _sum(tenant, metric, period, book, total, in_hours)


def _sum(
    tenant: Tenant, metric: Metric, period: Period, book: Book, total: Total, in_hours: int | None
) -> Iterator[Gap]:
    # Without an account the latest epoch that the totals know takes what is missing; no life of Redis is of epoch 0.
    epoch = book.epoch or max((part.epoch for part in total.parts), default=0)
    own, others = total.own(epoch).used, total.others(epoch)
    most = own
    if book.has(metric):
        most = max(most, book.number("u", metric) - book.number("o", metric))
    if in_hours is not None:
        most = max(most, in_hours - others)
    if most > own:
        yield Gap(tenant, metric, period, Place.TOTALS, most - own, epoch, most)
    if book.has(metric) and book.number("u", metric) < others + most:
        yield Gap(tenant, metric, period, Place.REDIS, others + most - book.number("u", metric), epoch)
    if in_hours is not None and in_hours < others + most:
        yield Gap(tenant, metric, period, Place.HOURS, others + most - in_hours, epoch, others + most)


def _distinct(
    tenant: Tenant, metric: Metric, period: Period, book: Book, total: Total, members: int
) -> Iterator[Gap]:
    # Hours are no measure: after a loss of Redis a member that was not kept yet counts in two of them.
    inside = book.members[metric.code] if book.has(metric) else 0
    if inside > members:
        yield Gap(tenant, metric, period, Place.MEMBERS, inside - members)
    if total.used < max(members, inside):
        yield Gap(
            tenant, metric, period, Place.TOTALS, max(members, inside) - total.used, 0, max(members, inside)
        )
    behind = max(members - inside, inside - book.number("u", metric))
    if book.has(metric) and behind > 0:
        yield Gap(tenant, metric, period, Place.REDIS, behind, book.epoch)


def _level(tenant: Tenant, metric: Metric, period: Period, book: Book, total: Total) -> Iterator[Gap]:
    # Hours are no measure either: they go after their time, a level does not.
    if not book.has(metric):
        return
    own, added, removed = total.own(book.epoch), book.number("a", metric), book.number("r", metric)
    if added > own.used or removed > own.removed:
        to = max(added, own.used), max(removed, own.removed)
        by = to[0] - own.used + to[1] - own.removed
        yield Gap(tenant, metric, period, Place.TOTALS, by, book.epoch, *to)
    others = max(0, total.others(book.epoch) - book.number("o", metric))
    behind = max(0, own.used - added) + max(0, own.removed - removed) + others
    if behind:
        yield Gap(tenant, metric, period, Place.REDIS, behind, book.epoch)


def described(gaps: Sequence[Gap]) -> list[str]:
    """Each as a sentence: who, what, where, by how much."""
    return [f"{one.tenant.name}, {one.metric.name}: {one.place} raised by {one.by:,}" for one in gaps]
