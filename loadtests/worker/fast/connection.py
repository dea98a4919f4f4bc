"""One user's connection: connect, send a request, read its echo, never waiting for any of it."""

from __future__ import annotations

import _socket
import errno
import math
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gevent.event import Event
from gevent.monkey import get_original

from loadtests.client import Address
from loadtests.destination import Destination
from loadtests.record.counts import UserClock
from loadtests.replies import ConnectError, EndOfStreamError, ResetError
from loadtests.wire.protocols import Wire
from loadtests.worker.asks import UserAsks

_epoll = get_original("select", "epoll")
_READABLE, _WRITABLE = 1, 4
"""EPOLLIN and EPOLLOUT; gevent takes epoll and its constants out of the module `select`."""

_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class Poller:
    """The connections whose sockets are waited for, by descriptor."""

    def __init__(self) -> None:
        self._epoll = _epoll()
        self.descriptor: int = self._epoll.fileno()
        self.poll = self._epoll.poll
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.connections: dict[int, UserConnection] = {}
        self.opened = 0
        """Connections made since somebody counted them."""
        self.looked_up: Callable[[UserConnection, Address | None], None] = UserConnection.go_to
        """Told where a connection goes that had to ask."""

    def close(self) -> None:
        self._epoll.close()


class UserConnection(UserClock):
    """A user's clock with the socket that it has, or has not yet.

    Every call returns at once. An EchoError leaves the connection in no usable state: close it.
    """

    __slots__ = (
        "_address",
        "_asked",
        "_connecting",
        "_descriptor",
        "_destination",
        "_echoes_whole",
        "_lines",
        "_muted",
        "_poller",
        "_received",
        "_recv",
        "_room",
        "_send",
        "_socket",
        "_unsent",
        "_wire",
        "age_s",
        "asks",
        "is_cached",
        "is_last",
        "is_stale",
        "line",
        "over",
        "pause_s",
        "replies",
    )

    def __init__(self, poller: Poller, destination: Destination | None, wire: Wire, lines: Iterator[bytes]) -> None:
        """`destination`: None when the target's name did not resolve."""
        super().__init__()
        self._poller = poller
        self._destination = destination
        self._address: Address | None = None
        self._asked = 0
        """Counts the look-ups, so that an answer that comes too late is not taken for a later one's."""
        self._wire = wire
        self._echoes_whole, self._room = wire.echoes_whole, wire.room
        self._lines = lines
        self._socket: Any = None
        # Bound once for a connection: looking them up costs as much as comparing an echo.
        self._recv: Any = None
        self._send: Any = None
        self._descriptor = -1
        self._connecting = False
        self._muted = False
        """Something came while nothing was asked; the next request will read it."""
        self._unsent: memoryview | None = None
        self._received = b""
        self.asks: UserAsks | None = None
        """Whose lines they are, with something behind the server."""
        self.is_stale = False
        """The last right answer was STALE; whoever counts it takes it back."""
        self.is_last = False
        """The last right answer said that the server closes the connection after it."""
        self.is_cached, self.age_s = False, 0
        """The last right answer came from a cache, and how old it was."""
        self.line = b""
        self.replies = 0
        """Right echoes on this connection."""
        self.pause_s = 0.0
        """How long the user last waited after a failure; 0 when none is to be remembered."""
        self.over = Event()
        """Set when the user has nothing more to do."""

    @property
    def is_waiting(self) -> bool:
        """A request is under way."""
        return self.done_at < self.sent_at

    @property
    def is_sending(self) -> bool:
        """Some of the request under way, or of the last one, is not sent yet."""
        return self._unsent is not None

    def silent_since(self) -> float:
        """When the request under way began, of a server that has answered on this connection before; else infinite.

        Until the first reply there is no bound: whoever waits behind others is starved, not failed.
        """
        return self.sent_at if self.replies and self.is_waiting else math.inf

    def request(self) -> None:
        """Begin to send the next line, on the connection there is or on a new one. Raises ConnectError, ResetError."""
        line = self.line = next(self._lines)
        if self._socket is None:
            self._connect()
            return
        if self._muted:
            self._muted = False
            self._poller.register(self._descriptor, _READABLE)
        try:
            sent = self._send(line)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ResetError(error.strerror or str(error)) from None
        if sent != len(line):
            self._send_later(memoryview(line)[sent:])

    def _connect(self) -> None:
        destination = self._destination
        if destination is None:
            raise ConnectError("unknown host")
        if not destination.looks_up:
            self.go_to(destination.next())
            return
        self._asked += 1
        destination.look_up(partial(self._found, self._asked))

    def _found(self, asked: int, address: Address | None) -> None:
        if asked == self._asked and self._socket is None:
            self._poller.looked_up(self, address)

    def go_to(self, address: Address | None) -> None:
        """Connect, and send the line of the request under way. Raises ConnectError."""
        if address is None:
            raise ConnectError("unknown host")
        self._address, line = address, self.line
        try:
            # The plain C type: Python's own around it costs as much again as the system call.
            connection = self._socket = _socket.socket(address.family, _KIND)
            self._descriptor = connection.fileno()
            self._recv, self._send = connection.recv, connection.send
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = connection.connect_ex(address.sockaddr)
            if error not in (0, errno.EINPROGRESS):
                raise OSError(error, os.strerror(error))
            # Nearby, the handshake is over by now; what cannot be sent yet is no error.
            sent = connection.send(line)
        except BlockingIOError:
            sent = -1
        except OSError as error:
            raise ConnectError(error.strerror or str(error)) from None
        self._connecting = sent < 0
        if sent >= 0:
            self._is_open()
        wanted = _READABLE
        if sent < len(line):
            self._unsent = memoryview(line)[max(0, sent) :]
            wanted |= _WRITABLE
        self._poller.connections[self._descriptor] = self
        self._poller.register(self._descriptor, wanted)

    def _is_open(self) -> None:
        self._poller.opened += 1
        if self._destination is not None and self._address is not None:
            self._destination.opened(self._address)

    def _send_later(self, rest: memoryview) -> None:
        self._unsent = rest
        self._poller.modify(self._descriptor, _READABLE | _WRITABLE)

    def on_event(self, event: int) -> bool:
        """The socket is ready for something: whether the request under way is now answered, and rightly.

        Raises an EchoError.
        """
        if self.done_at >= self.sent_at:
            # As a user that does not look while it has nothing to ask: what came is read with the next request.
            self._poller.unregister(self._descriptor)
            self._muted = True
            return False
        if self._unsent is not None and (event != _READABLE or self._connecting):
            self._send_rest(self._unsent)
        line, received = self.line, self._received
        try:
            reply = self._recv(self._wire.most_bytes(line) - len(received) if received else len(line) + self._room)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ResetError(error.strerror or str(error)) from None
        if reply != line or received or not self._echoes_whole:
            if not reply:
                raise EndOfStreamError
            self._received = received + reply
            if (answer := self._wire.answer(line, self._received)) is None:
                return False
            self.is_stale, self.is_last, self.is_cached, self.age_s = answer
            self._received = b""
        self.replies += 1
        return True

    def keep(self) -> None:
        """It stays, after an answer that was not the right one and has been read to its end."""
        self._received = b""
        self.replies += 1

    def _send_rest(self, rest: memoryview) -> None:
        """Send what could not be sent at once, perhaps because there was no connection yet."""
        failure = ConnectError if self._connecting else ResetError
        try:
            if self._connecting and (error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                raise OSError(error, os.strerror(error))
            sent = self._socket.send(rest)
        except BlockingIOError:
            return
        except OSError as error:
            raise failure(error.strerror or str(error)) from None
        if self._connecting:
            self._connecting = False
            self._is_open()
        if sent < len(rest):
            self._unsent = rest[sent:]
        else:
            self._unsent = None
            self._poller.modify(self._descriptor, _READABLE)

    def close(self) -> None:
        """Harmless when there is no connection. The first to close, as the plain user is (`loadtests/client.py`)."""
        self._asked += 1
        connection, self._socket = self._socket, None
        if connection is None:
            return
        self._recv = self._send = None
        # The descriptor's end takes it out of the epoll as well.
        self._poller.connections.pop(self._descriptor, None)
        connection.close()
        self._connecting = self._muted = False
        self._unsent = None
        self._received = b""
        self.is_last = False
        self.replies = 0
