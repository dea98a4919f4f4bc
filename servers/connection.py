"""One connection, and the conversation that blocking models hold over it."""

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from servers import logs, protocol
from servers.framing import LineSplitter
from servers.listener import set_nodelay, set_receive_timeout, set_send_timeout
from servers.work import spin

if TYPE_CHECKING:
    from servers.server import Server

RECEIVE_BYTES = 65_536
# What is thrown away at most before closing on a client that is still sending.
DISCARD_BYTES = 1_048_576


class Connection:
    """A client's socket with its own counts, which join the server's when the connection ends."""

    __slots__ = ("errors", "peer", "served", "sock")

    def __init__(self, sock: socket.socket, address: object) -> None:
        self.sock = sock
        self.peer = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
        self.served = 0
        self.errors = 0

    def shut_read(self) -> None:
        """Let the conversation end: once what has arrived is read, a receive returns the end of the stream."""
        with contextlib.suppress(OSError):  # already gone
            self.sock.shutdown(socket.SHUT_RD)

    def fault(self, message: str) -> None:
        """Count and log that the connection ended badly."""
        self.errors += 1
        logs.info(f"{self.peer} {message}")


class StalledError(Exception):
    """The client does not read its replies."""


def converse(server: "Server", connection: Connection, receive_timeout_s: float) -> None:
    """Serve every request of a connection, then return; what the client does wrong is counted and logged."""
    config, sock = server.config, connection.sock
    lines = LineSplitter(config.max_line)
    try:
        set_nodelay(sock)
        set_receive_timeout(sock, receive_timeout_s)
        set_send_timeout(sock, config.idle_timeout_s)
        _serve_requests(server, connection, lines, receive_timeout_s)
        if lines.too_long:
            connection.fault(f"sent a line of more than {config.max_line} bytes")
            _send(server, sock, protocol.too_long(config.max_line))
            discard_unread(sock)
        elif lines.held_bytes and not server.draining:
            connection.fault(f"left in the middle of a line, after {lines.held_bytes} bytes of it")
    except StalledError:
        connection.fault(f"did not read its replies for {config.idle_timeout_s:g} s")
    except OSError as failure:
        connection.fault(f"broke off: {failure.strerror}")


def _serve_requests(server: "Server", connection: Connection, lines: LineSplitter, receive_timeout_s: float) -> None:
    receive, packet_log, idle_timeout_s = connection.sock.recv, server.config.packet_log, server.config.idle_timeout_s
    idle_s = 0.0
    last = False
    while not lines.too_long:
        try:
            data = receive(RECEIVE_BYTES)
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
        if packet_log:
            logs.packet("RECV", data)
        _answer(server, connection, lines.feed(data))
        if server.draining:
            # One more look at what had arrived before the stop; a client that never pauses must not hold up the drain.
            if last:
                return
            last = True


def _answer(server: "Server", connection: Connection, requests: list[bytes]) -> None:
    """Answer requests in order; echoes that need no work between them go out together."""
    echoes: list[bytes] = []
    for request in requests:
        if request[0] != 33:  # "!"
            echoes.append(request)
            continue
        if echoes:
            _echo(server, connection, echoes)
            echoes = []
        try:
            sleep_us, spin_units = protocol.parse(request)
        except protocol.DirectiveError as reason:
            connection.errors += 1
            _send(server, connection.sock, protocol.error(str(reason)))
            continue
        if sleep_us:
            time.sleep(sleep_us / 1_000_000)
        if spin_units:
            spin(spin_units)
        _echo(server, connection, [request])
    if echoes:
        _echo(server, connection, echoes)


def _echo(server: "Server", connection: Connection, requests: list[bytes]) -> None:
    _send(server, connection.sock, requests[0] if len(requests) == 1 else b"".join(requests))
    connection.served += len(requests)


def _send(server: "Server", sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except BlockingIOError:
        raise StalledError from None
    if server.config.packet_log:
        logs.packet("SEND", data)


def discard_unread(sock: socket.socket) -> None:
    """Drop what has arrived, so that closing ends the stream instead of resetting it. Never waits."""
    left = DISCARD_BYTES
    with contextlib.suppress(OSError):  # nothing more has arrived, or the client is gone
        while left > 0 and (data := sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)):
            left -= len(data)
