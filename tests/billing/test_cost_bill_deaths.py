"""Imports that meet, and imports that die: one comes after the other, and what is killed has changed nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing.costs.bills import TypedRow, import_bill, type_bill
from billing.focus import Reading
from billing.focus_lines import Unpacked
from billing.models import CostBill, CostRow
from tests.billing.focus_files import small, state
from tests.usage.crew import own_environment

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
RENT = [TypedRow("Servers", Decimal("412.10"))]


class Slow:
    """A file that stops before its last line until it may go on."""

    def __init__(self, content: bytes) -> None:
        self._file: Unpacked = io.BytesIO(content)
        self._lines = content.count(b"\n")
        self.is_waiting, self.may_go_on = threading.Event(), threading.Event()

    def readline(self, size: int, /) -> bytes:
        self._lines -= 1
        if self._lines == 0:
            self.is_waiting.set()
            assert self.may_go_on.wait(20)
        return self._file.readline(size)


def in_thread(reading: Reading, made: list[CostBill]) -> threading.Thread:
    def work() -> None:
        try:
            made.extend(import_bill(reading, source="x", author=None, at=AT))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for_lock() -> None:
    """Until somebody waits for somebody else's advisory lock."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            row = cursor.fetchone()
        if row and row[0]:
            return
        time.sleep(0.01)
    raise AssertionError("Nobody waits.")


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_come_one_after_the_other_and_the_later_one_counts(self) -> None:
        type_bill("AWS", date(2026, 10, 1), [TypedRow("Compute", Decimal(1))], author=None, at=AT)
        slow = Slow(small({"BilledCost": "2"}, {"BilledCost": "2"}))
        first, second = list[CostBill](), list[CostBill]()
        one = in_thread(Reading(slow, provider="AWS"), first)
        assert slow.is_waiting.wait(20)
        other = in_thread(Reading(io.BytesIO(small({"BilledCost": "9"})), provider="AWS"), second)
        wait_for_lock()
        assert [row[2:] for row in state()] == [(1, True, 1), ("Compute", 1)]
        slow.may_go_on.set()
        one.join()
        other.join()
        assert (first[0].version, second[0].version) == (2, 3)
        assert [row[2:] for row in state()] == [(1, False, 1), (2, False, 4), (3, True, 9), ("Compute", 9)]


@pytest.fixture
def die(transactional_db: None, tmp_path: Path) -> Iterator[Any]:
    """Lets an import run in a process that is killed before its step of a number; returns how it ended."""
    file = tmp_path / "oct.csv"
    months = ["2026-08-01", "2026-09-01", "2026-10-01"]
    rows = [{"BilledCost": str(n), "ChargePeriodStart": months[n % 3]} for n in range(7)]
    file.write_bytes(small(*rows))
    command = [sys.executable, "-m", "tests.billing.dying", str(file)]
    with subprocess.Popen(
        command, env=own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def until(step: int) -> int:
            process.stdin.write(f"{step}\n")  # type: ignore[union-attr]  # both are pipes
            process.stdin.flush()  # type: ignore[union-attr]
            return int(process.stdout.readline())  # type: ignore[union-attr]

        yield until
        process.kill()


def test_killed_anywhere_an_import_changes_nothing_and_the_next_one_completes(die: Any) -> None:
    for month in (8, 9, 10):
        type_bill("AWS", date(2026, month, 1), RENT, author=None, at=AT)
    before, step = state(), 1
    while die(step) == -9:
        assert state() == before, f"killed before step {step}"
        step += 1
    assert step > 20
    current = CostBill.objects.current().order_by("month")
    assert [(one.version, one.rows, one.total) for one in current] == [
        (2, 3, Decimal(9)),
        (2, 2, Decimal(5)),
        (2, 2, Decimal(7)),
    ]
    assert CostRow.objects.count() == 7
    assert CostBill.objects.count() == 6
