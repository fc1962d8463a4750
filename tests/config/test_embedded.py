"""Embedded servers: started for a command, shared, stopped with it, and never anybody else's."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from config.embedded import running_urls
from config.embedded.reaping import clear
from tests.config.runs import (
    EMBEDDED,
    GIVEN,
    PROGRAM,
    WITHIN,
    Run,
    environment,
    eventually,
    has_ended,
    servers,
)


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
        run.process.wait(WITHIN)  # the end of its input, which `finish` brings, would end the program too
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
            "import signal, sys, time; count = []\n"
            "signal.signal(signal.SIGINT, lambda *_: (count.append(1), print('taken', flush=True)))\n"
            "print('ready', flush=True)\n"
            "while len(count) < 5: time.sleep(0.02)\n"
            "time.sleep(0.5); sys.exit(40 + len(count))"
        )
        command = [*EMBEDDED, "run", "--data", data, "--", sys.executable, "-c", program]
        # A process of its own makes the terminal: a fork of the tests' threads would be unsafe.
        terminal = (
            f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({list(map(str, command))})))"
        )
        with subprocess.Popen(
            [sys.executable, "-c", terminal],
            env=environment(**GIVEN),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as person:
            assert person.stdin
            assert person.stdout
            assert any(b"ready" in line for line in person.stdout)
            for _ in range(5):  # two signals at one moment can count as one, but not five times
                person.stdin.write(b"\x03")
                person.stdin.flush()
                assert any(b"taken" in line for line in person.stdout)
            person.stdout.read()
        assert person.returncode == 45

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


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")
def test_runs_another_redis_where_one_is_named(data: Path) -> None:
    program = str(shutil.which("redis-server"))
    with Run("--data", data, "--redis-server", program, **GIVEN) as run:
        assert "valkey" not in run.redis("INFO", "server")
        assert servers(data)["Valkey"].name() == "redis-server"
