"""Who issues statements may be killed between any two statements to the database: nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from billing.closings import closing
from billing.models import Closing, Statement
from billing.periods import Period, period_at, period_before
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import own
from tests.usage.billed import until_buried
from tests.usage.counted import use
from tests.usage.crew import own_environment
from usage.metering import chores
from usage.models import Delivery, LateUse

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

DONE, KILLED = 0, -9
Dying = Callable[[int], int]


@pytest.fixture
def die(transactional_db: None, redis_db: redis.Redis, patient: None) -> Iterator[Dying]:
    """Lets periods be closed in a process that is killed before its step of a number; returns how it ended."""
    command = [sys.executable, "-m", "tests.usage.dying", "close_periods"]
    with subprocess.Popen(
        command, env=own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def until(step: int) -> int:
            process.stdin.write(f"{step}\n")  # type: ignore[union-attr]  # asserted above
            process.stdin.flush()  # type: ignore[union-attr]
            return int(process.stdout.readline())  # type: ignore[union-attr]

        yield until
        process.kill()


def until_done(die: Dying, tenants: list[Tenant]) -> int:
    """One run after another, each killed a step later, until one is done; returns at which step."""
    step, ended = 0, KILLED
    while ended == KILLED:
        step += 1
        ended = die(step)
        until_buried()
        nothing_is_half_done(tenants)
    assert ended == DONE
    return step


def nothing_is_half_done(tenants: list[Tenant]) -> None:
    """Whoever has a statement has all of it: its number, its mails, the next period."""
    rows = Statement.objects.all()
    months: dict[str, set[int]] = {}
    for number in rows.values_list("number", flat=True):
        month, _, running = number.rpartition("-")
        months.setdefault(month, set()).add(int(running))
    assert all(taken == set(range(1, len(taken) + 1)) for taken in months.values())
    assert set(Delivery.objects.values_list("statement", flat=True)) == set(rows.values_list("pk", flat=True))
    for tenant in tenants:
        periods = list(rows.originals().filter(tenant=tenant).values_list("period", flat=True))
        assert len(periods) == len(set(periods))
        assert Closing.objects.get(tenant=tenant).period not in periods


def over(tenant: Tenant, since: Period, at: datetime) -> list[Period]:
    """The periods from `since` on that are over at `at`, and their grace."""
    found, one = [], since
    while one.ends + settings.HEADROOM_CLOSE_GRACE <= at:
        found.append(one)
        one = period_at(tenant, one.ends)
    return found


def test_killed_anywhere_every_period_is_billed_and_adjusted_once(
    die: Dying, make_tenant: MakeTenant
) -> None:
    now = timezone.now()
    tenants = [make_tenant(f"t{number}", plan="pro", anchor_day=1 + number * 9) for number in range(3)]
    since = {one: period_before(one, period_before(one, period_at(one, now))) for one in tenants}
    for tenant, period in since.items():
        own(tenant, f"owner@{tenant.slug}.example")
        use(tenant, "api_calls", 501_000, at=period.starts)
        closing(tenant, period).save()

    assert until_done(die, tenants) > 15
    issued = {one: list(Statement.objects.filter(tenant=one).order_by("period")) for one in tenants}
    for tenant, period in since.items():
        assert [one.period for one in issued[tenant]] == [one.first for one in over(tenant, period, now)]
        assert issued[tenant][0].total == 200

    for tenant, period in since.items():
        use(tenant, "api_calls", 2_000, at=period.starts + timedelta(hours=3))
        for _ in range(2):
            LateUse.objects.create(tenant=tenant, period=period.first, at=now - settings.HEADROOM_CLOSE_GRACE)
    assert until_done(die, tenants) > 5
    assert not LateUse.objects.exists()
    for tenant in tenants:
        original, *rest = issued[tenant]
        assert [one.total for one in original.adjustments.all()] == [2]
        assert not Statement.objects.filter(of__in=rest).exists()
    assert chores.close_periods(now) == 0
