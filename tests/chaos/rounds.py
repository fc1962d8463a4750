"""One round: load, a fault in the middle of it, then the comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random

from tests.chaos.balance import Balance, Leave, weigh
from tests.chaos.ledger import read
from tests.chaos.load import Call, Load
from tests.chaos.parties import Party
from tests.chaos.servers import eventually
from tests.chaos.world import World

WARM = 20  # answered calls before the fault
AFTER = 2.0  # seconds of load after it
CATCH_UP = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """A fault that is under way."""

    world: World
    load: Load
    parties: Sequence[Party]
    random: Random


@contextmanager
def _as_it_is(world: World) -> Iterator[Sequence[int]]:
    yield [world.port]


@dataclass(frozen=True, slots=True)
class Fault:
    """`do` breaks something while there is load, mends it, and says what the design lets that do."""

    name: str
    do: Callable[[Round], Leave]
    only_calls: bool = False  # the load needs PostgreSQL for nothing
    around: Callable[[World], AbstractContextManager[Sequence[int]]] = _as_it_is  # gives the ports to call


def run(world: World, fault: Fault, random: Random) -> Balance:
    """Do the fault once and compare."""
    world.start()  # what ended in an earlier round
    parties = world.take()
    with fault.around(world) as ports:
        with Load(parties, ports, only_calls=fault.only_calls) as load:
            eventually(lambda: _admitted(load) >= WARM, "the load begins")
            world.flushed()
            leave = fault.do(Round(world, load, parties, random))
            time.sleep(AFTER)
        return _settled(world, parties, load.calls, leave)


def _admitted(load: Load) -> int:
    return sum(call.is_admitted for call in list(load.calls))


def _settled(world: World, parties: Sequence[Party], calls: Sequence[Call], leave: Leave) -> Balance:
    """Compare once all is flushed, and again after one more flush: what is counted late may be counted twice."""
    deadline = time.monotonic() + CATCH_UP
    while _look(world, parties, calls, leave).breaches and time.monotonic() < deadline:
        time.sleep(0.2)
    world.caught_up()
    return _look(world, parties, calls, leave)


def _look(world: World, parties: Sequence[Party], calls: Sequence[Call], leave: Leave) -> Balance:
    with world.servers.sql() as books:
        return weigh(read(books, parties), parties, calls, leave)
