"""The programs that make up a running Headroom; `python -m config.serve` runs them in the foreground."""

import os
import sys
from pathlib import Path

from config.processes import Group

CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "config.celery")
QUIET = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle")
WEB_DEFAULTS = {
    "GRANIAN_WORKERS": "2",
    "GRANIAN_BLOCKING_THREADS": "8",
    "GRANIAN_RESPAWN_FAILED_WORKERS": "true",
    "GRANIAN_WORKERS_KILL_TIMEOUT": "8",
}


def web(host: str, port: int | str) -> list[str]:
    """The web server's command; its environment is `web_environment()`."""
    address = ("--interface", "wsgi", "--host", host, "--port", str(port))
    return [sys.executable, "-m", "granian", *address, "--no-ws", "config.wsgi:application"]


def background(schedule: Path) -> dict[str, list[str]]:
    """Name -> command of what runs beside it; flush and limits have processes of their own: no mail delays them."""
    return {
        "worker": [*CELERY, "worker", "-n", "worker@%h", "-Q", "celery", "-c", "2", *QUIET],
        "flusher": [*CELERY, "worker", "-n", "flusher@%h", "-Q", "flush", "-P", "solo", *QUIET],
        "limiter": [*CELERY, "worker", "-n", "limiter@%h", "-Q", "limits", "-P", "solo", *QUIET],
        "beat": [*CELERY, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "WARNING"],
    }


def web_environment() -> dict[str, str]:
    """How much the web server takes on; any GRANIAN_* variable that is set already wins."""
    return {name: os.environ.get(name, value) for name, value in WEB_DEFAULTS.items()}


def main() -> int:
    """Run web, workers and beat until a signal comes or one of them ends; returns the exit code."""
    schedule = Path("var/beat/schedule")
    schedule.parent.mkdir(parents=True, exist_ok=True)
    host, port = os.environ.get("HEADROOM_HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
    with Group() as group:
        group.start("web", web(host, port), web_environment())
        for name, command in background(schedule).items():
            group.start(name, command)
        group.wait()
    return group.code


if __name__ == "__main__":
    sys.exit(main())
