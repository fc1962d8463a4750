"""Runs named programs as one: starts them, keeps their logs apart, stops them together and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

import psutil

from config.embedded.identity import is_alive

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
TICK = 0.1


class Group:
    """A context: leaving it stops every program started in it.

    The first SIGINT, SIGTERM or SIGHUP ends the block as KeyboardInterrupt, which the group then swallows:
    to be asked to stop is no error. A second one, while the programs stop, kills those that still run.
    `code` is what to exit with: 1 after a program that ended by itself.
    """

    def __init__(self, logs: Path | None = None) -> None:
        """With a folder each program writes `<name>.log` there, else its lines come out here, named."""
        self.logs = logs
        self.code = 0
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: list[threading.Thread] = []
        self._replaced: dict[int, Any] = {}
        self._asked = 0
        self._is_deaf = False

    def __enter__(self) -> Self:
        if self.logs:
            self.logs.mkdir(parents=True, exist_ok=True)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:  # nohup stays nohup
                self._replaced[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._is_deaf = True
        self.stop()
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        return self._asked > 0 and kind is KeyboardInterrupt

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program in a session of its own, so that the terminal's Ctrl-C does not reach it."""
        self._is_deaf = True  # a signal between the start and the note of it would leave the program behind
        output: IO[bytes] | int = subprocess.PIPE
        if self.logs:
            output = self.log_of(name).open("wb")
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self._programs[name] = program
        if isinstance(output, int):
            self._readers.append(threading.Thread(target=_prefix, args=(name, program.stdout), daemon=True))
            self._readers[-1].start()
        else:
            output.close()
        self._is_deaf = False
        if self._asked:
            raise KeyboardInterrupt

    def log_of(self, name: str) -> Path:
        """Where a program's lines are kept."""
        if self.logs is None:
            raise ValueError("This group keeps no logs.")
        return self.logs / f"{name}.log"

    def ended(self) -> str | None:
        """A sentence about a program that ended by itself, None while all run."""
        for name, program in self._programs.items():
            if not _is_running(program):
                _signal(program, signal.SIGKILL, os.killpg)
                program.wait()
                place = f"; its log: {self.log_of(name)}" if self.logs else ""
                return f"{name} ended with code {program.returncode}{place}"
        return None

    def wait(self) -> None:
        """Return when a program has ended; a signal ends the wait as it ends the block."""
        while not (sentence := self.ended()):
            time.sleep(TICK)
        sys.stderr.write(f"{sentence}; stopping the others.\n")
        self.code = 1

    def stop(self) -> None:
        """TERM to every program, which lets its own children finish; KILL to what is left after ten seconds."""
        for program in self._programs.values():
            # Not to its children: those of a worker may be in the middle of a task.
            _signal(program, signal.SIGTERM, os.kill)
        deadline = time.monotonic() + PATIENCE
        while any(_is_running(program) for program in self._programs.values()):
            if time.monotonic() > deadline or self._asked > 1:
                break
            time.sleep(0.02)
        for program in self._programs.values():
            # Also where a program has ended: its children may not have.
            _signal(program, signal.SIGKILL, os.killpg)
            program.wait()
        for reader in self._readers:
            reader.join(1)
        self._programs.clear()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        if not self._is_deaf:
            self._is_deaf = True
            raise KeyboardInterrupt


def _is_running(program: subprocess.Popen[bytes]) -> bool:
    """Asks without collecting a dead program: its number, and so its group's, stays taken until then."""
    return program.returncode is None and is_alive(psutil.Process(program.pid))


def _signal(
    program: subprocess.Popen[bytes], number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """To the program, or by `os.killpg` also to its children; not once it was collected: its number may be another's.

    Never Popen's own `terminate`, which may collect it: its children could then not be found any more.
    """
    if program.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            send(program.pid, number)


def _prefix(name: str, lines: IO[bytes]) -> None:
    """Copy a program's lines to our output, each behind its name."""
    for line in lines:
        with suppress(OSError):
            sys.stdout.buffer.write(f"{name:8} | ".encode() + line)
            sys.stdout.buffer.flush()
