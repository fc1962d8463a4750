"""A real HTTP receiver on the loopback that can fail, dribble, send elsewhere and show a wrong certificate."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What is answered; `before` runs first, `pace` is seconds per byte of everything, head included."""

    status: int = 200
    text: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    pace: float = 0.0
    before: Callable[[], None] | None = None


class Receiver:
    """Keeps what came; answers with `replies` in turn and then with the last of them for ever."""

    def __init__(self, *replies: Reply, certificate: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies) or [Reply()]
        self.calls: list[Call] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = _Server((HOST, 0), _handler(self))
        if certificate:
            self._server.socket = certificate.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if certificate else "http"
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/hook", host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def take(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def done(self) -> None:
        with self._lock:
            self.at_once -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a dribbling answer ends with the process

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up on a slow answer is no error here."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = receiver.take(Call(self.path, headers, body))
            with suppress(OSError):
                if reply.before:
                    reply.before()
                _answer(self.connection, reply)
            receiver.done()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """The tests look at `calls`."""

    return Handler


def _answer(connection: socket.socket, reply: Reply) -> None:
    text = reply.text.encode()
    lines = [f"HTTP/1.1 {reply.status} Said", f"Content-Length: {len(text)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    raw = "\r\n".join([*lines, "", ""]).encode() + text
    if not reply.pace:
        connection.sendall(raw)
        return
    for byte in raw:
        connection.sendall(bytes([byte]))
        time.sleep(reply.pace)
