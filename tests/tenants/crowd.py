"""Several people at once, each on a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection


def all_at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Begin all acts in the same moment; what each returned, or the exception it raised."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return act()
        except Exception as error:  # noqa: BLE001  # it is what the test asks about
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
