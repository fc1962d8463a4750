"""A connection to Redis without redis-py's layers around each command, which take longer than many commands do."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

import redis
from hiredis import Reader, pack_command
from redis.connection import DefaultParser
from redis.exceptions import InvalidResponse, RedisError

READ_SIZE = 16_384  # as much as a record of TLS holds, so that none stays behind half read
WAITING = object()  # what the reader says before a reply is whole


def bulks(*values: Any) -> bytes:
    """`values` as they stand inside a command: bulk strings, one after the other."""
    packed: bytes = pack_command(values)
    return packed[packed.index(b"\n") + 1 :]


class NotConnected(redis.ConnectionError):
    """The connection could not be made, so nothing was sent."""


class Line:
    """Carries packed commands, one at a time. redis-py makes the connection: address, TLS, login, database."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket: socket.socket | None = None

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    def exchange(self, packed: bytes) -> Any:
        """Send one command and wait for its reply. Raises NotConnected, and what redis-py raises, replies included."""
        line = self._socket or self._connect()
        reader = self._reader
        try:
            line.sendall(packed)
            while (reply := reader.gets()) is WAITING:
                reader.feed(_received(line))
        except (TimeoutError, BlockingIOError) as error:
            self.disconnect()
            raise redis.TimeoutError("Redis did not answer in time.") from error
        except OSError as error:
            self.disconnect()
            raise redis.ConnectionError(f"The connection to Redis broke: {error}.") from error
        except BaseException:
            # Whatever ended the wait left a reply on its way, which must not be taken for that of the next command.
            self.disconnect()
            raise
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def refresh(self) -> None:
        """Disconnect where the server did so meanwhile: a call sent into that would be of unknown fate."""
        if self._socket is not None and (self._arrived(0) or self._reader.has_data()):
            self.disconnect()

    def disconnect(self) -> None:
        """The next command connects anew."""
        self._socket = None
        self._connection.disconnect()

    def _connect(self) -> socket.socket:
        try:
            self._connection.connect()
        except (RedisError, OSError) as error:
            raise NotConnected(str(error)) from error
        line: socket.socket = self._connection._sock
        _let_kernel_watch(line)
        self._socket = line
        self._reader = Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=WAITING
        )
        # One object for the life of the connection: a select.poll of its own for each look would cost three times it.
        arrivals = select.poll()
        arrivals.register(line, select.POLLIN)
        self._arrived: Callable[[int], object] = arrivals.poll
        return line


def _received(line: socket.socket) -> bytes:
    data = line.recv(READ_SIZE)
    if not data:
        raise redis.ConnectionError("Redis closed the connection.")
    return data


def _let_kernel_watch(line: socket.socket) -> None:
    """Let the kernel keep the timeout, where it can: Python would ask it before each send and each read."""
    seconds = line.gettimeout()
    if seconds is None or isinstance(line, ssl.SSLSocket):
        return
    line.settimeout(None)
    if os.get_blocking(line.fileno()):
        timeval = struct.pack("ll", int(seconds), round(seconds % 1 * 1_000_000))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    else:  # not a plain socket: one of gevent's, which waits by itself
        line.settimeout(seconds)
