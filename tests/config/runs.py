"""Runs of the embedded servers as real processes, for the tests."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

WITHIN = 30.0
EMBEDDED: list[str | Path] = [sys.executable, "-m", "config.embedded"]
# Tells its environment, then lives until its input ends.
PROGRAM = [
    sys.executable,
    "-c",
    "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()",
]
GIVEN = {"DATABASE_URL": "postgresql://elsewhere/x"}  # saves the start of PostgreSQL


def eventually(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN
    while not check():
        assert time.monotonic() < deadline, f"{check} did not come true"
        time.sleep(0.02)


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
        try:
            _, said = self.process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
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
