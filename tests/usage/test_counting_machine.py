"""Everything that can happen to counts, in any order, against the model in `rules`: none twice, none lost unsaid."""

from __future__ import annotations

import os
from collections import Counter, deque
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import redis
from django.db import transaction
from django.utils.crypto import get_random_string
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing.changes import limits_changed
from billing.entitlements import entitlements_of
from billing.models import Metric, Override
from billing.periods import period_after, period_at
from tenants.models import Tenant
from tests.usage.counting import (
    NOON,
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
from tests.usage.rules import DISTINCT, LEVEL, SUMS, Act, Limits, Memory, Rules
from usage.metering import Charge, accounts, chores, links, scripts, upkeep
from usage.metering.charges import Packed, pack, pack_level, pack_looks
from usage.metering.decisions import decide, look_at
from usage.metering.flush import Snapshot, flush
from usage.metering.links import Lost, Unanswered

METRICS = (*SUMS, LEVEL, DISTINCT)
LOSSES = ("emptied", "restarted", "older")
IS_CI = bool(os.environ.get("CI"))
PROFILE = settings(
    max_examples=200 if IS_CI else 25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

small = st.integers(1, 9)
acts = st.one_of(
    st.builds(Act, st.just("s"), st.sampled_from(SUMS), small),
    st.builds(Act, st.just("l"), st.just(LEVEL), st.integers(-15, 15).filter(bool)),
    st.builds(Act, st.just("d"), st.just(DISTINCT), st.just(1), st.sampled_from("abcdef")),
    st.builds(Act, st.just("g"), st.sampled_from(METRICS)),
)
calls = st.lists(acts, min_size=1, max_size=3)
losses = st.lists(st.sampled_from(["request", "reply"]), min_size=1, max_size=3)


def packed(act: Act) -> Packed:
    if act.op == "m":
        return pack_level(act.metric, act.amount)
    if act.op in "gp":
        return pack_looks(act.op, [act.metric])[0]
    return pack(Charge(act.metric, act.amount, label=f"label {act.amount % 3}", member=act.member or None))


class Wire(links.Link):
    """A connection that speaks to a life of Redis the test names, and loses what it is told to lose."""

    def __init__(self, machine: CountingMachine) -> None:
        super().__init__(machine.connections.make_connection())
        self.machine = machine
        self.losses: list[str] = []
        self.sent: tuple[Any, ...] = ()

    def life(self, *, fresh: bool = False) -> bytes:
        return b"life %d" % self.machine.model.life

    def ask(self, *command: Any) -> Any:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "request":
            raise redis.TimeoutError("The request was lost.")
        self.sent = command
        reply = super().ask(*command)
        if loss == "reply":
            raise redis.TimeoutError("The reply was lost.")
        return reply


@dataclass
class Doubt:
    """A call whose answer never came."""

    wire: Wire
    acts: list[Act]
    sent: float
    is_forced: bool


@dataclass
class Reading:
    """A flusher that has read, and may go on at any time, several times over."""

    snapshots: list[Snapshot]
    memory: Memory


class CountingMachine(RuleBasedStateMachine):
    server: ClassVar[redis.Redis]
    clock: ClassVar[Clock]
    connections: ClassVar[Any]
    doubts: Bundle[Doubt] = Bundle("doubts")
    readings: Bundle[Reading] = Bundle("readings")
    writers: Bundle[Any] = Bundle("writers")

    @initialize(limits=st.fixed_dictionaries({metric: st.integers(0, 40) for metric in METRICS}))
    def begin(self, limits: dict[str, int]) -> None:
        self.server.flushdb()
        self.clock.move_to(NOON)
        self.model = Rules()
        self.model.base = limits
        self.tenant = Tenant.objects.create(slug=get_random_string(20).lower(), name="Northwind")
        Override.objects.bulk_create(
            Override(tenant=self.tenant, metric=metric, mode="set", units=limits[code], starts=NOON)
            for code, metric in self.metrics.items()
        )
        self.wire = Wire(self)
        self.copy: tuple[dict[Any, Any], Memory | None] = {}, None
        self.sent: deque[tuple[tuple[Any, ...], int]] = deque(maxlen=5)
        self.totals = Counter[str]()
        self.months = 0

    @property
    def metrics(self) -> dict[str, Metric]:
        return {metric.code: metric for metric in Metric.objects.all()}

    @property
    def now(self) -> float:
        return self.clock.now.timestamp()

    @property
    def hour(self) -> int:
        return int(self.now) // 3600

    @property
    def period(self) -> str:
        return str(period_at(self.tenant, self.clock.now))

    @property
    def period_ends(self) -> datetime:
        return period_at(self.tenant, self.clock.now).ends

    @property
    def is_cold(self) -> bool:
        """Whether the next call must open the account first."""
        return self.model.is_cold(self.period, self.now)

    # Counting

    @rule(acts=calls)
    def consume(self, acts: list[Act]) -> None:
        self.call(acts)

    @rule(acts=calls)
    def record(self, acts: list[Act]) -> None:
        self.call([act for act in acts if act.op != "g"] or [Act("s", "bandwidth", 1)], is_forced=True)

    @rule(amount=st.integers(0, 50))
    def measure(self, amount: int) -> None:
        self.call([Act("m", LEVEL, amount)], is_forced=True)

    @rule(target=doubts, acts=calls, losses=losses, is_forced=st.booleans())
    def lose_on_the_way(self, acts: list[Act], losses: list[str], is_forced: bool) -> Any:
        acts = [act for act in acts if act.op != "g"] or [Act("s", "bandwidth", 1)]
        doubt = self.call(acts, losses, is_forced=is_forced)
        return doubt or multiple()

    def call(self, acts: list[Act], losses: list[str] = [], *, is_forced: bool = False) -> Doubt | None:  # noqa: B006
        self.clock.tick(seconds=1)
        was_cold, self.wire.losses = self.is_cold, list(losses)
        try:
            decision = decide(
                self.wire, self.tenant, list(map(packed, acts)), self.clock.now, is_forced=is_forced
            )
        except Lost:
            assert was_cold
            assert losses
            return None
        except Unanswered as error:
            if len(losses) < 3 or not error.is_executed:
                raise
            if not was_cold and "reply" in losses:
                self.count(acts, is_forced=is_forced)
            doubt = Doubt(self.wire, acts, self.now, is_forced)
            self.wire = Wire(self)
            return doubt
        if was_cold:
            self.model.open(self.period, self.period_ends.timestamp(), self.now)
        self.compare(decision, acts, is_forced=is_forced)
        return None

    def count(self, acts: list[Act], *, is_forced: bool) -> Any:
        assert self.model.memory
        outcome = self.model.decide(acts, self.period, self.hour, is_forced=is_forced)
        self.model.memory.answered[self.wire.actor] = self.wire.number
        return outcome

    def compare(self, decision: Any, acts: list[Act], *, is_forced: bool) -> None:
        outcome = self.count(acts, is_forced=is_forced)
        assert [gauge.used for gauge in decision.gauges] == outcome.used
        assert decision.allowed == (outcome.refused is None)
        if decision.refused:
            assert decision.refused.charge == packed(acts[outcome.refused]).charge
        assert self.model.memory
        self.sent.append((self.wire.sent, self.model.memory.epoch))

    @rule(doubt=consumes(doubts))
    def repeat(self, doubt: Doubt) -> None:
        self.clock.tick(seconds=1)
        memory, wire = self.model.memory, doubt.wire
        is_answered = memory is not None and memory.answered.get(wire.actor) == wire.number
        is_known = not self.is_cold and memory is not None and memory.opened < doubt.sent
        try:
            decision = decide(
                wire,
                self.tenant,
                list(map(packed, doubt.acts)),
                self.clock.now,
                is_forced=doubt.is_forced,
                is_again=True,
            )
        except Lost:
            assert not is_answered
            assert not is_known
            return
        assert is_answered or is_known
        if not is_answered:
            self.wire, own = wire, self.wire
            self.compare(decision, doubt.acts, is_forced=doubt.is_forced)
            self.wire = own

    @rule(place=st.integers(0, 4))
    def arrive_late(self, place: int) -> None:
        """A request that was answered long ago arrives once more, at the Redis it was sent to."""
        if place < len(self.sent):
            command, epoch = self.sent[place]
            if self.model.memory and self.model.memory.epoch == epoch:
                server: Any = self.server
                server.execute_command(*command)

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
        accounts._queue_rewrite(pipe, entitlements)
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

    # What holds

    @invariant()
    def redis_says_what_the_rules_say(self) -> None:
        looks = pack_looks("p", METRICS)
        gauges = look_at(self.wire, self.tenant, looks, self.clock.now)
        assert (gauges is None) == self.is_cold
        if gauges and self.model.memory:
            limits = self.model.memory.accounts[self.period].limits.units
            assert {one.metric.code: (one.used, one.stop) for one in gauges} == {
                metric: (self.model.standing(self.period, metric), limits[metric]) for metric in METRICS
            }

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
