"""Imports that die: `python -m tests.billing.dying FILE` reads a number a line, and forks an import that dies there.

The number is that of a step: a statement, a chunk of rows, or a commit. Writes how it ended: -9 killed, 0 done.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402  # after Django is set up
from django.utils import timezone  # noqa: E402

from billing.costs import bills  # noqa: E402
from billing.focus import Reading  # noqa: E402
from billing.focus_lines import unpacked  # noqa: E402
from billing.models.costs import CostRowQuerySet  # noqa: E402


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


def import_and_die(path: Path, steps: int) -> None:
    countdown = Countdown(steps)
    step: Any = countdown.before(lambda execute, *rest: execute(*rest))
    rows: Any = CostRowQuerySet
    rows.copy_in = countdown.before(rows.copy_in)
    place: Any = connection
    place._commit = countdown.before(place._commit)
    bills.CHUNK = 2  # so that it dies between chunks, too
    with path.open("rb") as file, connection.execute_wrapper(step):
        reading = Reading(unpacked(file), provider="AWS")
        bills.import_bill(reading, source=path.name, author=None, at=timezone.now())


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            import_and_die(Path(sys.argv[1]), int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
