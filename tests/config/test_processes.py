"""A group of programs: started together, stopped together, with whatever they started themselves."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from config import processes
from config.processes import Group

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)
# Has a child at work, for which it waits when it is asked to stop.
PATIENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input(); print('done', flush=True)"], stdin=-1)
signal.signal(signal.SIGTERM, lambda *_: (child.communicate(b"\\n"), sys.exit()))
signal.pause()
"""
# Starts a child in the same session, tells its number, and ends or stays.
PARENT = "sleep 60 & echo $!; {}"


def eventually(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, f"{check} did not come true"
        time.sleep(0.02)


def is_gone(number: int) -> bool:
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def signal_soon(number: signal.Signals) -> Iterator[None]:
    """Send a signal to this process, whose main thread waits in a group meanwhile."""
    timer = threading.Timer(0.1, signal.raise_signal, [number])
    timer.start()
    try:
        yield
    finally:
        timer.join()


# A signal may come while psutil reads a file of /proc, which is then closed by the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestGroup:
    def test_stops_its_programs_and_their_children(self, tmp_path: Path) -> None:
        with Group(tmp_path) as group:
            group.start("parent", ["sh", "-c", PARENT.format("wait")])
            eventually(lambda: group.log_of("parent").read_text())
            child = int(group.log_of("parent").read_text())
            assert not is_gone(child)
        eventually(lambda: is_gone(child))  # killed, but not yet buried where the machine is busy
        assert group.code == 0

    def test_lets_a_program_wait_for_what_its_children_have_in_hand(self, tmp_path: Path) -> None:
        with Group(tmp_path) as group:
            group.start("patient", [sys.executable, "-c", PATIENT])
            eventually(lambda: group.log_of("patient").read_text())
        assert group.log_of("patient").read_text() == "\ndone\n"

    def test_ends_when_one_program_ends_and_takes_its_children_along(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with Group(tmp_path) as group:
            group.start("stays", ["sleep", "60"])
            group.start("goes", ["sh", "-c", PARENT.format("exit 3")])
            group.wait()
        assert group.code == 1
        assert f"goes ended with code 3; its log: {tmp_path}/goes.log" in capfd.readouterr().err
        child = int((tmp_path / "goes.log").read_text())
        eventually(lambda: is_gone(child))

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_takes_a_signal_as_the_wish_to_stop(self, tmp_path: Path, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        with Group(tmp_path) as group:
            group.start("stays", ["sleep", "60"])
            with signal_soon(number):
                group.wait()
        assert group.code == 0
        assert group.ended() is None
        assert signal.getsignal(number) == before

    def test_kills_a_program_that_does_not_stop_in_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processes, "PATIENCE", 0.3)
        with Group(tmp_path) as group:
            group.start("stubborn", [sys.executable, "-c", STUBBORN])
            eventually(lambda: group.log_of("stubborn").read_text())
        assert group.ended() is None

    def test_kills_at_once_when_asked_twice(self, tmp_path: Path) -> None:
        started = time.monotonic()
        with Group(tmp_path) as group:
            group.start("stubborn", [sys.executable, "-c", STUBBORN])
            eventually(lambda: group.log_of("stubborn").read_text())
            with signal_soon(signal.SIGINT), signal_soon(signal.SIGTERM):
                group.wait()
        assert time.monotonic() - started < processes.PATIENCE

    def test_leaves_errors_of_the_block_alone(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="broken"), Group(tmp_path):
            raise ValueError("broken")

    def test_names_each_line_where_it_keeps_no_logs(self) -> None:
        program = (
            "from config.processes import Group\n"
            "with Group() as group:\n"
            "    group.start('web', ['echo', 'hello'])\n"
            "    group.wait()\n"
            "raise SystemExit(group.code)"
        )
        ran = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert (ran.returncode, ran.stdout) == (1, "web      | hello\n")
