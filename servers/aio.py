"""The conversation of asyncio models: the same protocol as ``connection``, driven by an event loop's callbacks."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import cast

from servers import logs, protocol
from servers.connection import RECEIVE_BYTES, Connection
from servers.framing import LineSplitter
from servers.server import Server
from servers.work import spin

# Received into by every connection in turn: the loop hands over what it read before it reads again. With a plain
# asyncio.Protocol the transport allocates 256 KiB for each read: three more system calls (mmap, mremap, munmap).
_received = memoryview(bytearray(RECEIVE_BYTES))


class LineProtocol(asyncio.BufferedProtocol):
    """One connection. While it waits, or the client does not read its replies, nothing more is read from it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._lines = LineSplitter(server.config.max_line)
        self._requests: Iterator[bytes] = iter(())
        self._reading = True
        self._writable = True
        self._sleep: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._active_at = self._loop.time()
        self._ended = False  # the client sends no more
        self._last_look = False
        self._admitted = False

    # --- callbacks of the loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock = cast("socket.socket", transport.get_extra_info("socket"))
        self._connection = Connection(sock, transport.get_extra_info("peername"))
        self._admitted = self._server.admit(self._connection)
        if self._admitted:
            self._watch_idle()
        else:
            self._transport.write(protocol.full(self._server.counters.open()))
            self._transport.close()

    def get_buffer(self, _: int) -> memoryview:
        return _received

    def buffer_updated(self, received_bytes: int) -> None:
        data = bytes(_received[:received_bytes])
        self._active_at = self._loop.time()
        if self._server.config.packet_log:
            logs.packet("RECV", data)
        self._requests = iter(self._lines.feed(data))
        self._advance()

    def eof_received(self) -> bool:
        self._ended = True
        self._advance()
        return True  # closed by _advance, once everything is answered

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._active_at = self._loop.time()
        self._advance()

    def connection_lost(self, failure: Exception | None) -> None:
        for timer in (self._sleep, self._idle):
            if timer is not None:
                timer.cancel()
        if not self._admitted:
            return
        if isinstance(failure, OSError):
            self._connection.fault(f"broke off: {failure.strerror}")
        elif failure is None and self._lines.held_bytes and not self._server.draining:
            self._connection.fault(f"left in the middle of a line, after {self._lines.held_bytes} bytes of it")
        self._server.leave(self._connection)

    # --- serving ---

    def _advance(self) -> None:
        """Answer what has been received, up to a wait; then read on, or close if that was all."""
        if self._sleep is not None or self._transport.is_closing():
            return
        echoes: list[bytes] = []
        for request in self._requests:
            if request[0] != 33:  # "!"
                echoes.append(request)
                continue
            self._echo(echoes)
            echoes = []
            try:
                sleep_us, spin_units = protocol.parse(request)
            except protocol.DirectiveError as reason:
                self._connection.errors += 1
                self._send(protocol.error(str(reason)))
                continue
            if sleep_us:
                self._read(False)
                self._sleep = self._loop.call_later(sleep_us / 1_000_000, self._wake, request, spin_units)
                return
            spin(spin_units)
            self._echo([request])
        self._echo(echoes)
        if self._lines.too_long:
            self._connection.fault(f"sent a line of more than {self._server.config.max_line} bytes")
            self._send(protocol.too_long(self._server.config.max_line))
            self._transport.close()
        elif self._ended or (self._server.draining and self._last_look):
            self._transport.close()
        else:
            # One more look at what had arrived before the stop, as in the blocking conversation.
            self._last_look = self._server.draining
            self._read(self._writable)

    def _wake(self, request: bytes, spin_units: int) -> None:
        self._sleep = None
        self._active_at = self._loop.time()
        spin(spin_units)
        self._echo([request])
        self._advance()

    def _echo(self, requests: list[bytes]) -> None:
        if requests:
            self._send(requests[0] if len(requests) == 1 else b"".join(requests))
            self._connection.served += len(requests)

    def _send(self, data: bytes) -> None:
        self._transport.write(data)
        if self._server.config.packet_log:
            logs.packet("SEND", data)

    def _read(self, wanted: bool) -> None:
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _watch_idle(self) -> None:
        """Close the connection once nothing has moved on it for IDLE_TIMEOUT."""
        timeout_s = self._server.config.idle_timeout_s
        if not timeout_s:
            return
        now = self._loop.time()
        since = now if self._sleep is not None else self._active_at
        if now - since < timeout_s:
            self._idle = self._loop.call_at(since + timeout_s, self._watch_idle)
        elif self._writable:
            logs.info(f"{self._connection.peer} sent nothing for {timeout_s:g} s: closed")
            self._transport.abort()
        else:
            self._connection.fault(f"did not read its replies for {timeout_s:g} s")
            self._transport.abort()


async def stop_requested(server: Server) -> None:
    """Return once the server drains.

    The interpreter writes a byte to the wake-up descriptor the moment a signal arrives: the loop cannot miss it.
    """
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log_failure(server, context))
    woken, waker = socket.socketpair()
    with woken, waker:
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        while not server.draining:
            with contextlib.suppress(TimeoutError):
                await loop.sock_recv(woken, 1024)
        signal.set_wakeup_fd(-1)


async def drained(server: Server) -> None:
    """Return once every connection has ended."""
    while server.open_here:  # noqa: ASYNC110 - only in the drain, and connections need not know who waits for them
        await asyncio.sleep(0.01)


def _log_failure(server: Server, context: dict[str, object]) -> None:
    # Out of descriptors on accept, for one: asyncio pauses accepting for a second and goes on.
    if not server.draining:  # the stop itself makes the pending accept fail
        logs.info(f"event loop: {context.get('message')}: {context.get('exception')}")
