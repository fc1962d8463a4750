"""Everything that can happen to counts, in any order, against the model in `rules`: none twice, none lost unsaid."""

from __future__ import annotations

import os
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing.changes import limits_changed
from billing.entitlements import entitlements_of
from billing.models import Override
from billing.periods import period_after, period_at
from tenants.models import Tenant
from tests.usage.calling_machine import METRICS, CallingMachine, calls
from tests.usage.counting import (
    Clock,
    collect,
    hours_by_metric,
    keep,
    kept,
    members,
    refused_by_metric,
    settle,
    used_by_metric,
)
from tests.usage.rules import DISTINCT, LEVEL, SUMS, Act, Limits, Memory
from usage.metering import accounts, chores, links, scripts, upkeep
from usage.metering.flush import flush
from usage.metering.snapshots import Snapshot

LOSSES = ("emptied", "restarted", "older")
IS_CI = bool(os.environ.get("CI"))
PROFILE = settings(
    max_examples=200 if IS_CI else 25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@dataclass
class Reading:
    """A flusher that has read, and may go on at any time, several times over."""

    snapshots: list[Snapshot]
    memory: Memory


class CountingMachine(CallingMachine):
    """The same with flushers, edits of limits, time, and losses of Redis."""

    readings: Bundle[Reading] = Bundle("readings")
    writers: Bundle[Any] = Bundle("writers")

    def __init__(self) -> None:
        super().__init__()
        self.copy: tuple[dict[Any, Any], Memory | None] = {}, None
        self.totals = Counter[str]()
        self.months = 0

    # Flushing

    @rule()
    def flush(self) -> None:
        flush(links.bulk(), self.clock.now, only=self.tenant.pk)
        self.model.flush()
        self.check_ledger()

    @rule(target=readings)
    def read(self) -> Any:
        return self.collect()

    def collect(self) -> Any:
        snapshots, memory = collect(self.tenant), self.model.collect()
        assert bool(snapshots) == bool(memory)
        return Reading(snapshots, memory) if memory else multiple()

    @rule(reading=readings, is_settled=st.booleans())
    def finish(self, reading: Reading, is_settled: bool) -> None:
        """A flusher goes on with what it read before; dead ones never settle, slow ones are repeated by others."""
        keep(reading.snapshots)
        self.model.ledger.keep(reading.memory)
        self.check_ledger()
        if is_settled:
            settle(reading.snapshots)
            self.model.settle(reading.memory)

    # Limits

    @rule(metric=st.sampled_from(METRICS), units=st.integers(0, 60))
    def edit(self, metric: str, units: int) -> None:
        rows = Override.objects.filter(tenant=self.tenant, metric__code=metric, mode="set")
        self.change(lambda: rows.update(units=units))
        self.model.base[metric] = units

    @rule(metric=st.sampled_from(METRICS), units=st.integers(1, 20), minutes=st.integers(1, 90))
    def give_more_for_a_while(self, metric: str, units: int, minutes: int) -> None:
        now, ends = self.clock.now, self.clock.now + timedelta(minutes=minutes)
        fields = {"metric": self.metrics[metric], "units": units, "starts": now, "ends": ends}
        self.change(lambda: Override.objects.create(tenant=self.tenant, **fields))
        self.model.extras.append((metric, units, ends.timestamp()))

    def change(self, write: Any) -> None:
        with transaction.atomic():
            write()
            limits_changed(Tenant.objects.filter(pk=self.tenant.pk), reason="machine", at=self.clock.now)
        self.model.version += 1

    @rule()
    def take_over(self) -> None:
        if chores.take_over_changes(self.clock.now):
            for period, limits in self.limits_to_write():
                self.model.bring(period, limits)
        if not self.is_cold and self.model.memory:
            held = self.model.memory.accounts[self.period].limits
            assert held.units == self.model.limits(self.now, self.period_ends.timestamp()).units

    def limits_to_write(self) -> list[tuple[str, Limits]]:
        """Of the current period and the next."""
        current = period_at(self.tenant, self.clock.now)
        following = period_after(self.tenant, current)
        return [
            (str(current), self.model.limits(self.now, current.ends.timestamp())),
            (str(following), self.model.limits(current.ends.timestamp(), following.ends.timestamp())),
        ]

    @rule(target=writers)
    def read_limits(self) -> Any:
        """A writer of limits reads them now and writes them at any time."""
        return entitlements_of([self.tenant], self.clock.now)[self.tenant.pk], self.limits_to_write()[0]

    @rule(writer=consumes(writers))
    def write_limits(self, writer: Any) -> None:
        entitlements, (period, limits) = writer
        pipe = links.bulk().pipeline(transaction=False)
        accounts._queue_rewrite(pipe, entitlements, None)
        accounts.execute(pipe, links.bulk(), scripts.REWRITE)
        self.model.bring(period, limits)

    # Time

    @rule(minutes=st.sampled_from([1, 10, 61]))
    def pass_time(self, minutes: int) -> None:
        self.clock.tick(minutes=minutes)

    @precondition(lambda self: self.months < 2)
    @rule(is_opened_ahead=st.booleans())
    def end_the_month(self, is_opened_ahead: bool) -> None:
        ends = self.period_ends
        self.clock.move_to(max(self.clock.now, ends - timedelta(minutes=30)))
        memory, following = (
            self.model.memory,
            period_after(self.tenant, period_at(self.tenant, self.clock.now)),
        )
        if is_opened_ahead and memory and memory.life == self.model.life:
            found = accounts.look(links.bulk(), self.tenant.pk)
            upkeep._open_next(links.bulk(), self.tenant, found, self.wire.life(), self.clock.now)
            self.model.open(str(following), following.ends.timestamp(), ends.timestamp())
        self.clock.move_to(ends)
        self.months += 1

    # Losses

    @rule()
    def copy_redis(self) -> None:
        names: Any = self.server.keys("hr:*")
        self.copy = {name: self.server.dump(name) for name in names}, self.model.copied()

    @rule(kind=st.sampled_from(LOSSES))
    def lose_redis(self, kind: str) -> None:
        """Redis is emptied, starts again with what it had, or with an older copy."""
        content, memory = self.copy if kind == "older" else ({}, None)
        if kind != "restarted":
            self.server.flushdb()
            self.clock.move_to(self.clock.now)
            self.model.memory = deepcopy(memory)
        for name, value in content.items():
            self.server.restore(name, 0, value)
        self.model.life += kind != "emptied"

    @rule(kind=st.sampled_from(LOSSES), before=calls, after=calls)
    def outlive_redis(self, kind: str, before: list[Act], after: list[Act]) -> None:
        """A flusher that read before a loss goes on when others have counted and flushed since."""
        self.call(before)
        reading = self.collect()
        self.lose_redis(kind)
        self.call(after)
        self.flush()
        if isinstance(reading, Reading):
            self.finish(reading, True)

    def check_ledger(self) -> None:
        """PostgreSQL says what it was shown, its totals never fall, and its hours agree with its periods."""
        ledger, used = self.model.ledger, used_by_metric(self.tenant)
        for metric in SUMS:
            assert used[metric] == ledger.total("used", metric) >= self.totals[metric]
        assert used[DISTINCT] == sum(map(len, ledger.members.values())) >= self.totals[DISTINCT]
        assert members(self.tenant) == set().union(*ledger.members.values())
        assert kept(self.tenant, LEVEL) == max(0, ledger.level())
        hours = hours_by_metric(self.tenant)
        assert {metric: hours[metric] for metric in SUMS} == {metric: used[metric] for metric in SUMS}
        refused = refused_by_metric(self.tenant)
        assert {one: refused[one] for one in METRICS} == {
            one: ledger.total("refused", one) for one in METRICS
        }
        self.totals = used

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.flush()
        super().teardown()


@pytest.mark.django_db(transaction=True)
@pytest.mark.counting
def test_counts_follow_the_rules(
    clock: Clock, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    links.opener()  # while it may still take its time
    # Links tell the age of a call by the clock of the test, too.
    monkeypatch.setattr("django.conf.settings.HEADROOM_REDIS_DEADLINE", 0.1)
    now = SimpleNamespace(monotonic=lambda: clock.now.timestamp())
    monkeypatch.setattr(links, "time", now)
    CountingMachine.server, CountingMachine.clock = redis_db, clock
    CountingMachine.connections = links.client(socket_timeout=30, protocol=2).connection_pool
    for script in (scripts.CONSUME, scripts.OPEN):
        redis_db.script_load(script.text)
    run_state_machine_as_test(CountingMachine, settings=PROFILE)
