"""The cap under eight processes: what passes it arrived within one flush interval, and nothing included is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.utils import timezone

from billing.caps import set_cap
from billing.models import Allowance, SpendCap
from billing.pricing import Use, bill
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import flush, kept, live
from tests.usage.crew import Crew, crew
from tests.usage.test_races import agree, flushing
from usage.metering import Charge, caps, chores, consume, standings
from usage.metering.accounts import write_reaches
from usage.metering.caps import Reach
from usage.metering.positions import Position, positions

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

MB = 10**6
CAP = Decimal("10.00")
INCLUDED = {"api_calls": 2_000, "bandwidth": 400 * MB}
Used = Mapping[str, int]


@pytest.fixture(scope="module")
def racers(django_db_setup: None, django_db_blocker: Any) -> Iterator[Crew]:
    with django_db_blocker.unblock(), crew() as ready:
        yield ready


@pytest.fixture
def capped(make_tenant: MakeTenant, redis_db: redis.Redis, patient: None) -> Tenant:
    """A tenant that pays for calls and bandwidth beyond a little that is included, up to a cap."""
    for code, units in INCLUDED.items():
        Allowance.objects.filter(plan__slug="pro", metric__code=code).update(included=units)
    tenant = make_tenant(plan="pro")
    now = timezone.now()
    set_cap(tenant, side=SpendCap.Side.OWNER, mode=SpendCap.Mode.STOP, amount=CAP, at=now, actor=None)
    chores.take_over_changes(now)
    return tenant


@dataclass(frozen=True)
class Written:
    """What one flush knew when it worked out the cap, and what was counted once accounts had learned of it."""

    spent: Decimal
    durable: Used
    counted: Used


@dataclass
class Book:
    """All of these, in the order in which accounts learned of them."""

    tenant: Tenant
    found: dict[int, Position] = field(default_factory=dict)  # by stamp
    written: list[Written] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, patch: pytest.MonkeyPatch) -> None:
        """Have every flush of this process tell what it does."""
        patch.setattr(standings, "reaches", self.work_out)
        patch.setattr(standings, "write_reaches", self.write)

    def work_out(self, found: Sequence[Position], at: datetime) -> dict[int, Reach]:
        reached = caps.reaches(found, at)
        self.found.update({reached[one.tenant.pk].stamp: one for one in found if one.tenant.pk in reached})
        return reached

    def write(self, bulk: Any, reached: Iterable[Reach]) -> None:
        with self.turn:
            rows = list(reached)
            write_reaches(bulk, rows)
            for one in rows:
                position = self.found[one.stamp]
                counted = {code: live(self.tenant, code, timezone.now()) for code in INCLUDED}
                self.written.append(Written(position.spent.overage, position.used, counted))

    @property
    def closing(self) -> int:
        """The place of the first that knew the cap to be reached."""
        return next(place for place, one in enumerate(self.written) if one.spent >= CAP)


def cost(tenant: Tenant, used: Used) -> Decimal:
    """What these quantities cost, by the plan's own prices."""
    [position] = positions([tenant], timezone.now())
    prices = {code: position.rates.prices[code] for code in INCLUDED}
    return bill((), prices, {code: Use(used[code]) for code in INCLUDED}).overage


@pytest.fixture
def book(capped: Tenant, monkeypatch: pytest.MonkeyPatch) -> Book:
    kept_book = Book(capped)
    kept_book.keep(monkeypatch)
    return kept_book


class TestCap:
    def test_is_passed_by_no_more_than_what_arrived_within_one_flush_interval(
        self, racers: Crew, capped: Tenant, book: Book
    ) -> None:
        with flushing(timezone.now):
            tally = racers.start("billed", capped, timezone.now(), 5_000).join()
        assert (tally["uncounted"], tally["refused below"]) == (0, 0)
        assert tally["refused"] > 0
        final = {code: agree(capped, code) for code in INCLUDED}
        closing = book.written[book.closing]
        # Once the accounts knew, nothing more came through, whichever of two flushers wrote last.
        assert final == closing.counted
        # What had been counted by the flush before was below the cap: only what came since passed it.
        before = book.written[book.closing - 1].durable if book.closing else dict.fromkeys(INCLUDED, 0)
        arrived = cost(capped, final) - cost(capped, before)
        assert cost(capped, before) < CAP <= cost(capped, final) <= CAP + arrived
        assert all(final[code] >= included for code, included in INCLUDED.items())

    def test_holds_while_redis_is_lost_again_and_again(
        self, racers: Crew, capped: Tenant, redis_db: redis.Redis
    ) -> None:
        now = timezone.now()
        consume(capped, Charge("api_calls", INCLUDED["api_calls"] + 10_000), at=now)
        consume(capped, Charge("bandwidth", INCLUDED["bandwidth"]), at=now)
        flush(now)
        before = {code: kept(capped, code) for code in INCLUDED}
        with losing(redis_db), flushing(timezone.now):
            tally = racers.start("billed", capped, now, 1_000).join()
        assert (tally["allowed"], tally["refused"], tally["uncounted"]) == (0, 1_000, 0)
        assert {code: kept(capped, code) for code in INCLUDED} == before


@contextmanager
def losing(server: redis.Redis) -> Iterator[None]:
    """Inside, Redis forgets everything a few times a second."""
    ends = threading.Event()

    def work() -> None:
        while not ends.wait(0.3):
            server.flushdb()

    loser = threading.Thread(target=work)
    loser.start()
    try:
        yield
    finally:
        ends.set()
        loser.join()
