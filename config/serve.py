"""The programs that make up a running Headroom, and `python -m config.serve`, which runs them in the foreground."""

import os
import sys
from pathlib import Path

from config.processes import Group

CELERY = (sys.executable, "-m", "celery", "-A", "config.celery")
QUIET = ("--loglevel", "INFO", "--without-gossip", "--without-mingle")


def web(host: str, port: int) -> list[str]:
    """The web server; GRANIAN_* variables change everything but its address."""
    address = ("--interface", "wsgi", "--host", host, "--port", str(port))
    return [sys.executable, "-m", "granian", *address, "--no-ws", "config.wsgi:application"]


def background(schedule: Path) -> dict[str, list[str]]:
    """Name -> command of what runs beside it: the flush has a process of its own, so no mail can delay it."""
    return {
        "worker": [*CELERY, "worker", "-n", "worker@%h", "-Q", "celery", "-c", "2", *QUIET],
        "flusher": [*CELERY, "worker", "-n", "flusher@%h", "-Q", "flush", "-P", "solo", *QUIET],
        "beat": [*CELERY, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "WARNING"],
    }


WEB_ENVIRONMENT = {
    name: os.environ.get(name, value)
    for name, value in {
        "GRANIAN_WORKERS": "2",
        "GRANIAN_BLOCKING_THREADS": "8",
        "GRANIAN_RESPAWN_FAILED_WORKERS": "true",
        "GRANIAN_WORKERS_KILL_TIMEOUT": "8",
    }.items()
}


def main() -> int:
    """Run web, workers and beat until a signal comes or one of them ends; returns the exit code."""
    schedule = Path("var/beat/schedule")
    schedule.parent.mkdir(parents=True, exist_ok=True)
    with Group() as group:
        group.start(
            "web",
            web(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))),
            WEB_ENVIRONMENT,
        )
        for name, command in background(schedule).items():
            group.start(name, command)
        group.wait()
    return group.code


if __name__ == "__main__":
    sys.exit(main())
