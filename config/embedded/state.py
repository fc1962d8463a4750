"""What a supervisor leaves in its data folder: its lock, the servers it runs, where they answer."""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from config.embedded.errors import EmbeddedError
from config.embedded.identity import Identity


@dataclass(slots=True)
class State:
    """One run of a supervisor; `urls` is empty until all its servers answer and once they stop."""

    supervisor: Identity
    run: str = field(default_factory=lambda: secrets.token_hex(16))
    sockets: str = ""
    servers: dict[str, Identity] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    def write(self, data: Path) -> None:
        """Replace the file at once, so that a reader never sees half of it; only its owner may read it."""
        draft = data / "state.json.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        draft.replace(data / "state.json")

    def is_live(self) -> bool:
        """True when every server of the run is there."""
        return all(server.find() for server in self.servers.values())


def read_state(data: Path) -> State | None:
    """What the last supervisor of this folder wrote; None where there is nothing to read."""
    try:
        found: dict[str, Any] = json.loads((data / "state.json").read_text())
        return State(
            supervisor=Identity(**found["supervisor"]),
            run=found["run"],
            sockets=found["sockets"],
            servers={name: Identity(**server) for name, server in found["servers"].items()},
            urls=found["urls"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, another user's, or of another version: nothing that this one can act on


def running_urls(data: Path) -> dict[str, str] | None:
    """DATABASE_URL and REDIS_URL (or one of them) of the servers that run on a data folder, else None."""
    state = read_state(data)
    return state.urls if state and state.servers and state.urls and state.is_live() else None


class Lock:
    """Held by the one supervisor of a data folder; the system releases it when that process ends, however."""

    def __init__(self, data: Path) -> None:
        try:
            self._file = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise EmbeddedError(
                f"{data} belongs to another user: use another folder or remove it."
            ) from error

    def take(self) -> bool:
        """True when this process holds the lock now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let the next supervisor in."""
        os.close(self._file)
