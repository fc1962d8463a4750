"""Where the demo keeps its files: all below one folder, `var/` unless another is named."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class AlreadyRunning(Exception):
    """Another demo uses this folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """The files below `folder`; `make clean` removes them all."""

    folder: Path

    @property
    def data(self) -> Path:
        """The embedded servers' data and what belongs to it."""
        return self.folder / "demo"

    @property
    def handout(self) -> Path:
        return self.folder / "demo.json"

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    @property
    def bills(self) -> Path:
        """What providers billed, as they would export it."""
        return self.folder / "bills"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def schedule(self) -> Path:
        """What beat remembers."""
        return self.data / "beat-schedule"

    def secret(self) -> Path:
        """The file of Django's secret key, made the first time; so that people stay signed in over a restart."""
        path = self.data / "secret"
        if not path.exists():
            draft = path.with_suffix(".new")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
            draft.replace(path)
        return path

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder; the system lets go when this process ends, however. Raises AlreadyRunning."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "running").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunning(f"A demo runs already in {self.folder}: stop it first.") from error
            yield
