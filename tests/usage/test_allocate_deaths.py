"""Dividing a bill may be killed between any two statements, and done by several at once: it is there once, whole."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import Allocation, CostLine, CostShare
from tests.usage.costing import NOVEMBER, ROWS, bill_again, borne, four_tenants
from tests.usage.crew import own_environment
from usage.costs.allocate import allocate_month
from usage.costs.due import allocate_costs

pytestmark = pytest.mark.django_db(transaction=True)

DONE, KILLED = 0, -9


def test_killed_anywhere_it_leaves_what_was_and_the_next_run_completes() -> None:
    four_tenants()
    command = [sys.executable, "-m", "tests.usage.dying", "allocate_costs"]
    with subprocess.Popen(
        command, env=own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        ended, step = KILLED, 0
        while ended == KILLED:
            step += 1
            process.stdin.write(f"{step}\n")
            process.stdin.flush()
            ended = int(process.stdout.readline())
            if ended == KILLED and not Allocation.objects.exists():
                assert not CostShare.objects.exists()
                assert not CostLine.objects.exists()
        process.stdin.close()
    assert ended == DONE
    assert step > 20
    told = borne(Allocation.objects.get())
    assert told["acme"] == ("29.00", "547.49", "-518.49")
    assert len(told) == CostShare.objects.count() == 6


def test_of_two_at_once_one_divides() -> None:
    four_tenants()
    allocate_costs(timezone.now())
    bill_again(*ROWS)
    counts: list[int] = []
    ready = threading.Barrier(4)

    def race() -> None:
        ready.wait()
        counts.append(allocate_costs(timezone.now()))
        connection.close()

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sum(counts) == 1
    assert CostShare.objects.count() == 6 * Allocation.objects.count()


def test_who_wants_a_month_that_another_is_at_waits_for_it() -> None:
    four_tenants()
    racers = [threading.Thread(target=_allocate) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert CostShare.objects.count() == 6


def _allocate() -> None:
    allocate_month(NOVEMBER, timezone.now())
    connection.close()
