"""A way to a server that can be broken: refuses, hangs, answers late, cuts the line instead of answering."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

Mode = Literal["on", "refuse", "hang", "slow", "cut"]
LATE = 1.0  # seconds
TICK = 0.005


class Proxy:
    """Passes bytes to `target`, a host and port or the path of a socket; a context.

    `hang` holds back what comes, as a stopped server does: it arrives when the mode changes, late. `slow` holds each
    answer back for a second. `cut` lets requests arrive and ends the line instead of answering. `losses` says what
    becomes of the next answers, one each: the line is cut, or nothing comes. While `doubles`, what comes by new lines
    is sent to the server twice, the second time by a line whose answers nobody reads.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._mode: Mode = "on"
        self._ends = False
        self._lines: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self.losses: list[Literal["cut", "nothing"]] = []
        self.doubles = False

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends = True
        self._close_all()

    def be(self, mode: Mode) -> None:
        """From now on behave so."""
        before, self._mode = self._mode, mode
        if mode == "refuse":
            self._close_all()
        elif before == "refuse":
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listen()

    def lead_to(self, target: tuple[str, int] | str) -> None:
        """New lines go there."""
        self._target = target

    def drop(self) -> None:
        """Cut all lines there are; new ones are as the mode says."""
        for line in list(self._lines):
            self._close(line)
            self._lines.discard(line)

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:  # closed: refuses from now on
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server, *twins = self._connect_all()
            except OSError:
                line.close()
                continue
            self._lines |= {line, server, *twins}
            pumps = [
                (line, [server, *twins], False),
                (server, [line], True),
                *((one, [], True) for one in twins),
            ]
            for pump in pumps:
                threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _connect_all(self) -> list[socket.socket]:
        """A connection to the server, and its twin where there is to be one; both or none."""
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(self._connect()) for _ in range(1 + self.doubles)]
            stack.pop_all()
        return found

    def _connect(self) -> socket.socket:
        if not isinstance(self._target, str):
            return socket.create_connection(self._target)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            raise
        return server

    def _pump(self, source: socket.socket, sinks: Sequence[socket.socket], is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if is_answer and self._mode == "slow":
                    time.sleep(LATE)
                while self._mode == "hang" and not self._ends:
                    time.sleep(TICK)
                loss = self.losses.pop(0) if is_answer and sinks and self.losses else self._mode
                if loss == "nothing":
                    continue
                if is_answer and loss == "cut":
                    self.cuts += 1
                    break
                for sink in sinks:
                    sink.sendall(data)
        for line in (source, *sinks):
            self._close(line)

    def _close_all(self) -> None:
        self._close(self._listener)
        self.drop()

    @staticmethod
    def _close(line: socket.socket) -> None:
        # Only a shutdown wakes a thread that waits in it.
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.close()
