"""Echo servers that misbehave on purpose, in threads of the test's process."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

Handler = Callable[[socket.socket, Any], None]


class Rigged:
    """Calls a handler for every line of every connection, one thread each; counts what came."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1", port: int = 0) -> None:
        self._handler = handler
        self._listener = socket.create_server((host, port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.lines: list[Any] = []
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as received:
            for request in self.requests(received):
                self.lines.append(request)
                self._handler(connection, request)

    @staticmethod
    def requests(received: BinaryIO) -> Iterator[Any]:
        """Those of one connection, for the handler."""
        return iter(received)

    def stop(self) -> None:
        # Closing alone would not wake the thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def rigged(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> Iterator[Rigged]:
    server = Rigged(handler, host, port)
    try:
        yield server
    finally:
        server.stop()


def echo(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line)


def lie(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line[:-2] + b"?\n")


def repeat_the_first() -> Handler:
    """Answers every request of a connection with its first line: a stale reply."""
    first: dict[socket.socket, bytes] = {}

    def handler(connection: socket.socket, line: bytes) -> None:
        connection.sendall(first.setdefault(connection, line))

    return handler


def echo_twice(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line + line)


def close(connection: socket.socket, _line: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)
    raise ValueError


def close_after_the_echo(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line)
    close(connection, line)


def close_in_the_middle(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line[:5])
    close(connection, line)


def reset(connection: socket.socket, _line: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raise ValueError


def refuse(connection: socket.socket, _line: bytes) -> None:
    connection.sendall(b"!error server full\n")


def say_nothing(_connection: socket.socket, _line: bytes) -> None:
    pass


def in_single_bytes(connection: socket.socket, line: bytes) -> None:
    for byte in line:
        connection.sendall(bytes([byte]))


def fall_silent() -> Handler:
    """Answers the first line of each connection and never again."""
    answered: set[socket.socket] = set()

    def handler(connection: socket.socket, line: bytes) -> None:
        if connection not in answered:
            answered.add(connection)
            connection.sendall(line)

    return handler


def honest_to_probes(handler: Handler) -> Handler:
    """Passes the check before a run, then behaves as the handler does."""

    def wrapped(connection: socket.socket, line: bytes) -> None:
        (echo if line.startswith(b"threadmill-check") else handler)(connection, line)

    return wrapped


MISBEHAVIOURS = {
    "liar": (lie, "bad_echo"),
    "closer": (close, "eof"),
    "resetter": (reset, "reset"),
    "refuser": (refuse, "refused"),
}
