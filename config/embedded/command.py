"""Runs the supervisor's command: passes signals on to it, and ends what it leaves behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from config.embedded.errors import EmbeddedError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 30.0
TICK = 0.1


class Signals:
    """Takes the signals for this process from now on; none of them interrupts the stopping of servers."""

    def __init__(self) -> None:
        self.parent = os.getppid()
        self.received: list[int] = []
        self.asked_at: float | None = None
        self.child: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._handle)

    def attach(self, child: subprocess.Popen[bytes]) -> None:
        """From now on signals go to this command; also one that came while it was being started."""
        self.child = child
        if self.received:
            child.send_signal(self.received[0])

    def pass_on(self, number: int) -> None:
        """Ask the command to stop: the third time, or long after the first, it is killed."""
        self.received.append(number)
        self.asked_at = self.asked_at or time.monotonic()
        if self.child:
            self.child.send_signal(number if len(self.received) < 3 else signal.SIGKILL)

    def is_overdue(self) -> bool:
        """True when the command was asked to stop and had its time."""
        return self.asked_at is not None and time.monotonic() - self.asked_at > PATIENCE

    def is_orphaned(self) -> bool:
        """True when the process that called this one has died."""
        return os.getppid() != self.parent

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        # The terminal's Ctrl-C has reached the command too; twice would make many programs drop their work.
        if number == signal.SIGINT and self.child and _is_in_foreground():
            return
        self.pass_on(number)


def run_command(
    command: Sequence[str],
    environment: Mapping[str, str],
    signals: Signals,
    *,
    watch: Callable[[], None] | None = None,
    with_parent: bool = False,
) -> int:
    """Run to the end and return its exit code as a shell would.

    `watch` is called some times a second; `with_parent` asks the command to stop when our parent has died.
    """
    if signals.received:
        return 128 + signals.received[0]
    try:
        child = subprocess.Popen(command, env={**os.environ, **environment})
    except OSError as error:
        raise EmbeddedError(f"{command[0]} can't be run: {error.strerror}.") from error
    signals.attach(child)
    try:
        while child.poll() is None:
            time.sleep(TICK)
            if watch:
                watch()
            if with_parent and signals.is_orphaned() and not signals.received:
                signals.pass_on(signal.SIGTERM)
            if signals.is_overdue():
                child.kill()
    finally:
        _close(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _close(child: subprocess.Popen[bytes]) -> None:
    """End a command that is no longer of use: a server it needs could not be started again."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _is_in_foreground() -> bool:
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
