"""The rules of counting as a small model: numbers that only move up within an epoch, of which PostgreSQL knows some.

Redis is a `Memory`; losing it leaves what PostgreSQL was shown. All times are seconds, all amounts base units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field

SUMS, LEVEL, DISTINCT = ("api_calls", "bandwidth"), "storage", "users"


@dataclass(frozen=True)
class Act:
    """One charge: `amount` of `metric` by `member`; `op` as in consume.lua."""

    op: str
    metric: str
    amount: int = 0
    member: str = ""


@dataclass
class Numbers:
    """What one epoch counted: each number only moves up."""

    used: Counter[tuple[str, str]] = field(default_factory=Counter)  # by period and metric
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    added: int = 0
    removed: int = 0

    def raise_to(self, more: Numbers) -> None:
        self.used |= more.used
        self.refused |= more.refused
        self.added, self.removed = max(self.added, more.added), max(self.removed, more.removed)


@dataclass
class Limits:
    """Limits that hold until they end by themselves; of two the newer have the higher version, or end later."""

    units: dict[str, int]
    version: int
    until: float

    def is_newer(self, than: Limits) -> bool:
        return (self.version, self.until) > (than.version, than.until)


@dataclass
class Account:
    """One period in Redis: what it knows of other epochs, and the limits it enforces."""

    known: Counter[str]
    limits: Limits


@dataclass
class Memory:
    """What one Redis holds of the tenant."""

    life: int
    epoch: int
    opened: float
    known_level: int
    numbers: Numbers = field(default_factory=Numbers)
    accounts: dict[str, Account] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    newcomers: set[tuple[str, str]] = field(default_factory=set)
    dirty: dict[tuple[int, str], int] = field(default_factory=dict)  # hour and period: when it was touched
    answered: dict[str, int] = field(default_factory=dict)  # an actor's last number


@dataclass
class Ledger:
    """What PostgreSQL knows."""

    epochs: dict[int, Numbers] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)

    def keep(self, memory: Memory) -> None:
        self.epochs.setdefault(memory.epoch, Numbers()).raise_to(memory.numbers)
        for period, member in memory.newcomers:
            self.members.setdefault(period, set()).add(member)

    def used(self, period: str, metric: str, *, but: int = 0) -> int:
        return sum(one.used[period, metric] for epoch, one in self.epochs.items() if epoch != but)

    def total(self, column: str, metric: str) -> int:
        """Of all epochs and periods: what was `used` or `refused` of a metric."""
        numbers = [getattr(one, column).items() for one in self.epochs.values()]
        return sum(amount for one in numbers for (_, name), amount in one if name == metric)

    def level(self, *, but: int = 0) -> int:
        return sum(one.added - one.removed for epoch, one in self.epochs.items() if epoch != but)


@dataclass
class Outcome:
    """What a call is answered: used after it for each act, or which act was refused."""

    used: list[int]
    refused: int | None = None


class Rules:
    """One tenant's counts in Redis and PostgreSQL. `limits` and `version` are PostgreSQL's."""

    def __init__(self) -> None:
        self.memory: Memory | None = None
        self.ledger = Ledger()
        self.life = self.epochs = self.touches = 1
        self.version = 0
        self.base: dict[str, int] = {}
        self.extras: list[tuple[str, int, float]] = []  # metric, units, end

    # Limits

    def limits(self, now: float, period_ends: float) -> Limits:
        """What PostgreSQL says of `now`, a moment in the period that ends at `period_ends`."""
        units, ends = Counter(self.base), [period_ends]
        for metric, more, end in self.extras:
            if now < end:
                units[metric] += more
                ends.append(end)
        return Limits(dict(units), self.version, min(ends))

    def bring(self, period: str, limits: Limits) -> None:
        """Write limits into an account, if there is one and they are newer."""
        account = self.memory.accounts.get(period) if self.memory else None
        if account and limits.is_newer(account.limits):
            account.limits = limits

    # Opening

    def is_cold(self, period: str, now: float) -> bool:
        if self.memory is None or self.memory.life != self.life:
            return True
        account = self.memory.accounts.get(period)
        return account is None or now >= account.limits.until

    def open(self, period: str, period_ends: float, now: float) -> None:
        former = self.memory
        if former is None or former.life != self.life:
            self.flush()
            self.epochs += 1
            self.memory = Memory(self.life, self.epochs, now, self.ledger.level())
            if former:
                self.memory.members = former.members
                self.memory.newcomers, self.memory.answered = former.newcomers, former.answered
        assert self.memory is not None
        limits = self.limits(now, period_ends)
        if period in self.memory.accounts:
            self.bring(period, limits)
        else:
            known = Counter({one: self.ledger.used(period, one, but=self.memory.epoch) for one in SUMS})
            self.memory.accounts[period] = Account(known, limits)
        self.learn_members(period)

    def learn_members(self, period: str) -> None:
        assert self.memory is not None
        mine = self.memory.members.setdefault(period, set())
        mine |= self.ledger.members.get(period, set())

    # Counting, in an open account

    def standing(self, period: str, metric: str) -> int:
        assert self.memory is not None
        if metric == LEVEL:
            return max(0, self._books())
        if metric == DISTINCT:
            return len(self.memory.members.get(period, ()))
        return self.memory.accounts[period].known[metric] + self.memory.numbers.used[period, metric]

    def decide(self, acts: Sequence[Act], period: str, hour: int, *, is_forced: bool = False) -> Outcome:
        """Count all acts, or none; the account is open."""
        assert self.memory is not None
        before = deepcopy(self.memory)
        limits, has_moved = self.memory.accounts[period].limits.units, False
        for index, act in enumerate(acts):
            was = self.standing(period, act.metric)
            moved = self._apply(act, period)
            now = self.standing(period, act.metric)
            is_shut = (
                was >= limits[act.metric] if act.op == "g" else moved and now > max(was, limits[act.metric])
            )
            if is_shut and not is_forced and act.op != "m":
                self.memory = before
                self.memory.numbers.refused[period, act.metric] += 1
                self._touch(hour, period)
                return Outcome([self.standing(period, one.metric) for one in acts], index)
            has_moved = has_moved or moved
        used = [self.standing(period, act.metric) for act in acts]
        if has_moved:
            self._touch(hour, period)
        return Outcome(used)

    def _apply(self, act: Act, period: str) -> bool:
        """Do what an act says, without a limit; whether anything moved."""
        assert self.memory is not None
        numbers = self.memory.numbers
        if act.op == "s":
            numbers.used[period, act.metric] += act.amount
            return True
        if act.op == "d":
            if act.member in self.memory.members[period]:
                return False
            self.memory.members[period].add(act.member)
            self.memory.newcomers.add((period, act.member))
            numbers.used[period, act.metric] += 1
            return True
        if act.op in "lm":
            return self._move(act.amount - self.standing(period, LEVEL) if act.op == "m" else act.amount)
        return False

    def _books(self) -> int:
        assert self.memory is not None
        return self.memory.known_level + self.memory.numbers.added - self.memory.numbers.removed

    def _move(self, units: int) -> bool:
        assert self.memory is not None
        books = self._books()
        units = max(units, -max(0, books))
        if units > 0:
            self.memory.numbers.added += units - min(0, books)
        else:
            self.memory.numbers.removed -= units
        return units != 0

    def _touch(self, hour: int, period: str) -> None:
        assert self.memory is not None
        self.touches += 1
        self.memory.dirty[hour, period] = self.touches

    # Flushing

    def copied(self) -> Memory | None:
        """What Redis holds now, to come back later."""
        return deepcopy(self.memory)

    def collect(self) -> Memory | None:
        """What a flush reads; none where nothing is dirty."""
        return deepcopy(self.memory) if self.memory and self.memory.dirty else None

    def settle(self, read: Memory) -> None:
        """Unmark what did not move since it was read, and let Redis learn what PostgreSQL knows more."""
        if self.memory is None:
            return
        for place, touch in read.dirty.items():
            if self.memory.dirty.get(place) == touch:
                del self.memory.dirty[place]
        self.memory.newcomers -= read.newcomers
        for period in {period for _, period in read.dirty} & read.accounts.keys():
            if len(read.members.get(period, ())) < len(self.ledger.members.get(period, ())):
                self.learn_members(period)
            if self.memory.epoch == read.epoch:
                self._learn(read, period)

    def _learn(self, read: Memory, period: str) -> None:
        assert self.memory is not None
        for metric in SUMS:
            others = self.ledger.used(period, metric, but=read.epoch)
            if read.accounts[period].known[metric] < others and period in self.memory.accounts:
                self.memory.accounts[period].known[metric] = others
        others = self.ledger.level(but=read.epoch)
        if read.known_level != others:
            self.memory.known_level = others

    def flush(self) -> None:
        read = self.collect()
        if read:
            self.ledger.keep(read)
            self.settle(read)
