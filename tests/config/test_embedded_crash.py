"""Embedded servers after a crash: what was left is ended, what was written is there, strangers live on."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.embedded import running_urls
from tests.config.runs import GIVEN, Run, eventually, has_ended, identities, servers


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


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
