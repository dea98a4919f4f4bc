"""Counting in the event loop, with a transport that holds back or fails as told."""

import asyncio
import socket

import pytest

from servers.aio import LineProtocol
from servers.config import read_config
from servers.conversation import joined
from servers.counters import Counters
from servers.face import LINES
from servers.listener import open_listener
from servers.server import Server


class Transport:
    """What a protocol sees of a transport: ``held_bytes`` are not with the kernel yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.held_bytes, self.failed = sock, 0, False

    def get_extra_info(self, name: str) -> object:
        return self.sock if name == "socket" else ("client", 1)

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, _: bytes) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self.held_bytes

    def is_closing(self) -> bool:
        return self.failed


@pytest.mark.parametrize(
    ("failed", "held_bytes", "served"), [(False, 0, 3), (True, 0, 0), (False, 4, 1), (False, 3, 2), (False, 9, 0)]
)
def test_only_replies_the_kernel_has_taken_whole_are_served(failed: bool, held_bytes: int, served: int) -> None:
    async def answer() -> None:
        with open_listener("127.0.0.1", 0, 1) as listener, socket.socket() as sock:
            server = Server("event-loop", read_config({}, cpus=1.0), listener, Counters(rows=1), face=LINES)
            protocol, transport = LineProtocol(server), Transport(sock)
            protocol.connection_made(transport)  # type: ignore[arg-type]
            transport.failed, transport.held_bytes = failed, held_bytes
            protocol._send(*joined([b"ab\n", b"cd\n", b"ef\n"]))
            assert server.counters.totals().served == served
            transport.held_bytes = 0
            protocol._count_sent()
            assert server.counters.totals().served == (0 if failed else 3)
            protocol.connection_lost(None)

    asyncio.run(answer())
