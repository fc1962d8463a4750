"""A flusher may be killed between any two of its statements: what it leaves is brought in by the next one, once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import flush, hours_by_metric, kept, live, members, refused
from tests.usage.crew import own_environment
from usage.metering import Charge, consume, record
from usage.models import Alert, LevelHour

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

DONE, KILLED = 0, -9
Dying = Callable[[int], int]


@pytest.fixture
def die(transactional_db: None, redis_db: redis.Redis, patient: None) -> Iterator[Dying]:
    """Lets a flush run in a process that is killed before its step of a number; returns how it ended."""
    command = [sys.executable, "-m", "tests.usage.dying", "flush"]
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


def use(tenant: Tenant, step: int) -> None:
    """What is done before each death: one of everything, and one refusal."""
    now = timezone.now()
    record(
        tenant,
        Charge("api_calls", 3, label=f"label {step % 4}"),
        Charge("storage", 5),
        Charge("users", member=f"user {step}"),
        at=now,
    )
    record(tenant, Charge("storage", -2), at=now)
    assert consume(tenant, Charge("bandwidth", 500_000_001), at=now).refused


def test_killed_anywhere_a_flush_loses_and_doubles_nothing(die: Dying, make_tenant: MakeTenant) -> None:
    tenants = [make_tenant("northwind"), make_tenant("globex")]
    step, ended = 0, KILLED
    while ended == KILLED:
        step += 1
        for tenant in tenants:
            use(tenant, step)
        ended = die(step)
        if step % 3 == 0:  # others die one after another, each at a later step
            check(tenants, step)
    assert ended == DONE
    assert step > 20
    check(tenants, step)


def check(tenants: list[Tenant], steps: int) -> None:
    """All that was used is in PostgreSQL after one more flush, and Redis says the same."""
    now = timezone.now()
    flush(now + timedelta(seconds=1))
    for tenant in tenants:
        assert [kept(tenant, code) for code in ("api_calls", "storage", "users")] == [
            3 * steps,
            3 * steps,
            steps,
        ]
        assert [live(tenant, code, now) for code in ("api_calls", "storage", "users")] == [
            3 * steps,
            3 * steps,
            steps,
        ]
        assert refused(tenant, "bandwidth") == steps
        assert members(tenant) == {f"user {number}" for number in range(1, steps + 1)}
        assert hours_by_metric(tenant)["api_calls"] == 3 * steps
        moves = LevelHour.objects.filter(tenant=tenant).values_list("added", "removed")
        assert [sum(column) for column in zip(*moves, strict=True)] == [5 * steps, 2 * steps]
        assert Alert.objects.filter(tenant=tenant, kind="refused").count() == 1
