"""The soak: `make chaos` breaks a running Headroom for SECONDS (600) at random; CHAOS_SEED repeats an order."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

from tests.chaos.faults import FAULTS, programs
from tests.chaos.faults_books import away
from tests.chaos.report import Row, row, table
from tests.chaos.rounds import Fault, run
from tests.chaos.telling import untold
from tests.chaos.world import world

LONG = 600  # seconds: of them PostgreSQL is away for two minutes
OFTEN = {
    "web workers killed": 5,
    "Redis killed and restarted": 5,
    "Redis restarted, the end of its file missing": 5,
}
KILLS = 15  # rounds in which two programs are killed
SHORTEST = 4  # seconds of a round


def plan(seconds: int, random: Random) -> Iterator[Fault]:
    """Faults in a random order, for ever: first one of each, then what is left of each one's share."""
    long = Fault("PostgreSQL away", partial(away, seconds=120 * seconds / LONG), only_calls=True)
    once = [long if fault.name == long.name else fault for fault in FAULTS]
    rest = [fault for fault in FAULTS for _ in range(OFTEN.get(fault.name, 2) - 1)]
    rest += [Fault("two programs killed", programs)] * KILLS
    while True:
        yield from random.sample(once, len(once))
        yield from random.sample(rest, len(rest))


def soak(seconds: int, random: Random, folder: Path) -> tuple[Sequence[Row], Sequence[str]]:
    """Break things until the time is over; what was done, and sentences about what must not have happened."""
    rows, breaches = [], []
    with world(folder, rounds=seconds // SHORTEST + len(FAULTS)) as whole:
        ends = time.monotonic() + seconds
        for fault in plan(seconds, random):
            found = run(whole, fault, random)
            rows.append(row(fault.name, found))
            breaches += [f"{fault.name}: {breach}" for breach in found.breaches]
            _say("; ".join([fault.name, *found.breaches]))
            if time.monotonic() > ends:
                break
        breaches += untold(whole)
    return rows, breaches


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
    _say(f"CHAOS_SEED={seed}")
    with tempfile.TemporaryDirectory(prefix="headroom-chaos-") as folder:
        rows, breaches = soak(int(os.environ.get("SECONDS") or LONG), Random(seed), Path(folder))  # noqa: S311
    _say("\n".join([table(rows), *breaches]))
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
