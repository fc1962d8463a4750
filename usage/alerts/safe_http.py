"""POSTs to addresses that strangers chose: https, global addresses only, no redirect, one deadline for everything.

The libraries' timeouts begin anew with each byte that arrives, so a slow server holds them for hours: here the
socket itself knows when its time is over. The name is looked up once, and the address that was checked is called.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from usage.alerts.addresses import NotFound, Resolve, is_open, parsed, resolve

DEADLINE = 15.0  # seconds, from looking up the name to the last byte
MOST_READ = 2_048  # bytes of an answer: enough for a reason
PORTS = {"https": 443, "http": 80}
LONGEST_URL = 500
AGENT = "Headroom"


class Forbidden(Exception):
    """The address must not be called: nothing was sent."""


class NoAnswer(Exception):
    """No whole answer came: the host is away, too slow, or speaks no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, the reason behind it, `Retry-After` as sent, and how a body that is no success begins."""

    status: int
    reason: str
    retry_after: str
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def checked(url: str) -> SplitResult:
    """The parts of an address that may be called, as far as one can tell without looking it up; raises Forbidden."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Forbidden(f"Use at most {LONGEST_URL} ASCII characters without spaces.")
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError as error:
        raise Forbidden(f"This is no address: {error}.") from error
    allowed = ("https", "http") if settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE else ("https",)
    if parts.scheme not in allowed or not parts.hostname or not has_port:
        raise Forbidden("Use an address that begins with https:// and a host's name.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Forbidden("Leave out the user, the password and what follows #.")
    return parts


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    deadline: float = DEADLINE,
    look_up: Resolve | None = None,
) -> Answer:
    """Send once and return what was answered, whatever its status; raises Forbidden or NoAnswer.

    It takes `deadline` seconds at most, whoever is slow. `look_up` stands in for the system's resolver.
    """
    parts = checked(url)
    clock = Clock(deadline)
    try:
        with _connected(parts, clock, look_up or resolve) as connection:
            return _exchange(connection, parts, body, headers)
    except TimeoutError as error:
        raise NoAnswer(f"No answer within {deadline:.0f} s.") from error
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"The certificate is not good: {error.verify_message}.") from error
    except NotFound as error:
        raise NoAnswer(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


class Clock:
    """Counts down from a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises TimeoutError where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    """What arrives on a socket, as long as the clock runs."""

    def __init__(self, plain: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = plain, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._clock.left())
        return self._socket.recv_into(buffer)


class _Connection:
    """The part of a socket that `http.client` uses; each wait is bounded by what is left of the one deadline."""

    def __init__(self, plain: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = plain, clock

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(self._clock.left())
            rest = rest[self._socket.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket, self._clock))

    def close(self) -> None:
        """`http.client` lets go of a connection before the body is read: whoever opened it hangs up."""


def _connected(parts: SplitResult, clock: Clock, look_up: Resolve) -> _Connection:
    """A connection to the first of the host's addresses that takes one; its certificate is the name's."""
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    plain = _called(_allowed(host, look_up(host, port, clock.left())), port, clock)
    try:
        if parts.scheme == "https":
            plain.settimeout(clock.left())  # one limit for the whole handshake
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return _Connection(plain, clock)


def _allowed(host: str, found: Sequence[str]) -> list[str]:
    """Those of the addresses that may be called; raises Forbidden where there are none."""
    if settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE:
        return list(found)
    allowed = [one for one in found if is_open(parsed(one))]
    if not allowed:
        raise Forbidden(f"{host} leads to a private address ({', '.join(found)}); nothing was sent.")
    return allowed


def _called(addresses: list[str], port: int, clock: Clock) -> socket.socket:
    """A socket connected to one of them; each gets its share of the time, so that one dead address is not all."""
    failure: OSError = NotFound("The name has no address.")
    for tried, address in enumerate(addresses):
        try:
            return socket.create_connection((address, port), clock.left() / (len(addresses) - tried))
        except OSError as error:
            failure = error
    raise failure


def _exchange(connection: _Connection, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    caller = http.client.HTTPConnection(str(parts.hostname))
    caller.sock = cast(socket.socket, connection)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    ours = {"Host": parts.netloc, "User-Agent": AGENT, "Connection": "close"}
    caller.request("POST", path, body, {**ours, **headers})
    response = caller.getresponse()
    # A success needs no body; of a failure whatever came in time is worth showing.
    text = "" if 200 <= response.status < 300 else _beginning(response)
    return Answer(response.status, response.reason, response.headers.get("Retry-After", ""), text)


def _beginning(response: http.client.HTTPResponse) -> str:
    """What comes of a body before it is enough, or time is over."""
    text = b""
    with suppress(OSError, http.client.HTTPException):  # it has said its status; the rest may be missing
        while len(text) < MOST_READ and (part := response.read1(MOST_READ - len(text))):
            text += part
    return text.decode(errors="replace")
