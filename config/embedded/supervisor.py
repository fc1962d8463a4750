"""Owns the servers of one data folder: starts, watches and stops them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded.command import Signals, run_command
from config.embedded.errors import say
from config.embedded.home import Home, open_home
from config.embedded.identity import DROP_SERVERS, RUN_VARIABLE, STOP_SERVERS, Identity
from config.embedded.postgres import Postgres
from config.embedded.reaping import claim, end_run, throwaway
from config.embedded.server import Server
from config.embedded.state import Lock, State
from config.embedded.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: on which data folder (None: a fresh one, removed at the end) and with which servers."""

    data: Path | None
    redis_server: Path | None = None
    with_parent: bool = False


def run(options: Options, command: Sequence[str]) -> int:
    """Run a command with the servers that its environment does not name; returns its exit code."""
    signals = Signals()
    needed = [kind.variable for kind in (Postgres, Valkey) if not _is_given(kind.variable)]
    with ExitStack() as stack:
        data = options.data or stack.enter_context(throwaway())
        claimed = claim(data, needed)
        if not isinstance(claimed, Lock):
            return run_command(command, claimed, signals, with_parent=options.with_parent)
        stack.callback(claimed.release)
        supervisor = Supervisor(data, options)
        stack.callback(supervisor.stop)
        supervisor.start(needed)
        return run_command(
            command,
            supervisor.environment(),
            signals,
            watch=supervisor.watch,
            with_parent=options.with_parent,
        )


class Supervisor:
    """The one owner of a data folder's servers; the caller holds the folder's lock."""

    def __init__(self, data: Path, options: Options) -> None:
        self.data, self.options = data, options
        self.is_durable = options.data is not None
        self.servers: list[Server] = []
        self.state = State(supervisor=Identity.of(os.getpid()))

    def start(self, needed: Sequence[str]) -> None:
        """Start the needed servers and write down where they answer."""
        home = open_home(self.data)
        self.state.sockets = str(home.sockets)
        self._write()  # first the run's mark, then what carries it: a kill in between leaves nothing unknown
        for server in self._make(home, needed):
            self.servers.append(server)
            server.start()
            self._write()
        self.state.urls = {server.variable: server.url for server in self.servers}
        self._write()
        if self.servers and self.is_durable:
            say(f"Started {' and '.join(server.name for server in self.servers)} on {self.data}.")

    def environment(self) -> dict[str, str]:
        """What the command gets: the servers' addresses and the run's mark."""
        embedded = {"HEADROOM_EMBEDDED": "1"} if self.servers else {}
        return {**self.state.urls, **embedded, RUN_VARIABLE: self.state.run}

    def watch(self) -> None:
        """Start a server again that was killed, at the same address."""
        for server in self.servers:
            if server.has_ended():
                say(f"{server.name} has died; starting it again.")
                server.start()
                self._write()

    def stop(self) -> None:
        """Stop what this run started, the command's stragglers first; nobody gets an address meanwhile."""
        self.state.urls = {}
        with suppress(OSError):  # a data folder that somebody removed must not keep the servers alive
            self._write()
        end_run(self.state, STOP_SERVERS if self.is_durable else DROP_SERVERS)
        (self.data / "state.json").unlink(missing_ok=True)

    def _make(self, home: Home, needed: Sequence[str]) -> Iterator[Server]:
        """The servers, each made when the one before it answers."""
        mark, durable, redis_server = self.state.run, self.is_durable, self.options.redis_server
        if Postgres.variable in needed:
            yield Postgres(home, self.data / "postgres.log", run=mark, is_durable=durable)
        if Valkey.variable in needed:
            log = self.data / "valkey.log"
            yield Valkey(home, log, run=mark, is_durable=durable, program=redis_server)

    def _write(self) -> None:
        self.state.servers = {server.name: server.identity for server in self.servers if server.identity}
        self.state.write(self.data)


def _is_given(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))
