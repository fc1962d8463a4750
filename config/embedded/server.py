"""One server process: started as the right user, awaited until it answers, started again when it dies."""

import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from config.embedded.errors import EmbeddedError
from config.embedded.home import Home
from config.embedded.identity import RUN_VARIABLE, Identity
from config.embedded.programs import as_user

READY_WITHIN = 60.0
ATTEMPTS = 6
LOG_LIMIT = 5_000_000


class Server(ABC):
    """A server of one data folder; `is_durable` asks it to survive the loss of power."""

    name: ClassVar[str]
    variable: ClassVar[str]

    def __init__(self, home: Home, log: Path, *, run: str, is_durable: bool) -> None:
        self.home, self.log, self.run, self.is_durable = home, log, run, is_durable
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: Identity | None = None
        self.has_served = False

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the application finds it."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """Prepare a launch and return its command line."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves now."""

    def start(self) -> None:
        """Launch and wait until it answers.

        One that was killed a moment ago may leave helpers, a port or a file in the way: hence some tries.
        """
        for _ in range(ATTEMPTS):
            self.process = self.spawn(self.command())
            self.identity = Identity.of(self.process.pid)
            if self._becomes_ready(self.process):
                self.has_served = True
                return
            time.sleep(0.3)
            self.recover()
        raise EmbeddedError(f"{self.name} does not start; the end of {self.log}:\n{self._last_lines()}")

    def recover(self) -> None:
        """Called after a launch that failed, before the next; once it has served, its address must stay."""
        return

    def has_ended(self) -> bool:
        """True when the process died; whoever asks should start it again."""
        return self.process is not None and self.process.poll() is not None

    def spawn(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        """Start a program as the servers' user, out of reach of the terminal's Ctrl-C."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.unlink()
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", RUN_VARIABLE: self.run}
        try:
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    umask=0o077,
                    start_new_session=True,
                    **as_user(self.home.account),
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"{self.name} can't be started: {error}") from error

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self.answers():
                return True
            time.sleep(0.02)
        process.kill()
        process.wait()
        return False

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
