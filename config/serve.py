"""The programs that make up a running Headroom; `python -m config.serve` runs them in the foreground."""

import os
import socket
import sys
from pathlib import Path

from config.environment import whole
from config.processes import Group

CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "config.celery")
QUIET = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle")
SENDERS = ("-P", "threads", "-c", "9")  # as many as lanes of deliveries may have at work at once
WEB_DEFAULTS = {
    "GRANIAN_WORKERS": "2",
    "GRANIAN_BLOCKING_THREADS": "8",
    "GRANIAN_RESPAWN_FAILED_WORKERS": "true",
    "GRANIAN_WORKERS_KILL_TIMEOUT": "8",
}


class PortError(Exception):
    """One sentence for the person who chose the port."""


def free_port(host: str, port: str) -> int:
    """The port as a number, if nobody listens on it; raises PortError.

    The web server would not notice: its workers share a port, and so would two servers of one user.
    """
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise PortError(f"PORT={port} is no port: use a number from 1 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended don't count
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise PortError(
                f"Port {port} of {host} can't be had ({error.strerror}): choose another with PORT=."
            ) from error
    return int(port)


def web(host: str, port: int) -> list[str]:
    """The web server's command; its environment is `web_environment()`."""
    address = ("--interface", "wsgi", "--host", host, "--port", str(port))
    return [sys.executable, "-m", "granian", *address, "--no-ws", "config.wsgi:application"]


def background(schedule: Path) -> dict[str, list[str]]:
    """Name -> command of what runs beside it; flush and limits have processes of their own: no mail delays them.

    HEADROOM_FLUSHERS is how many flush: they share what waits.
    """
    flushers = ["flusher", *(f"flusher{number}" for number in range(2, whole("HEADROOM_FLUSHERS", 1) + 1))]
    return {
        "worker": [*CELERY, "worker", "-n", "worker@%h", "-Q", "celery", "-c", "2", *QUIET],
        "courier": [*CELERY, "worker", "-n", "courier@%h", "-Q", "alerts", *SENDERS, *QUIET],
        **{
            name: [*CELERY, "worker", "-n", f"{name}@%h", "-Q", "flush", "-P", "solo", *QUIET]
            for name in flushers
        },
        "limiter": [*CELERY, "worker", "-n", "limiter@%h", "-Q", "limits", "-P", "solo", *QUIET],
        "beat": [*CELERY, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "WARNING"],
    }


def web_environment() -> dict[str, str]:
    """How much the web server takes on; any GRANIAN_* variable that is set already wins."""
    return {name: os.environ.get(name, value) for name, value in WEB_DEFAULTS.items()}


def main() -> int:
    """Run web, workers and beat until a signal comes or one of them ends; returns the exit code."""
    host = os.environ.get("HEADROOM_HOST", "127.0.0.1")
    try:
        port = free_port(host, os.environ.get("PORT", "8000"))
    except PortError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    schedule = Path("var/beat/schedule")
    schedule.parent.mkdir(parents=True, exist_ok=True)
    with Group() as group:
        group.start("web", web(host, port), web_environment())
        for name, command in background(schedule).items():
            group.start(name, command)
        group.wait()
    return group.code


if __name__ == "__main__":
    sys.exit(main())
