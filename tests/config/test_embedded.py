"""The embedded servers, with real processes: started, shared, killed, reaped, and never anybody else's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from config.embedded import running_urls
from config.embedded.reaping import clear

WITHIN = 30.0
EMBEDDED: list[str | Path] = [sys.executable, "-m", "config.embedded"]
# Tells its environment, then lives until its input ends.
PROGRAM = [
    sys.executable,
    "-c",
    "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()",
]


def eventually(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN
    while not check():
        assert time.monotonic() < deadline, f"{check} did not come true"
        time.sleep(0.02)


GIVEN = {"DATABASE_URL": "postgresql://elsewhere/x"}  # saves the start of PostgreSQL


def environment(**variables: str) -> dict[str, str]:
    named = ("DATABASE_URL", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if name not in named} | variables


class Run:
    """A `run` whose program has told its environment."""

    def __init__(self, *options: str | Path, **variables: str) -> None:
        self.process = subprocess.Popen(
            [*EMBEDDED, "run", *options, "--", *PROGRAM],
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.told: dict[str, str] = json.loads(line) if line else {}

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> tuple[int, str]:
        """End the program; returns the exit code and what was said."""
        _, said = self.process.communicate(timeout=WITHIN)
        return self.process.returncode, said

    def kill(self) -> None:
        """As a power cut would, as far as the supervisor is concerned."""
        self.process.kill()
        self.finish()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.told["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def redis(self, *command: str | int) -> Any:
        with redis.Redis.from_url(self.told["REDIS_URL"], decode_responses=True) as client:
            return client.execute_command(*command)


def servers(data: Path) -> dict[str, psutil.Process]:
    found = json.loads((data / "state.json").read_text())["servers"]
    return {name: psutil.Process(server["pid"]) for name, server in found.items()}


def identities(data: Path) -> set[tuple[int, float]]:
    found = json.loads((data / "state.json").read_text())["servers"]
    return {(server["pid"], server["started"]) for server in found.values()}


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hr-test-"))
    folder.chmod(0o711)  # as a clone's usually is; a closed one has a test of its own
    yield folder
    clear(folder)
    assert not folder.exists()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


class TestRun:
    def test_gives_the_command_servers_that_answer_and_stops_them(self, data: Path) -> None:
        with Run("--data", data) as run:
            assert run.sql("SELECT current_user || ' ' || split_part(version(), '.', 1)") == [
                ("headroom PostgreSQL 18",)
            ]
            assert run.redis("CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            started = servers(data)
            assert set(started) == {"PostgreSQL", "Valkey"}
            assert all(process.uids().effective != 0 for process in started.values())
        assert all(has_ended(process) for process in started.values())
        assert running_urls(data) is None

    def test_returns_the_exit_code_of_the_command(self, data: Path) -> None:
        command = [*EMBEDDED, "run", "--data", data, "--", "sh", "-c"]
        given = environment(**GIVEN, REDIS_URL="redis://elsewhere/0")
        assert subprocess.run([*command, "exit 7"], env=given).returncode == 7
        assert subprocess.run([*command, "kill -9 $$"], env=given).returncode == 137

    def test_starts_no_postgresql_where_database_url_is_set(self, data: Path) -> None:
        with Run("--data", data, **GIVEN) as run:
            assert run.told["DATABASE_URL"] == "postgresql://elsewhere/x"
            assert set(servers(data)) == {"Valkey"}
            assert running_urls(data) == {"REDIS_URL": run.told["REDIS_URL"]}

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_passes_a_signal_on_and_still_stops_its_servers(self, data: Path, number: signal.Signals) -> None:
        run = Run("--data", data, **GIVEN)
        started = servers(data)
        run.process.send_signal(number)
        run.process.send_signal(number)
        code, _ = run.finish()
        assert code in (1, 128 + number)  # Python's own exit after SIGINT is 1 or 130
        assert all(has_ended(process) for process in started.values())

    def test_stops_with_the_process_that_called_it_where_asked_to(self, data: Path) -> None:
        command = [*EMBEDDED, "run", "--with-parent", "--data", data, "--", *PROGRAM]
        with subprocess.Popen(
            ["sh", "-c", '"$@"; :', "sh", *command],
            env=environment(**GIVEN),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as caller:
            assert caller.stdout
            caller.stdout.readline()
            state = json.loads((data / "state.json").read_text())
            started = [*servers(data).values(), psutil.Process(state["supervisor"]["pid"])]
            caller.kill()
            eventually(lambda: all(has_ended(process) for process in started))

    def test_lets_the_terminals_interrupt_reach_the_command_once(self, data: Path) -> None:
        program = (
            "import signal, sys, time; count = []; signal.signal(signal.SIGINT, lambda *_: count.append(1));"
            "print('ready', flush=True); time.sleep(2); sys.exit(40 + len(count))"
        )
        command = [*EMBEDDED, "run", "--data", str(data), "--", sys.executable, "-c", program]
        # A process of its own makes the terminal: a fork of the tests' threads would be unsafe.
        terminal = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({command!r})))"
        with subprocess.Popen(
            [sys.executable, "-c", terminal],
            env=environment(**GIVEN),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as person:
            assert person.stdin
            assert person.stdout
            assert b"ready" in person.stdout.readline()
            person.stdin.write(b"\x03")
            person.stdin.flush()
            person.stdout.read()
        assert person.returncode == 41

    def test_ends_what_the_command_leaves_behind(self, data: Path) -> None:
        command = "setsid sleep 60 >/dev/null & echo $!"
        ran = subprocess.run(
            [*EMBEDDED, "run", "--data", data, "--", "sh", "-c", command],
            env=environment(**GIVEN),
            stdout=subprocess.PIPE,
            check=True,
        )
        assert all(has_ended(process) for process in psutil.process_iter() if process.pid == int(ran.stdout))

    def test_names_a_redis_that_can_not_be_run(self, data: Path) -> None:
        run = Run("--data", data, "--redis-server", "/nowhere/redis-server", **GIVEN)
        assert run.finish() == (
            1,
            "/nowhere/redis-server is not a Redis or Valkey server that can be run here.\n",
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
class TestRoot:
    def test_keeps_a_closed_folder_closed_and_the_servers_files_elsewhere(self, data: Path) -> None:
        data.chmod(0o700)
        with Run("--data", data) as run:
            elsewhere = (data / "servers").resolve()
            assert run.sql("SELECT 1") == [(1,)]
            assert elsewhere.parent == Path("/var/tmp")  # noqa: S108
            assert data.stat().st_mode & 0o777 == 0o700
        clear(data)
        assert not elsewhere.exists()


class TestSecondRun:
    def test_uses_the_servers_of_a_live_owner_and_leaves_them_running(self, data: Path) -> None:
        with Run("--data", data) as owner:
            with Run("--data", data) as guest:
                assert guest.told["DATABASE_URL"] == owner.told["DATABASE_URL"]
                assert guest.redis("PING")
            assert owner.sql("SELECT 1") == [(1,)]
            assert owner.redis("PING")
            assert running_urls(data) == {name: owner.told[name] for name in ("DATABASE_URL", "REDIS_URL")}

    def test_refuses_to_clear_what_is_in_use(self, data: Path) -> None:
        with Run("--data", data, **GIVEN) as owner:
            ran = subprocess.run([*EMBEDDED, "clear", "--data", data], stderr=subprocess.PIPE, text=True)
            assert ran.returncode == 1
            assert ran.stderr == f"{data} is in use by process {owner.process.pid}: stop that first.\n"


class TestCrash:
    def test_ends_what_a_killed_supervisor_left_and_finds_the_data_again(self, data: Path) -> None:
        run = Run("--data", data)
        run.sql("CREATE TABLE kept AS SELECT 42 AS number")
        run.redis("SET", "kept", 42)
        left = [*servers(data).values(), *psutil.Process(run.process.pid).children()]
        run.kill()
        with Run("--data", data) as after:
            assert all(has_ended(process) for process in left)
            assert after.sql("TABLE kept") == [(42,)]
            assert after.redis("GET", "kept") == "42"

    def test_starts_killed_servers_again_with_their_data_at_the_same_address(self, data: Path) -> None:
        with Run("--data", data) as run:
            run.sql("CREATE TABLE kept AS SELECT 42 AS number")
            run.redis("SET", "kept", 42)
            killed = identities(data)
            for process in servers(data).values():
                process.kill()
            eventually(lambda: identities(data).isdisjoint(killed))
            assert run.sql("TABLE kept") == [(42,)]
            assert run.redis("GET", "kept") == "42"

    def test_leaves_a_stranger_alone_that_has_a_servers_number_now(
        self, data: Path, stranger: subprocess.Popen[bytes]
    ) -> None:
        run = Run("--data", data)
        state = json.loads((data / "state.json").read_text())
        started = servers(data)
        run.kill()
        for process in started.values():
            process.kill()
        eventually(lambda: all(has_ended(process) for process in started.values()))
        for server in state["servers"].values():
            server["pid"] = stranger.pid
            server["started"] -= 60
        (data / "state.json").write_text(json.dumps(state))
        lock = data / "servers/postgres/postmaster.pid"
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:]]))
        assert running_urls(data) is None
        with Run("--data", data) as after:
            assert after.sql("SELECT 1") == [(1,)]
        assert stranger.poll() is None

    @pytest.mark.parametrize("damage", [b"*3\r\n$3\r\nSE", b"\0" * 64], ids=["cut", "zeros"])
    def test_reads_on_after_a_damaged_end_of_valkeys_file(self, data: Path, damage: bytes) -> None:
        with Run("--data", data, **GIVEN) as run:
            run.redis("SET", "kept", 42)
        (written,) = data.glob("servers/valkey-server/appendonlydir/*.incr.aof")
        with written.open("ab") as file:
            file.write(damage)
        with Run("--data", data, **GIVEN) as after:
            is_cut = damage.startswith(b"*")
            assert after.redis("GET", "kept") == ("42" if is_cut else None)
        assert is_cut is not any(data.glob("servers/valkey-server/appendonlydir.broken-*"))


class TestThrowaway:
    def test_is_gone_afterwards_and_takes_what_a_killed_one_left_with_it(self, data: Path) -> None:
        killed = Run("--throwaway", TMPDIR=str(data), **GIVEN)
        (folder,) = data.glob("headroom-throwaway-*")
        left = list(servers(folder).values())
        killed.kill()
        with Run("--throwaway", TMPDIR=str(data), **GIVEN) as run:
            assert all(has_ended(process) for process in left)
            assert not folder.exists()
            assert run.redis("PING")
        assert not list(data.glob("headroom-throwaway-*"))


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")
def test_runs_another_redis_where_one_is_named(data: Path) -> None:
    program = str(shutil.which("redis-server"))
    with Run("--data", data, "--redis-server", program, **GIVEN) as run:
        assert "valkey" not in run.redis("INFO", "server")
        assert servers(data)["Valkey"].name() == "redis-server"
