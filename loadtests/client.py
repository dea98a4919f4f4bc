"""One TCP connection to an echo server, as one user of it sees it.

Sockets are gevent's: waiting for a reply lets the other users of the process go on. Every request waits, even when its
reply is there already: on a busy machine it often is by the time `send` returns, and a user that took it at once would
go round and round while replies to the others lie unread, which their latency would then show.

Who closes first: this side. After the last reply of a connection the client closes, so the client's host owns the
TIME_WAIT state and the server's port table stays clean. With a connection per request that uses up thousands of
ephemeral ports; the load containers widen `net.ipv4.ip_local_port_range` and set `net.ipv4.tcp_tw_reuse=1` for it. If
ports run out all the same (EADDRNOTAVAIL), the request is counted as `connect`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from gevent import get_hub, socket

from loadtests.replies import Answer, ConnectError, EchoError, EndOfStreamError, ResetError, SilenceError
from loadtests.wire.protocols import Wire

_READ = 1
"""Event mask of libev: readable."""


@dataclass(frozen=True)
class Address:
    """A socket address with nothing left to resolve."""

    family: int
    sockaddr: tuple[Any, ...]


def resolve_all(host: str, port: int) -> list[Address]:
    """Ask the resolver once; the addresses of its answer, in its order. Raises OSError."""
    answer = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Address(family, sockaddr) for family, _type, _protocol, _name, sockaddr in answer]


def resolve(host: str, port: int) -> Address:
    """The first of them. Raises OSError."""
    return resolve_all(host, port)[0]


class EchoClient:
    """Connect, exchange requests and echoes, close. Not for sharing: one request at a time.

    `reply_timeout_s` bounds the silence of a server that has answered on this connection before. Until the first reply
    there is no bound: whoever waits behind others for a server that takes one client at a time is starved, not failed.
    """

    __slots__ = (
        *("_choose", "_reply_timeout_s", "_silence", "_socket", "_wait_readable"),
        *("_wire", "_echoes_whole", "_room", "age_s", "is_cached", "is_last"),
    )

    def __init__(self, choose: Callable[[], Address], wire: Wire, reply_timeout_s: float) -> None:
        """`choose` says where a connection goes; it may wait, and raise ConnectError."""
        self._choose = choose
        self._wire = wire
        # Bound once: they are looked at for every request.
        self._echoes_whole, self._room = wire.echoes_whole, wire.room
        self.is_last = False
        """The last reply said that the server closes the connection after it."""
        self.is_cached, self.age_s = False, 0
        """The last reply that was not simply its request came from a cache, and how old it was."""
        self._reply_timeout_s = reply_timeout_s
        self._socket: Any = None
        self._wait_readable: Any = None
        self._silence: _Silence | None = None

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def connect(self) -> Address:
        """Where to. Raises ConnectError."""
        address = self._choose()
        connection = None
        try:
            connection = socket.socket(address.family, socket.SOCK_STREAM)
            connection.connect(address.sockaddr)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, OSError):
                raise ConnectError(error.strerror or str(error)) from None
            raise
        hub = get_hub()
        self._wait_readable = partial(hub.wait, hub.loop.io(connection.fileno(), _READ))
        self._socket = connection
        self.is_last = False
        return address

    def round_trip(self, request: bytes) -> bool:
        """Send a request and read its answer: False for the echo, True for STALE.

        An EchoError leaves the connection in no usable state, so close it; unless it `keeps_connection`.
        """
        connection, silence = self._socket, self._silence
        is_stale = False
        if connection is None:
            raise ConnectError("not connected")
        if silence is not None:
            silence.since = perf_counter()
        try:
            sent = connection.send(request)
            if sent < len(request):
                connection.sendall(memoryview(request)[sent:])
            self._wait_readable()
            reply: bytes = connection.recv(len(request) + self._room)
            if reply != request or not self._echoes_whole:
                is_stale = self._read_rest(connection, request, reply)
        except OSError as error:
            if silence is not None and silence.broken:
                raise SilenceError from None
            raise ResetError(error.strerror or str(error)) from None
        except EndOfStreamError:
            if silence is not None and silence.broken:
                raise SilenceError from None
            raise
        except EchoError:
            if silence is not None:
                silence.since = math.inf
            raise
        if silence is None:
            self._silence = _Silence(connection, self._reply_timeout_s)
        else:
            silence.since = math.inf
        return is_stale

    def _read_rest(self, connection: Any, request: bytes, reply: bytes) -> bool:
        """What was read at first is not simply the request. True for STALE; raises unless the rest makes it an echo."""
        wire = self._wire
        limit = wire.most_bytes(request)
        answer: Answer | None
        while (answer := wire.answer(request, reply)) is None:
            more = connection.recv(limit - len(reply))
            if not more:
                raise EndOfStreamError
            reply += more
        self.is_last, self.is_cached, self.age_s = answer.is_last, answer.is_cached, answer.age_s
        return answer.is_stale

    def close(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            if self._silence is not None:
                self._silence.close()
                self._silence = None
            self._wait_readable.args[0].close()
            connection.close()


class _Silence:
    """Breaks a connection when its server has been silent too long.

    One timer per connection that looks now and then, because starting one per request would cost as much as the send.
    It shuts the socket down, which wakes whoever reads from it.
    """

    __slots__ = ("_connection", "_timeout_s", "_timer", "broken", "since")

    def __init__(self, connection: Any, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self.since = math.inf
        """When the request under way began; infinite while there is none."""
        self.broken = False
        self._timer = get_hub().loop.timer(timeout_s)
        self._timer.start(self._look)

    def _look(self) -> None:
        left_s = min(self._timeout_s, self.since + self._timeout_s - perf_counter())
        if left_s > 0:
            # A timer's period counts from the loop's own, cached clock.
            self._timer.close()
            loop = get_hub().loop
            loop.update_now()
            self._timer = loop.timer(left_s)
            self._timer.start(self._look)
            return
        self.broken = True
        # Already gone, it wakes the reader as well.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.close()
