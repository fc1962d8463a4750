"""What tests of counting ask: what PostgreSQL and Redis hold of a tenant, and what time the server has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db.models import Sum

from billing.models import Metric
from tenants.models import Tenant
from tests.usage.scripting import clocked, set_clock
from usage.metering import chores, links, peek, scripts, snapshots
from usage.metering import flush as flushing
from usage.metering.snapshots import Snapshot
from usage.models import LevelHour, RefusalHour, UsageHour, UsageLevel, UsageMember, UsagePeriod

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """The time of Redis, for the scripts that read it; tests pass `now` on to the rest."""

    def __init__(self, server: redis.Redis, now: datetime = NOON) -> None:
        self._server = server
        self.move_to(now)

    def move_to(self, now: datetime) -> None:
        self.now = now
        set_clock(self._server, int(now.timestamp()), now.microsecond)

    def tick(self, **parts: float) -> datetime:
        self.move_to(self.now + timedelta(**parts))
        return self.now


def set_scripts_to_clock(patch: pytest.MonkeyPatch) -> None:
    """Let the scripts take their time from `Clock`."""
    for name in ("CONSUME", "OPEN"):
        patch.setattr(scripts, name, clocked(getattr(scripts, name), is_ticking=True))


def server() -> redis.Redis:
    """A plain connection to the Redis that is counted in."""
    return redis.Redis.from_url(settings.HEADROOM_REDIS_URL)


def live(tenant: Tenant, code: str, at: datetime) -> int:
    """What Redis says is used."""
    gauges = peek(tenant, at)
    assert gauges is not None, "the tenant is not open"
    used: dict[str, int] = {gauge.metric.code: gauge.used for gauge in gauges}
    return used[code]


def kept(tenant: Tenant, code: str, **where: Any) -> int:
    """What PostgreSQL says is used: over all periods, or `period=` one; of a level the amount."""
    metric = Metric.objects.get(code=code)
    rows: Any
    if metric.kind == Metric.Kind.LEVEL:
        rows = UsageLevel.objects.filter(tenant=tenant, metric=metric).values_list("added", "removed")
        return max(0, sum(int(added - removed) for added, removed in rows))
    rows = UsagePeriod.objects.filter(tenant=tenant, metric=metric, **where)
    return int(rows.aggregate(all=Sum("used"))["all"] or 0)


def refused(tenant: Tenant, code: str) -> int:
    """How many charges PostgreSQL says were refused."""
    rows = UsagePeriod.objects.filter(tenant=tenant, metric__code=code)
    return int(rows.aggregate(all=Sum("refused"))["all"] or 0)


def used_by_metric(tenant: Tenant) -> Counter[str]:
    """What PostgreSQL says is used of each metric over all periods; levels are elsewhere."""
    return _sums(UsagePeriod.objects.filter(tenant=tenant), "used")


def refused_by_metric(tenant: Tenant) -> Counter[str]:
    return _sums(UsagePeriod.objects.filter(tenant=tenant), "refused")


def hours_by_metric(tenant: Tenant) -> Counter[str]:
    """Units over all hours."""
    return _sums(UsageHour.objects.filter(tenant=tenant), "quantity")


def _sums(rows: Any, column: str) -> Counter[str]:
    return Counter(dict(rows.values_list("metric__code").annotate(all=Sum(column))))


def by_label(tenant: Tenant, code: str, **where: Any) -> dict[str, int]:
    """Units by label over all hours."""
    rows = UsageHour.objects.filter(tenant=tenant, metric__code=code, **where)
    return dict(rows.values_list("label").annotate(all=Sum("quantity")))


def in_hours(tenant: Tenant, code: str, **where: Any) -> int:
    """Units over all hours."""
    return sum(by_label(tenant, code, **where).values())


def members(tenant: Tenant, code: str = "users") -> set[str]:
    return set(UsageMember.objects.filter(tenant=tenant, metric__code=code).values_list("member", flat=True))


def everything_kept() -> list[Any]:
    """All rows of counts, to compare."""
    tables = (UsagePeriod, UsageLevel, UsageMember, UsageHour, LevelHour, RefusalHour)
    return [sorted(table.objects.values_list(), key=str) for table in tables]


def flush(at: datetime) -> int:
    """Bring all counts into PostgreSQL."""
    return chores.flush(at)


def collect(tenant: Tenant) -> list[Snapshot]:
    """The first step of a flush: what it reads of a tenant."""
    return snapshots.collect(links.bulk(), snapshots.dirty(links.bulk(), tenant.pk))


def keep(found: list[Snapshot]) -> None:
    """The second step, committed; `settle` is the third."""
    with pytest.MonkeyPatch.context() as patch:
        names = {one.tenant_id: [hour.name for hour in one.hours] for one in found}
        patch.setattr(flushing, "dirty", lambda bulk, only: names)
        patch.setattr(flushing, "collect", lambda bulk, batch: found)
        patch.setattr(flushing, "_settle", lambda bulk, found, known: None)
        flush(max(one.last_used for one in found))


def settle(found: list[Snapshot]) -> None:
    flushing._settle(links.bulk(), found, {})


@contextmanager
def another_life(patch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """Inside, connections find that they speak to another life of Redis."""
    with patch.context() as inner:
        inner.setattr(links.Link, "life", lambda self, *, fresh=False: name.encode())
        yield
