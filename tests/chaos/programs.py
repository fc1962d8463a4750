"""The programs of a world: started as `config.serve` does, killed at any moment, started again as an init would."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from config.serve import background, web, web_environment


class Fleet:
    """Programs by name, each in a session of its own; a context that kills them all at its end."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs, self.environment = logs, dict(environment)
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = background(logs / "schedule")
        self.logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(*self._programs)

    @property
    def names(self) -> list[str]:
        """Of those that run."""
        return [name for name, program in self._programs.items() if program.poll() is None]

    def start_web(self, port: int, name: str = "web", **more: str) -> None:
        """A web server of two workers."""
        self._commands[name] = web("127.0.0.1", port)
        settings = {**web_environment(), "GRANIAN_RESPAWN_INTERVAL": "0.2", **more}
        self.start(name, **settings)

    def start(self, name: str, **more: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self._programs[name] = subprocess.Popen(
                self._commands[name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment, **more},
                start_new_session=True,
            )

    def kill(self, *names: str) -> None:
        """Kill programs with their children, all at once."""
        programs = [self._programs[name] for name in names]
        for program in programs:
            if program.poll() is None:  # else its number may be another's
                os.killpg(program.pid, signal.SIGKILL)
        for program in programs:
            program.wait()

    def children(self, name: str) -> list[psutil.Process]:
        """A program's own children, which it starts again itself when they die."""
        return psutil.Process(self._programs[name].pid).children()
