"""Clients that never finish what they send: as long as a thread is left, everybody else is answered."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.processes import Group
from config.serve import web, web_environment
from tests.config.runs import eventually

HOST = "127.0.0.1"
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_A_FORM = (
    b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=%b\r\nContent-Length: 40\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\ncsrf" % (b"c" * 32)
)
REST_OF_THE_FORM = b"=" + b"x" * 35
HEADS, BODIES, ASKED = 60, 6, 30  # fewer bodies than a worker has threads


def is_well(port: int) -> bool:
    asked = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        asked.request("GET", "/healthz")
        return asked.getresponse().status == 200
    except OSError:
        return False
    finally:
        asked.close()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a web server answers that was started as `make run` does it."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number = int(probe.getsockname()[1])
    with Group(tmp_path) as group:
        group.start("web", web(HOST, number), web_environment())
        eventually(lambda: group.ended() or is_well(number))
        yield number
        assert group.ended() is None


def slow(stack: ExitStack, port: int, begun: bytes) -> socket.socket:
    line = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
    line.sendall(begun)
    return line


class TestOthers:
    def test_are_answered_while_heads_and_bodies_stay_away(self, port: int) -> None:
        with ExitStack() as stack:
            for _ in range(HEADS):
                slow(stack, port, HALF_A_HEAD)
            bodies = [slow(stack, port, HALF_A_FORM) for _ in range(BODIES)]
            assert all(is_well(port) for _ in range(ASKED))
            for line in bodies:
                line.sendall(REST_OF_THE_FORM)
                assert line.recv(12) == b"HTTP/1.1 403"  # a token of nobody's
