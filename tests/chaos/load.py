"""A steady, bounded load of several tenants, and the record of what each call was answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from tests.chaos.parties import Party

HOST = "127.0.0.1"
THREADS = 4
PAUSE = 0.08  # seconds between a thread's calls
PATIENCE = 30.0  # seconds for one answer
BYTES = 1  # of a file: the table adds units of all kinds
JOIN = 60.0
NOT_SENT = -1


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what it would count, and when (seconds since 1970) it was sent and answered.

    `status` 0: no answer came; NOT_SENT: nobody listened. A member for users, none for all else.
    """

    party: Party
    metric: str
    amount: int
    member: str
    sent: float
    answered: float
    status: int

    @property
    def is_admitted(self) -> bool:
        return self.status in (200, 201)

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows if it was counted: no answer, or an error's."""
        return self.status == 0 or self.status >= 500


class Load:
    """Threads that call for `parties` in turn, on each of `ports`; a context. `calls` is the record."""

    def __init__(self, parties: Sequence[Party], ports: Sequence[int], *, only_calls: bool = False) -> None:
        self.calls: list[Call] = []
        self._parties, self._ports, self._only_calls = parties, ports, only_calls
        self._numbers = count()
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(JOIN)
            assert not thread.is_alive()

    def of(self, party: Party) -> list[Call]:
        """Its calls so far."""
        return [call for call in list(self.calls) if call.party.id == party.id]

    def _work(self) -> None:
        while not self._ends.wait(PAUSE):
            number = next(self._numbers)
            party = self._parties[number % len(self._parties)]
            self.calls.append(self._call(number, party, self._ports[number % len(self._ports)]))

    def _call(self, number: int, party: Party, port: int) -> Call:
        """Of eight calls of a tenant one signs somebody in, and one stores a file."""
        turn = number // len(self._parties) % 8
        metric, amount, member = "api_calls", 1, ""
        asked = ("GET", "/demo/api/ping", b"")
        if turn == 3 and not self._only_calls:
            metric, member = "users", f"member-{number // 40}"  # some come twice
            asked = ("POST", "/demo/api/sessions", json.dumps({"user": member}).encode())
        elif turn == 6 and not self._only_calls:
            metric, amount = "storage", BYTES
            asked = ("PUT", f"/demo/api/files/{time.time_ns()}", b"x" * BYTES)
        sent = time.time()
        status, _ = ask(port, *asked, {"Authorization": f"Bearer {party.key}"})
        return Call(party, metric, amount, member, sent, time.time(), status)


def ask(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text of an answer; 0 where none came, NOT_SENT where nobody listened."""
    line = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        line.connect()
    except OSError:
        return NOT_SENT, ""
    try:
        line.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = line.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        line.close()
