"""Takes a data folder over: its lock, what a killed supervisor left running, and its removal."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded.errors import EmbeddedError, say
from config.embedded.home import remove_home
from config.embedded.identity import DROP_SERVERS, STOP_PROGRAMS, STOP_SERVERS, Steps, end, marked
from config.embedded.state import Lock, State, read_state, running_urls

THROWAWAY = "headroom-throwaway-"
OWNER_WITHIN = 60.0


def claim(data: Path, needed: Sequence[str]) -> Lock | dict[str, str]:
    """The lock of a data folder, all of earlier runs ended; or the addresses that its live owner gives."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"{data} can't be made ({error.strerror}): use another --data.") from error
    lock = Lock(data)
    deadline = time.monotonic() + OWNER_WITHIN
    while not lock.take():
        urls = running_urls(data) or {}
        if all(name in urls for name in needed):
            return {name: urls[name] for name in needed}
        if urls or time.monotonic() > deadline:
            missing = " and ".join(name for name in needed if name not in urls)
            raise EmbeddedError(
                f"{data} is in use {_by(data)}, which gives no {missing}: stop it or use another --data."
            )
        time.sleep(0.1)  # its owner is starting or stopping
    reap(data, STOP_SERVERS)
    return lock


def reap(data: Path, steps: Steps) -> None:
    """End what the last supervisor of this folder left running; the caller holds the lock, so it is dead."""
    state = read_state(data)
    if state is None:
        return
    if end_run(state, steps):
        say("Stopped what an earlier run had left running.")
    (data / "state.json").unlink(missing_ok=True)


def reap_dead(data: Path) -> None:
    """End what a killed run left on this folder; one that lives is let be."""
    if (data / "state.json").exists():
        lock = Lock(data)
        if lock.take():
            reap(data, STOP_SERVERS)
        lock.release()


def end_run(state: State, steps: Steps) -> bool:
    """End the programs a run started, then its servers; True if there were any."""
    servers = [process for identity in state.servers.values() if (process := identity.find())]
    numbers = {process.pid for process in servers}
    programs = [process for process in marked(state.run) if process.pid not in numbers]
    if not (end(programs, STOP_PROGRAMS) and end(servers, steps)):
        raise EmbeddedError(
            f"Processes of an earlier run don't end: {[*numbers, *(p.pid for p in programs)]}."
        )
    if state.sockets:
        shutil.rmtree(state.sockets, ignore_errors=True)
    return bool(programs or servers)


def clear(data: Path) -> None:
    """Remove a data folder and the servers' files, wherever they lie; refuses while it is in use."""
    if not data.exists():
        return
    lock = Lock(data)
    if not lock.take():
        raise EmbeddedError(f"{data} is in use {_by(data)}: stop that first.")
    _remove(data, lock)


@contextmanager
def throwaway() -> Iterator[Path]:
    """A fresh data folder, removed at the end; what killed runs left of theirs is removed too."""
    folder = Path(tempfile.gettempdir())
    for old in folder.glob(f"{THROWAWAY}*"):
        with suppress(FileNotFoundError):  # another run clears it at this moment
            _remove_if_dead(old)
    data = Path(tempfile.mkdtemp(prefix=THROWAWAY, dir=folder))
    if os.geteuid() == 0:
        data.chmod(0o711)  # the servers' user must reach its own folder inside
    try:
        yield data
    finally:
        remove_home(data)


def _remove_if_dead(data: Path) -> None:
    # Another user's is not ours to end, and one without a state is just being made or removed.
    if data.stat().st_uid != os.geteuid() or not (data / "state.json").exists():
        return
    lock = Lock(data)
    if lock.take():
        _remove(data, lock)
    else:
        lock.release()


def _remove(data: Path, lock: Lock) -> None:
    reap(data, DROP_SERVERS)
    remove_home(data)
    lock.release()


def _by(data: Path) -> str:
    state = read_state(data)
    return f"by process {state.supervisor.pid}" if state else "by another process"
