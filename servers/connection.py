"""One connection, and the conversation that blocking models hold over it."""

import contextlib
import itertools
import socket
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from servers import logs, protocol
from servers.conversation import DIRECTIVE, Errand, Step, answers
from servers.counters import ADDS_IN_ONE_STEP
from servers.framing import LineSplitter
from servers.listener import TICK_S, set_receive_timeout

if TYPE_CHECKING:
    from typing import Protocol

    from servers.behind.process import Behind
    from servers.config import Config
    from servers.counters import Counters
    from servers.shared import SharedCount

    class Serving(Protocol):
        """What a conversation needs of the process that holds it; ``server.Server`` is one."""

        config: Config
        counters: Counters
        behind: Behind | None
        draining: bool
        shared: SharedCount | None

        def count_served(self, connection: "Connection", requests: int) -> None: ...
        def count_error(self, connection: "Connection") -> None: ...
        def fault(self, connection: "Connection", message: str) -> None: ...
        def tick(self) -> None: ...


RECEIVE_BYTES = 65_536
# What a connection is read by until it fills this once. With its header it is what the interpreter's own allocator
# serves; more goes by way of malloc twice for every read, to be had and to be cut to what has arrived.
SHORT_RECEIVE_BYTES = 479
# What is thrown away at most before closing on a client that is still sending.
DISCARD_BYTES = 1_048_576
ONE = (b"",)
"""Stands for the requests of which a reply is the only one."""


class Connection:
    """A client's socket, and in which row of the counters its requests are counted."""

    __slots__ = ("address", "row", "sending", "served_cell", "sock")

    def __init__(self, sock: socket.SocketType, address: object) -> None:
        self.sock = sock
        self.address = address
        self.row = 0
        self.served_cell = 0
        self.sending = False  # a reply is being handed to the kernel and is not counted yet

    @property
    def peer(self) -> str:
        """The client as logs name it."""
        address = self.address
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)

    def shut_read(self) -> None:
        """Let the conversation end: once what has arrived is read, a receive returns the end of the stream."""
        with contextlib.suppress(OSError):  # already gone
            self.shutdown(socket.SHUT_RD)

    def shut(self) -> None:
        """Let nothing through any more, in either direction."""
        with contextlib.suppress(OSError):  # already gone
            self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        self.sock.shutdown(how)


class StalledError(Exception):
    """The client does not read its replies."""


def converse(server: "Serving", connection: Connection, receive_timeout_s: float) -> None:
    """Serve every request of a connection, then return; what the client does wrong is counted and logged."""
    config, sock = server.config, connection.sock
    lines = LineSplitter(config.max_line)
    try:
        # The listener's other options are inherited, and this one too where it is the listener's.
        if receive_timeout_s != TICK_S:
            set_receive_timeout(sock, receive_timeout_s)
        _serve_requests(server, connection, lines, receive_timeout_s)
        if lines.too_long:
            server.fault(connection, f"sent a line of more than {config.max_line} bytes")
            send(server, sock, protocol.too_long(config.max_line))
            discard_unread(sock)
        elif lines.held_bytes and not server.draining:
            server.fault(connection, f"left in the middle of a line, after {lines.held_bytes} bytes of it")
    except StalledError:
        server.fault(connection, f"did not read its replies for {config.idle_timeout_s:g} s")
    except OSError as failure:
        server.fault(connection, f"broke off: {failure.strerror}")


def _serve_requests(server: "Serving", connection: Connection, lines: LineSplitter, receive_timeout_s: float) -> None:
    receive, send, cells, cell = (
        connection.sock.recv,
        connection.sock.send,
        server.counters.cells,
        connection.served_cell,
    )
    packet_log, idle_timeout_s, shared = server.config.packet_log, server.config.idle_timeout_s, server.shared
    longest = server.config.max_line + 1
    receive_bytes = RECEIVE_BYTES if packet_log or server.draining else SHORT_RECEIVE_BYTES
    idle_s = 0.0
    last = False
    while not lines.too_long:
        alone = ADDS_IN_ONE_STEP and not packet_log and not lines.held_bytes
        try:
            data = receive(receive_bytes)
            # Almost every read of a request-reply protocol is exactly one whole line. Here is all that there is to do
            # for it, without a call that can be spared: what echo and count_served do, and is_line in half its time.
            while alone:
                _, newline, more = data.partition(b"\n")
                size = len(data)
                if more or not newline or size > longest or data[0] == DIRECTIVE or server.draining:
                    break
                connection.sending = True
                try:
                    sent = send(data)
                    if sent == size:
                        cells[cell] += 1
                        if shared is not None:
                            shared.add(1)
                except BlockingIOError:
                    raise StalledError from None
                finally:
                    connection.sending = False
                if sent < size:
                    echo(server, connection, data, ONE, sent)
                idle_s = 0.0
                data = receive(receive_bytes)
        except BlockingIOError:
            server.tick()
            idle_s += receive_timeout_s
            if 0 < idle_timeout_s <= idle_s:
                logs.info(f"{connection.peer} sent nothing for {idle_timeout_s:g} s: closed")
                return
            continue
        if not data:
            return
        idle_s = 0.0
        if len(data) == receive_bytes:
            receive_bytes = RECEIVE_BYTES
        if packet_log:
            logs.packet("RECV", data)
        if data[0] != DIRECTIVE and lines.is_line(data):
            echo(server, connection, data, ONE)
        else:
            answer(server, connection, answers(lines.feed(data), server.config.allow_faults, server.behind))
        if server.draining:
            # One more look at what had arrived before the stop; a client that never pauses must not hold up the drain.
            if last:
                return
            last = True
            receive_bytes = RECEIVE_BYTES


def answer(server: "Serving", connection: Connection, steps: Iterable[Step]) -> None:
    """Answer requests in order, waiting where they ask for it."""
    for step in steps:
        if isinstance(step, float):
            time.sleep(step)
        elif isinstance(step, Errand):
            assert server.behind is not None
            server.behind.do(step)
        elif step[1]:
            echo(server, connection, *step)
        else:
            server.count_error(connection)
            send(server, connection.sock, step[0])


def echo(server: "Serving", connection: Connection, data: bytes, requests: Sequence[bytes], sent: int = 0) -> None:
    """Send ``data``, the replies to ``requests`` in one piece; ONE stands for it being the reply to a single one.

    From byte ``sent`` on.
    """
    connection.sending = True
    size = len(data)
    try:
        sent += connection.sock.send(memoryview(data)[sent:] if sent else data)
        while sent < size:
            sent += connection.sock.send(memoryview(data)[sent:])
    except BlockingIOError:
        raise StalledError from None
    finally:
        if sent == size:
            server.count_served(connection, len(requests))
        elif requests is not ONE:
            server.count_served(connection, whole_lines(requests, sent))
        connection.sending = False
    if server.config.packet_log:
        logs.packet("SEND", data)


def whole_lines(lines: Sequence[bytes], sent_bytes: int) -> int:
    """How many of these lines were sent to their last byte, when that many bytes were sent of all of them."""
    ends = itertools.accumulate(map(len, lines))
    return sum(1 for _ in itertools.takewhile(lambda end: end <= sent_bytes, ends))


def send(server: "Serving", sock: socket.SocketType, data: bytes) -> None:
    """Send what answers no request as far as counting goes. Raises StalledError, OSError."""
    try:
        sock.sendall(data)
    except BlockingIOError:
        raise StalledError from None
    if server.config.packet_log:
        logs.packet("SEND", data)


def discard_unread(sock: socket.SocketType) -> None:
    """Drop what has arrived, so that closing ends the stream instead of resetting it. Never waits."""
    left = DISCARD_BYTES
    with contextlib.suppress(OSError):  # nothing more has arrived, or the client is gone
        while left > 0 and (data := sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)):
            left -= len(data)
