"""Lines to Redis: over TCP, TLS and the file system; what breaks never lends a reply to the next command."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import trustme
from django.conf import settings
from hiredis import pack_command

from usage.metering import links
from usage.metering.sockets import Line, NotConnected, bulks

pytestmark = pytest.mark.counting

SHARE = 0.2  # seconds that a line waits


class Door:
    """Another way to the server: passes bytes on from any listener, with TLS where it is given; a context.

    While it is `mute` it passes requests on, but no answers.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        url = urlsplit(settings.HEADROOM_REDIS_URL)
        self._target = str(url.hostname), url.port or 6379
        self._listener, self._tls = listener, tls
        self._ends: list[socket.socket] = [listener]
        self.is_mute = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all lines, and take no more."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                end, _ = self._listener.accept()
                if self._tls:
                    end = self._tls.wrap_socket(end, server_side=True)
                server = socket.create_connection(self._target)
                self._ends += [end, server]
                for source, sink in ((end, server), (server, end)):
                    threading.Thread(
                        target=self._pump, args=(source, sink, source is server), daemon=True
                    ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not (is_answer and self.is_mute):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


def tcp() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def in_files(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "door"))
    listener.listen()
    return listener


@pytest.fixture
def folder() -> Iterator[Path]:
    """Its name is short: a socket's path has at most 107 bytes."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["tcp", "tls", "file"])
def way(request: pytest.FixtureRequest, redis_db: redis.Redis, folder: Path) -> Iterator[tuple[Door, str]]:
    """A door of each kind, and its address."""
    url = urlsplit(settings.HEADROOM_REDIS_URL)
    login = f":{url.password}@" if url.password else ""
    if request.param == "file":
        with Door(in_files(folder)) as door:
            yield door, f"unix://{login}{folder}/door?db={url.path.strip('/') or 0}"
        return
    listener = tcp()
    place = f"{login}localhost:{listener.getsockname()[1]}{url.path}"
    if request.param == "tcp":
        with Door(listener) as door:
            yield door, f"redis://{place}"
        return
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with Door(listener, context) as door:
        yield door, f"rediss://{place}?ssl_ca_certs={folder}/ca.pem"


@pytest.fixture
def door(way: tuple[Door, str]) -> Door:
    return way[0]


@pytest.fixture
def line(way: tuple[Door, str], monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(settings, "HEADROOM_REDIS_URL", way[1])
    client = links.client(socket_timeout=SHARE, socket_connect_timeout=SHARE, protocol=2)
    return Line(client.connection_pool.make_connection())


def ask(line: Line, *command: Any) -> Any:
    return line.exchange(pack_command(command))


class TestLine:
    def test_asks_and_hears(self, line: Line) -> None:
        assert ask(line, "SET", "key", "é" * 50_000) == b"OK"
        assert ask(line, "GET", "key") == ("é" * 50_000).encode()
        assert ask(line, "GET", "nothing") is None
        assert ask(line, "MGET", "nothing", "key")[0] is None

    def test_stays_after_an_error_that_redis_answers(self, line: Line) -> None:
        with pytest.raises(redis.exceptions.NoScriptError):
            ask(line, "EVALSHA", "0" * 40, 0)
        assert line.is_connected
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            ask(line, "GET")
        assert ask(line, "ECHO", "still here") == b"still here"

    def test_waits_no_longer_than_its_share(self, line: Line, door: Door) -> None:
        ask(line, "PING")
        door.is_mute = True
        begun = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            ask(line, "PING")
        assert SHARE * 0.9 < time.monotonic() - begun < SHARE * 5

    def test_never_takes_the_reply_of_a_command_that_was_given_up(self, line: Line, door: Door) -> None:
        ask(line, "PING")
        door.is_mute = True
        with pytest.raises(redis.TimeoutError):
            ask(line, "ECHO", "late")
        assert not line.is_connected
        door.is_mute = False
        assert ask(line, "ECHO", "next") == b"next"

    def test_never_takes_the_reply_of_a_command_that_was_broken_off(self, line: Line, door: Door) -> None:
        """Whatever breaks it off: a signal, here."""

        class Stop(BaseException):
            pass

        def stop(*_: object) -> None:
            raise Stop

        ask(line, "PING")
        door.is_mute = True
        before = signal.signal(signal.SIGALRM, stop)
        try:
            signal.setitimer(signal.ITIMER_REAL, SHARE / 4)
            with pytest.raises(Stop):
                ask(line, "ECHO", "late")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        door.is_mute = False
        assert ask(line, "ECHO", "next") == b"next"

    def test_that_was_cut_says_so(self, line: Line, door: Door) -> None:
        ask(line, "PING")
        door.close()
        with pytest.raises(redis.ConnectionError) as caught:
            ask(line, "PING")
        assert not isinstance(caught.value, NotConnected)  # it may have arrived
        with pytest.raises(NotConnected):
            ask(line, "PING")

    def test_that_was_cut_meanwhile_is_noticed_before_it_is_used(self, line: Line, door: Door) -> None:
        ask(line, "PING")
        line.refresh()
        assert line.is_connected
        door.close()
        deadline = time.monotonic() + 10
        while line.is_connected and time.monotonic() < deadline:  # the end takes its time to arrive
            line.refresh()
        assert not line.is_connected


class TestBulks:
    def test_are_the_parts_of_a_command(self) -> None:
        parts: Any = ("GET", b"key", 12, "é", "")
        assert b"*5\r\n" + bulks(*parts) == pack_command(parts)
        many: Any = tuple(range(1_000))
        assert b"*1000\r\n" + bulks(*many) == pack_command(many)
