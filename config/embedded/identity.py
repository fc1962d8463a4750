"""Tells a process from a later one that got the same number, and ends processes in time."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

RUN_VARIABLE = "HEADROOM_RUN"
# A step of the machine's clock moves all start times; a number is not used again within this time.
CLOCK_STEP = 2.0
Steps = tuple[tuple[signal.Signals, float], ...]
# PostgreSQL: INT ends sessions and stops, QUIT stops at once. Valkey takes both and saves on INT.
STOP_SERVERS: Steps = ((signal.SIGINT, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
DROP_SERVERS: Steps = ((signal.SIGQUIT, 5), (signal.SIGKILL, 5))
STOP_PROGRAMS: Steps = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its number and when it started (seconds since 1970)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """The identity of a process that runs now."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still runs; None too if another one has its number now."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) < CLOCK_STEP
        except psutil.Error:
            return None
        return process if is_same and is_alive(process) else None


def is_alive(process: psutil.Process) -> bool:
    """False also for a dead process that its parent has not collected."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def marked(run: str) -> list[psutil.Process]:
    """The processes that a run started, however deep; each carries the run's mark in its environment.

    Never this process or those above it: who cleans up may have been started inside the run it cleans up.
    """
    spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in spared and process.environ().get(RUN_VARIABLE) == run:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return found


def end(processes: Iterable[psutil.Process], steps: Steps) -> bool:
    """Send each step's signal to those still alive and wait its seconds; True when all have ended."""
    left = [process for process in processes if is_alive(process)]
    for number, seconds in steps:
        for process in left:
            _send(process, number)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            left = [process for process in left if is_alive(process)]
            time.sleep(0.02 if left else 0)
    return not left


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return  # it ended just now, or belongs to somebody else; is_alive tells which
