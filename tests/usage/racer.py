"""One process of a race: reads a job a line, runs it in threads, writes a tally a line."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import django

django.setup()

import pytest  # noqa: E402  # after Django is set up
from django.db import connection  # noqa: E402

from tenants.models import Tenant  # noqa: E402
from tests.usage.counting import set_scripts_to_clock  # noqa: E402
from usage.metering import Charge, Decision, catalogue, consume  # noqa: E402

THREADS = 8
MB = 10**6


@dataclass(frozen=True)
class Job:
    """A share of a race: of `total` calls those whose number is `racer`, `racer + racers`, ... belong to it."""

    kind: str
    tenant: int
    at: str
    total: int
    racer: int
    racers: int
    is_clocked: bool = False


Call = Callable[[int], tuple[Charge, ...]]
CALLS: dict[str, Call] = {
    "one": lambda number: (Charge("api_calls", label=f"label {number % 7}"),),
    "two": lambda number: (Charge("api_calls", 2), Charge("storage", 3)),
    "members": lambda number: (Charge("users", member=f"user {number * 7919 % 400}"),),
    "billed": lambda number: (Charge("api_calls", 5) if number % 2 else Charge("bandwidth", MB),),
}


def share(job: Job, thread: int) -> Iterator[int]:
    """The numbers of the calls that one thread makes."""
    return iter(range(job.racer * THREADS + thread, job.total, job.racers * THREADS))


def race(job: Job, tenant: Tenant, thread: int, tally: Counter[str]) -> None:
    at = datetime.fromisoformat(job.at)
    for number in share(job, thread):
        decision = consume(tenant, *CALLS[job.kind](number), at=at)
        tally["allowed" if decision.allowed else "refused"] += 1
        tally["uncounted"] += not decision.is_counted
        tally["refused below"] += is_refused_below(decision)
        tally["most"] = max(tally["most"], *(gauge.used for gauge in decision.gauges))


def is_refused_below(decision: Decision) -> bool:
    """Whether what was refused would have fitted into the limit."""
    if decision.refused is None:
        return False
    gauge, amount = decision.refused.gauge, decision.refused.charge.amount
    return gauge.limit is not None and gauge.used + amount <= gauge.limit


def move(job: Job, tenant: Tenant, thread: int, tally: Counter[str]) -> None:
    """Put files and take them away again; each thread removes only what it has."""
    at, mine = datetime.fromisoformat(job.at), 0
    for number in share(job, thread):
        units = -min(mine, 3) if number % 3 == 2 and mine else 5
        decision = consume(tenant, Charge("storage", units), at=at)
        mine += units if decision.allowed else 0
        tally["allowed" if decision.allowed else "refused"] += 1
        tally["most"] = max(tally["most"], decision.gauges[0].used)
        tally["refused down"] += units < 0 and not decision.allowed
    tally["units"] += mine


def run(job: Job) -> Counter[str]:
    catalogue.forget()
    tenant = Tenant.objects.get(pk=job.tenant)
    tallies: list[Counter[str]] = [Counter() for _ in range(THREADS)]
    failures: list[Exception] = []

    def work(thread: int) -> None:
        try:
            (move if job.kind == "level" else race)(job, tenant, thread, tallies[thread])
        except Exception as error:  # noqa: BLE001  # whatever it is, the process says it and ends
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.close()
    if failures:
        raise failures[0]
    most = max(tally.pop("most", 0) for tally in tallies)
    return sum(tallies, Counter({"most": most}))


def main() -> None:
    for line in sys.stdin:
        job: dict[str, Any] = json.loads(line)
        with pytest.MonkeyPatch.context() as patch:
            if job["is_clocked"]:
                set_scripts_to_clock(patch)
            print(json.dumps(run(Job(**job))), flush=True)  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
