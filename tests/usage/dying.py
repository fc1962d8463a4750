"""Chores that die: `python -m tests.usage.dying CHORE` reads a number a line, and forks one that dies at that step.

A step is a statement, a commit, or a message to Redis. Writes how the chore ended: 9 for killed, 0 for done.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django

django.setup()

import redis  # noqa: E402  # after Django is set up
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from usage.costs import due  # noqa: E402
from usage.metering import chores  # noqa: E402

CHORES = {
    "flush": chores.flush,
    "allocate_costs": due.allocate_costs,
    "close_periods": chores.close_periods,
}


class Countdown:
    """Kills this process just before its step of that number."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def before(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return do(*arguments, **options)

        return step


def work_and_die(chore: Callable[[datetime], int], steps: int) -> None:
    countdown = Countdown(steps)
    step: Any = countdown.before(lambda execute, *rest: execute(*rest))
    line: Any = redis.Connection
    line.send_packed_command = countdown.before(line.send_packed_command)
    place: Any = connection
    place._commit = countdown.before(place._commit)
    with connection.execute_wrapper(step):
        chore(timezone.now())


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work_and_die(CHORES[sys.argv[1]], int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
