"""Flushes that die: `python -m tests.usage.dying` reads a number a line, and forks a flush that dies at that step.

A step is a statement, a commit, or a message to Redis. Writes how the flush ended: 9 for killed, 0 for done.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

import redis  # noqa: E402  # after Django is set up
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from usage.metering import chores  # noqa: E402


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


def flush_and_die(steps: int) -> None:
    countdown = Countdown(steps)
    step: Any = countdown.before(lambda execute, *rest: execute(*rest))
    line: Any = redis.Connection
    line.send_packed_command = countdown.before(line.send_packed_command)
    place: Any = connection
    place._commit = countdown.before(place._commit)
    with connection.execute_wrapper(step):
        chores.flush(timezone.now())


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            flush_and_die(int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
