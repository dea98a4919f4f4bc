"""Plain connections to a server that is looked at, whose replies are all counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gevent import socket

from loadtests.client import resolve


class Unexpected(Exception):
    """A check failed; the text says what came instead."""


class CheckedConnection:
    """A plain connection that reads whole lines and counts them in `tally`."""

    def __init__(self, tally: Tally, host: str, port: int) -> None:
        """Raises OSError."""
        address = resolve(host, port)
        self._tally = tally
        self._unread = b""
        self._socket: Any = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            self._socket.connect(address.sockaddr)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self._socket.close()
            raise
        tally.connections += 1

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def line(self) -> bytes:
        """The next line. Raises Unexpected at the end of the stream."""
        while b"\n" not in self._unread:
            data = self._socket.recv(65536)
            if not data:
                raise Unexpected(f"the server closed the connection after {shown(self._unread)}")
            self._unread += data
        line, newline, self._unread = self._unread.partition(b"\n")
        self._tally.replies += 1
        self._tally.errors += line.startswith(b"!error ")
        return line + newline

    def expect(self, line: bytes) -> None:
        found = self.line()
        if found != line:
            raise Unexpected(f"sent {shown(line)}, received {shown(found)}")

    def close(self) -> None:
        self._socket.close()


def shown(data: bytes) -> str:
    """Its beginning, for a person to read."""
    return repr(data[:40]) + (f" ({len(data)} bytes)" if len(data) > 40 else "")


@dataclass
class Tally:
    """What the server was made to do."""

    host: str
    port: int
    connections: int = 0
    replies: int = 0
    errors: int = 0
    """Replies that were !error, which no server counts as a request served."""

    @contextmanager
    def connection(self) -> Iterator[CheckedConnection]:
        opened = CheckedConnection(self, self.host, self.port)
        try:
            yield opened
        finally:
            opened.close()
