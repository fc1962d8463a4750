"""Keeps open accounts true without a request: changed limits, begun periods, caps, forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import redis
from django.db import connection, transaction
from django.db.models import F

from billing.entitlements import entitlements_of
from billing.models import Allowance, EntitlementChange, Metric, PriceTier, SpendCap
from billing.periods import period_at
from tenants.arrays import among
from tenants.models import Tenant
from usage.metering.accounts import AHEAD, Opening, look, open_account, rewrite_limits
from usage.metering.expectations import learn
from usage.metering.standings import restand
from usage.models import Standing
from usage.money.levels import hour_of

CHUNK = 1_000
ACTIVE = timedelta(days=7)  # used since then = active


def take_over_changes(bulk: redis.Redis, at: datetime) -> int:
    """Bring waiting changes of limits into Redis, busiest tenants first, then judge; returns how many changes.

    Limits first for all, so that judging the first thousand delays no limit of the last, nor of who changes meanwhile.
    """
    count, is_judged = 0, True
    while is_judged:
        count += sum(_take_over(bulk, some, at) for some in _waiting())
        is_judged = _judge_changed(at) > 0
    return count


def _waiting() -> Iterator[Sequence[int]]:
    """Waiting changes, busiest tenants first; what is written meanwhile comes before the rest.

    Put in order once: to do so for each chunk anew would take longer than to bring it into Redis.
    """
    rest, last = list[int](), 0
    while rest := [*(new := _busiest_first(last)), *rest]:
        last = max(new, default=last)
        yield rest[:CHUNK]
        del rest[:CHUNK]


def _busiest_first(after: int) -> list[int]:
    waiting = EntitlementChange.objects.waiting().filter(pk__gt=after)
    if not waiting.exists():  # asked for each chunk: without a look at who was used when
        return []
    by_use = waiting.order_by(F("tenant__standing__last_used").desc(nulls_last=True), "pk")
    return list(by_use.values_list("pk", flat=True))


@transaction.atomic
def _take_over(bulk: redis.Redis, some: Sequence[int], at: datetime) -> int:
    """Bring these changes into Redis, but for what another has taken by now; returns how many."""
    waiting = (
        EntitlementChange.objects.waiting().filter(among("pk", some)).select_for_update(skip_locked=True)
    )
    taken = dict(waiting.values_list("pk", "tenant_id"))
    rewrite_limits(bulk, Tenant.objects.filter(among("pk", taken.values())), at)
    EntitlementChange.objects.filter(among("pk", taken)).update(felt_at=at)
    return len(taken)


@transaction.atomic
def _judge_changed(at: datetime) -> int:
    waiting = EntitlementChange.objects.unjudged().select_for_update(skip_locked=True)
    changes = list(waiting[:CHUNK])
    restand({change.tenant_id: None for change in changes}, at)
    EntitlementChange.objects.filter(pk__in=[change.pk for change in changes]).update(judged_at=at)
    return len(changes)


def begin_periods(at: datetime) -> int:
    """Judge and write down tenants whose period has ended, and new ones; returns how many.

    Levels carry over: who is past a threshold on the first day hears of it then.
    """
    count = 0
    while due := _to_begin(at):
        restand(dict.fromkeys(due), at)
        count += len(due)
    return count


def _to_begin(at: datetime) -> Sequence[int]:
    ended = Standing.objects.filter(period_ends__lte=at).order_by("period_ends")
    due = list(ended.values_list("tenant_id", flat=True)[:CHUNK])
    return due or list(
        Tenant.objects.filter(standing=None).order_by("pk").values_list("pk", flat=True)[:CHUNK]
    )


def expect_use(at: datetime) -> int:
    """Learn what the periods of tenants still bring, once in a UTC day, and judge them by it; returns how many.

    Dying anywhere leaves the rest for the next run; whoever began a period meanwhile was learnt for the one before.
    """
    count = 0
    while taken := _expect_next(at):
        count += taken
    return count


@transaction.atomic
def _expect_next(at: datetime) -> int:
    """Some that are due; none where another is at it: there is much to read, and no use in reading it twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('usage expectations'))")
        if not cursor.fetchone()[0]:
            return 0
    today = at.astimezone(UTC).date()
    due = list(_to_expect(today))
    if due:
        learn(list(Tenant.objects.filter(pk__in=due).order_by("pk")), at)
        restand(dict.fromkeys(due), at)
        Standing.objects.filter(pk__in=due).update(expected_on=today)
    return len(due)


def _to_expect(today: date) -> Iterable[int]:
    late = Standing.objects.filter(expected_on__lt=today).order_by("expected_on", "pk")
    new = Standing.objects.filter(expected_on=None).order_by("pk")
    return late.values_list("pk", flat=True)[:CHUNK] or new.values_list("pk", flat=True)[:CHUNK]


def hold_caps(at: datetime) -> int:
    """Judge tenants with a spend cap whose levels cost more with the hour that began; returns how many.

    What stands there costs without a request: so the cap acts, and tells, without one.
    """
    due = _capped_levels(at)
    for start in range(0, len(due), CHUNK):
        restand(dict.fromkeys(due[start : start + CHUNK]), at)
    return len(due)


def _capped_levels(at: datetime) -> Sequence[int]:
    """Tenants with a cap, on a plan that charges for levels, that were not judged in this hour."""
    charged = PriceTier.objects.filter(
        allowance__metric__kind=Metric.Kind.LEVEL, allowance__beyond=Allowance.Beyond.BILL
    )
    capped = Standing.objects.filter(tenant__in=SpendCap.objects.values("tenant"))
    late = capped.filter(plan__in=charged.values("allowance__plan"), counted_at__lt=hour_of(at))
    return list(late.order_by("tenant_id").values_list("tenant_id", flat=True))


def open_ahead(bulk: redis.Redis, life: bytes, at: datetime) -> int:
    """Open the next period's accounts of active tenants shortly before theirs ends; returns how many.

    So that midnight of the first does not send every tenant to PostgreSQL at once.
    """
    soon = Standing.objects.filter(period_ends__gt=at, period_ends__lte=at + AHEAD, last_used__gt=at - ACTIVE)
    count = 0
    for standing in soon.select_related("tenant").order_by("tenant_id").iterator(chunk_size=CHUNK):
        tenant = standing.tenant
        found = look(bulk, tenant.pk)
        if found.is_alive(life):
            count += _open_next(bulk, tenant, found, life, at)
    return count


def _open_next(bulk: redis.Redis, tenant: Tenant, found: Opening, life: bytes, at: datetime) -> bool:
    ends = period_at(tenant, at).ends
    return open_account(bulk, tenant, entitlements_of([tenant], ends)[tenant.pk], found, life, at)


def sweep_limits(bulk: redis.Redis, at: datetime) -> int:
    """Write the limits of all tenants used lately once more, should a change have passed unseen; returns how many."""
    lately = Tenant.objects.filter(standing__last_used__gt=at - AHEAD).order_by("pk")
    ids = list(lately.values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        rewrite_limits(bulk, Tenant.objects.filter(pk__in=ids[start : start + CHUNK]), at)
    return len(ids)
