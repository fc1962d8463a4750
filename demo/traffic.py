"""The demo's traffic: real HTTP requests with the tenants' own keys, slow and even: `python -m demo.traffic FILE`.

FILE is demo.json. It sends to this machine only, and ends when it is told to or when the server has gone.
"""

from __future__ import annotations

import heapq
import http.client
import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from demo.visitors import Visitor, visitors

THREADS = 3
PATIENCE = 10.0  # seconds for one answer
GONE_AFTER = 15.0  # seconds without any answer: the server has gone
TELL_EVERY = 60.0
AWAY = 0  # instead of a status: no answer
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Sender:
    """One thread with one kept connection, sending for some visitors in turn."""

    def __init__(self, host: str, port: int, who: Sequence[Visitor], stop: threading.Event) -> None:
        self.connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        self.who, self.stop = who, stop
        self.answers: Counter[int] = Counter()
        self.answered_at = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Send until the stop; who falls behind does not catch up, so a slow server gets less and never more."""
        begun = time.monotonic()
        due = [(begun + one.pause(), number) for number, one in enumerate(self.who)]
        heapq.heapify(due)
        while due and not self.stop.wait(max(0.0, due[0][0] - time.monotonic())):
            visitor = self.who[due[0][1]]
            status = self.send(visitor)
            self.answers[status] += 1
            if status != AWAY:
                self.answered_at = time.monotonic()
            heapq.heapreplace(due, (time.monotonic() + visitor.pause(), due[0][1]))
        self.connection.close()

    def send(self, visitor: Visitor) -> int:
        """The status of the answer to the visitor's next request."""
        wanted = visitor.request()
        headers = {"Authorization": f"Bearer {visitor.key}", "Content-Type": wanted.content_type}
        try:
            self.connection.request(wanted.method, wanted.path, wanted.body or None, headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()  # the next request connects anew
            return AWAY
        return answer.status


def main(arguments: Sequence[str]) -> int:
    """Send until a signal comes or the server has gone; returns the exit code."""
    handout = json.loads(Path(arguments[0]).read_text())
    address = urlsplit(handout["base_url"])
    if address.hostname not in LOOPBACK or address.port is None:
        sys.stderr.write(f"{handout['base_url']} is not on this machine: the demo's traffic stays here.\n")
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    who = visitors(handout)
    senders = [Sender(address.hostname, address.port, who[n::THREADS], stop) for n in range(THREADS)]
    for sender in senders:
        sender.thread.start()
    _watch(senders, stop)
    for sender in senders:
        sender.thread.join(1)  # one that still waits for an answer ends with the process
    return 0


def _watch(senders: Sequence[Sender], stop: threading.Event) -> None:
    """Tell each minute what was answered; stop all when nothing is any more."""
    tell_at = time.monotonic() + TELL_EVERY
    while not stop.wait(1.0):
        if time.monotonic() - max(sender.answered_at for sender in senders) > GONE_AFTER:
            sys.stdout.write("No answer any more: the server has gone.\n")
            stop.set()
        if time.monotonic() > tell_at:
            tell_at += TELL_EVERY
            answers = sum((sender.answers for sender in senders), Counter[int]())
            words = (f"{count} × {status or 'no answer'}" for status, count in sorted(answers.items()))
            sys.stdout.write(f"Answered so far: {', '.join(words)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
