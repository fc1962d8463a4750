"""The half of the counting machine that calls: what a tenant uses, and what becomes of it on the way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import redis
from django.utils.crypto import get_random_string
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from billing.models import Metric, Override
from billing.periods import period_at
from tenants.models import Tenant
from tests.usage.counting import NOON, Clock
from tests.usage.rules import DISTINCT, LEVEL, SUMS, Act, Rules
from tests.usage.wires import Wire, packed
from usage.metering.charges import pack_looks
from usage.metering.decisions import decide, look_at
from usage.metering.links import Link, Lost, Unanswered

METRICS = (*SUMS, LEVEL, DISTINCT)

small = st.integers(1, 9)
acts = st.one_of(
    st.builds(Act, st.just("s"), st.sampled_from(SUMS), small),
    st.builds(Act, st.just("l"), st.just(LEVEL), st.integers(-15, 15).filter(bool)),
    st.builds(Act, st.just("d"), st.just(DISTINCT), st.just(1), st.sampled_from("abcdef")),
    st.builds(Act, st.just("g"), st.sampled_from(METRICS)),
)
calls = st.lists(acts, min_size=1, max_size=3)
losses = st.lists(st.sampled_from(["request", "reply"]), min_size=1, max_size=3)


@dataclass
class Doubt:
    """A call whose answer never came."""

    wire: Wire
    acts: list[Act]
    sent: float
    is_forced: bool


class CallingMachine(RuleBasedStateMachine):
    """One tenant in real servers and in the model, and its calls, of which requests and replies get lost."""

    server: ClassVar[redis.Redis]
    clock: ClassVar[Clock]
    connections: ClassVar[Any]
    doubts: Bundle[Doubt] = Bundle("doubts")

    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []

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
        self.wire = self.new_wire()
        self.sent: deque[tuple[bytes, int]] = deque(maxlen=5)

    def new_wire(self) -> Wire:
        self.wires.append(Wire(self.connections.make_connection(), lambda: self.model.life))
        return self.wires[-1]

    def teardown(self) -> None:
        for wire in self.wires:
            wire.disconnect()

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
            self.wire = self.new_wire()
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
                late = Link(self.connections.make_connection())
                late.exchange(command)
                late.disconnect()

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
