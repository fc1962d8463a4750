"""The servers of a world: real ones that may be killed, behind proxies that may misbehave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.home import Home
from config.embedded.identity import RUN_VARIABLE
from config.embedded.postgres import PORT, Postgres
from config.embedded.reaping import claim, throwaway
from config.embedded.server import Server
from config.embedded.state import Lock
from config.embedded.supervisor import Options, Supervisor
from config.embedded.valkey import Valkey
from tests.usage.proxy import Proxy

WITHIN = 90.0  # seconds; a busy machine may take its time, nobody waits longer than needed


def eventually(is_so: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """Return as soon as it is true; whatever a server that is being killed says meanwhile is no answer."""
    deadline = time.monotonic() + within
    while True:
        with suppress(psycopg.Error, redis.RedisError, OSError):
            if is_so():
                return
        assert time.monotonic() < deadline, f"{what}: not within {within:.0f} s"
        time.sleep(0.05)


class Servers:
    """PostgreSQL, a Redis and, once asked for, a spare one; programs reach them through the proxies only.

    `counts` leads to what is counted in, `broker` to the queue of the same Redis, `link` to what a replica copies.
    """

    def __init__(self, supervisor: Supervisor, stack: ExitStack) -> None:
        self._supervisor = supervisor
        self.postgres, redis = supervisor.servers
        assert isinstance(redis, Valkey)
        self.redis = redis
        self.password = redis.password
        self._spare: Valkey | None = None
        home = self.postgres.home
        self.books = stack.enter_context(Proxy(f"{home.sockets}/.s.PGSQL.{PORT}"))
        self.counts, self.broker, self.link = (
            stack.enter_context(Proxy(("127.0.0.1", self.redis.port))) for _ in range(3)
        )

    @property
    def environment(self) -> dict[str, str]:
        """Where programs find the servers."""
        redis_url = f"redis://:{self.password}@127.0.0.1"
        return {
            RUN_VARIABLE: self._supervisor.state.run,
            "DATABASE_URL": f"postgresql://headroom@127.0.0.1:{self.books.port}/headroom",
            "REDIS_URL": f"{redis_url}:{self.counts.port}/0",
            "HEADROOM_BROKER_URL": f"{redis_url}:{self.broker.port}/1",
        }

    def sql(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection past the proxy."""
        return psycopg.connect(self.postgres.url, autocommit=True, connect_timeout=5)

    def ask_redis(self) -> redis.Redis:
        """A client past the proxy; use it as a context."""
        return _client(self.redis)

    def revive(self) -> None:
        """Start again what was killed, at the same address."""
        self._supervisor.watch()

    def copy(self) -> None:
        """Start a replica of Redis; returns once it has everything. It copies by `link`."""
        spare = self._spare or self._make_spare()
        spare.start()
        self._spare = spare
        self.link.lead_to(("127.0.0.1", self.redis.port))
        with _client(spare) as replica:
            replica.config_set("masterauth", self.password)
            replica.execute_command("REPLICAOF", "127.0.0.1", self.link.port)
            eventually(
                lambda: replica.info("replication")["master_link_status"] == "up", "the replica has all"
            )

    def promote(self) -> None:
        """Let the replica take the place of the Redis that was killed, which is the replica of the next time."""
        assert self._spare
        self.redis, self._spare = self._spare, self.redis
        self._supervisor.servers[1] = self.redis
        with self.ask_redis() as primary:
            primary.execute_command("REPLICAOF", "NO", "ONE")
        for proxy in (self.counts, self.broker):
            proxy.lead_to(("127.0.0.1", self.redis.port))

    def _make_spare(self) -> Valkey:
        home = self.redis.home
        own = Home(home.make_folder("spare"), home.sockets, home.account)
        log = self.redis.log.with_name("spare.log")
        spare = Valkey(own, log, run=self._supervisor.state.run, is_durable=True)
        spare.password = self.password
        return spare


def _client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0), socket_timeout=10)


def kill(server: Server) -> None:
    """Kill a server with all its helpers, as a power cut would."""
    assert server.process
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


@contextmanager
def servers() -> Iterator[Servers]:
    """Servers on a folder of their own, which goes with them."""
    with ExitStack() as stack:
        data = stack.enter_context(throwaway())
        lock = claim(data, [])
        assert isinstance(lock, Lock)
        stack.callback(lock.release)
        supervisor = Supervisor(data, Options(data))
        stack.callback(_stop, supervisor)
        supervisor.start([Postgres.variable, Valkey.variable])
        yield Servers(supervisor, stack)


def _stop(supervisor: Supervisor) -> None:
    started = [server.process for server in supervisor.servers if server.process]
    supervisor.stop()
    for process in started:
        process.wait()
