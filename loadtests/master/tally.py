"""Plain connections to a server that is looked at, whose replies are all counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from gevent import socket

from loadtests.client import resolve
from loadtests.replies import STALE, FramingError
from loadtests.wire import protocols
from loadtests.wire.http import Head, read_head

_END_OF_HEAD = b"\r\n\r\n"


class Unexpected(Exception):
    """A check failed; the text says what came instead."""


class Found(NamedTuple):
    """What came for a request."""

    sent: bytes
    """For a person to read."""
    said: bytes
    """A line, or the body of HTTP."""
    status: int | None
    """Of HTTP."""
    is_echo: bool

    @property
    def is_stale(self) -> bool:
        return self.said == STALE and self.status in (None, 200)

    def __str__(self) -> str:
        status = "" if self.status is None else f"{self.status} "
        return f"sent {shown(self.sent)}, received {status}{shown(self.said)}"


class CheckedConnection(ABC):
    """A plain connection that reads whole replies and counts them in `tally`."""

    def __init__(self, tally: Tally) -> None:
        """Raises OSError."""
        address = resolve(tally.host, tally.port)
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

    def ask(self, payload: bytes, *words: bytes) -> Found:
        """Send a request with these directives, and wait for what comes. Raises Unexpected at the end of the stream."""
        request = self._tally.wire.request(payload, words)
        self.send(request)
        return self.take(request)

    def echoed(self, payload: bytes, *words: bytes) -> None:
        """Raises Unexpected where the request does not come back."""
        found = self.ask(payload, *words)
        if not found.is_echo:
            raise Unexpected(str(found))

    @abstractmethod
    def take(self, request: bytes) -> Found:
        """The next reply, to a request that was sent. Raises Unexpected at the end of the stream."""

    def _read_until(self, end: bytes) -> bytes:
        """What comes up to `end`, with it."""
        while end not in self._unread:
            self._read_more()
        found, end, self._unread = self._unread.partition(end)
        return found + end

    def _read_more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise Unexpected(f"the server closed the connection after {shown(self._unread)}")
        self._unread += data

    def _count(self, is_error: bool) -> None:
        self._tally.replies += 1
        self._tally.errors += is_error

    def close(self) -> None:
        self._socket.close()


class CheckedLines(CheckedConnection):
    def line(self) -> bytes:
        """The next line. Raises Unexpected at the end of the stream."""
        line = self._read_until(b"\n")
        self._count(line.startswith(b"!error "))
        return line

    def expect(self, line: bytes) -> None:
        found = self.take(line)
        if not found.is_echo:
            raise Unexpected(str(found))

    def take(self, request: bytes) -> Found:
        line = self.line()
        return Found(request, line, None, line == request)


class CheckedHttp(CheckedConnection):
    def reply(self, method: str = "POST") -> tuple[Head, bytes]:
        """Head and body of the next one, which answers a request of this method. Raises Unexpected."""
        try:
            head = read_head(self._read_until(_END_OF_HEAD))
        except FramingError as error:
            raise Unexpected(f"{error.text}: {error.detail}") from None
        if head.length is None:
            raise Unexpected(f"a reply of status {head.status} without a Content-Length")
        length = 0 if method == "HEAD" else head.length
        while len(self._unread) < length:
            self._read_more()
        body, self._unread = self._unread[:length], self._unread[length:]
        self._count(head.status != 200)
        return head, body

    def take(self, request: bytes) -> Found:
        head, body = self.reply()
        sent = request[len(request) - self._tally.wire.size(request) :]
        # The rest of its head is the same in every request.
        told = request.partition(b" HTTP/1.1\r\n")[0] + b" " + sent
        return Found(told, body, head.status, head.status == 200 and body == sent)

    def is_over(self) -> bool:
        """Whether the server ends the connection without another word."""
        try:
            return not self._unread and not self._socket.recv(1)
        except ConnectionResetError:
            return True


@dataclass
class Tally:
    """What the server was made to do."""

    host: str
    port: int
    protocol: str = protocols.PROTOCOLS[0]
    target: str = ""
    """Its name, for HTTP."""
    connections: int = 0
    replies: int = 0
    errors: int = 0
    """Replies that were !error, or of another status than 200, which no server counts as a request served."""

    def __post_init__(self) -> None:
        self.wire = protocols.of(self.protocol, self.target or self.host)

    def connect(self) -> CheckedConnection:
        """In the protocol that the server is looked at for. Raises OSError."""
        return CheckedHttp(self) if self.protocol == "http" else CheckedLines(self)

    @contextmanager
    def connection(self) -> Iterator[CheckedConnection]:
        opened = self.connect()
        try:
            yield opened
        finally:
            opened.close()

    @contextmanager
    def lines(self) -> Iterator[CheckedLines]:
        opened = CheckedLines(self)
        try:
            yield opened
        finally:
            opened.close()

    @contextmanager
    def http(self) -> Iterator[CheckedHttp]:
        opened = CheckedHttp(self)
        try:
            yield opened
        finally:
            opened.close()


def shown(data: bytes) -> str:
    """Its beginning, for a person to read."""
    return repr(data[:40]) + (f" ({len(data)} bytes)" if len(data) > 40 else "")
