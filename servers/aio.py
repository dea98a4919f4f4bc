"""The conversation of asyncio models: the same as in ``connection``, driven by an event loop's callbacks."""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from servers import logs, protocol
from servers.connection import RECEIVE_BYTES, Connection, discard_unread
from servers.conversation import DIRECTIVE, Errand, Step, answers
from servers.framing import LineSplitter

if TYPE_CHECKING:
    from typing import Protocol

    from servers.connection import Serving

    class LoopServing(Serving, Protocol):
        """What a connection needs besides where a loop makes it; ``server.Server`` is one."""

        def admit(self, connection: Connection) -> bool: ...
        def leave(self, connection: Connection) -> None: ...
        def full(self) -> bytes: ...


# Received into by every connection in turn: the loop hands over what it read before it reads again. With a plain
# asyncio.Protocol the transport allocates 256 KiB for each read: three more system calls (mmap, mremap, munmap).
received = memoryview(bytearray(RECEIVE_BYTES))


class LoopConnection(Connection):
    """A transport's connection. What uvloop gives out as its socket cannot be shut down: one is made for that."""

    __slots__ = ()

    def shutdown(self, how: int) -> None:
        sock = socket.socket(fileno=self.sock.fileno())
        try:
            sock.shutdown(how)
        finally:
            sock.detach()


class LoopProtocol(asyncio.BufferedProtocol):
    """One connection, whatever is spoken on it. While it waits, or the client does not read its replies, nothing more
    is read from it; while an errand is done, one piece more is.
    """

    def __init__(self, server: "LoopServing") -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._early = b""  # arrived while an errand is done
        self._answers: Iterator[Step] = iter(())
        self._reading = True
        self._writable = True
        # Replies that the transport may still hold back: the bytes of each, and how many requests it answers.
        self._held: deque[tuple[int, int]] = deque()
        self._waits: asyncio.TimerHandle | asyncio.Task[None] | None = None  # what the next reply waits for
        self._idle: asyncio.TimerHandle | None = None
        self._active_at = self._loop.time()
        self._ended = False  # the client sends no more
        self._last_look = False
        self._admitted = False

    # --- callbacks of the loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # resume_writing then means that the kernel has taken everything.
        self._transport.set_write_buffer_limits(0)
        sock = cast("socket.socket", transport.get_extra_info("socket"))
        self._connection = LoopConnection(sock, transport.get_extra_info("peername"))
        self._admitted = self._server.admit(self._connection)
        if self._admitted:
            self._watch_idle()
        else:
            self._transport.write(self._server.full())
            self._close_on_sender()

    def get_buffer(self, _: int) -> memoryview:
        return received

    def buffer_updated(self, received_bytes: int) -> None:
        self._received(bytes(received[:received_bytes]))

    def eof_received(self) -> bool:
        self._ended = True
        self._advance()
        return True  # closed by _advance, once everything is answered

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._count_sent()
        self._active_at = self._loop.time()
        self._advance()

    def connection_lost(self, failure: Exception | None) -> None:
        # An errand is done to its end, for the sake of the connection that it is done on.
        for timer in (self._waits, self._idle):
            if timer is not None and not isinstance(timer, asyncio.Task):
                timer.cancel()
        if not self._admitted:
            return
        if isinstance(failure, OSError):
            self._server.fault(self._connection, f"broke off: {os.strerror(failure.errno or 0)}")
        elif failure is None and not self._server.draining and (unfinished := self._unfinished()):
            self._server.fault(self._connection, f"left in the middle of {unfinished}")
        self._server.leave(self._connection)

    # --- what is spoken ---

    def _answer(self, data: bytes) -> Iterator[Step]:
        """The replies to the requests that ``data`` completes."""
        raise NotImplementedError

    def _last_word(self) -> bool:
        """Whether the client has sent what ends the connection, all before it being answered; then it is closed."""
        raise NotImplementedError

    def _unfinished(self) -> str:
        """What has begun to arrive and is not whole; empty if nothing has."""
        raise NotImplementedError

    # --- serving ---

    def _received(self, data: bytes) -> None:
        self._active_at = self._loop.time()
        if self._server.config.packet_log:
            logs.packet("RECV", data)
        if self._waits is None:
            self._answers = self._answer(data)
            self._advance()
        else:
            self._early += data
            self._read(False)

    def _advance(self) -> None:
        try:
            self._serve()
        except Exception as failure:  # noqa: BLE001 - one connection's bug must not end the others
            self._drop(failure)

    def _drop(self, failure: Exception) -> None:
        self._server.fault(self._connection, f"was dropped: {type(failure).__name__}: {failure}")
        self._transport.close()

    def _serve(self) -> None:
        """Answer what has been received, up to a wait; then read on, or close if that was all."""
        if self._waits is not None or self._transport.is_closing():
            return
        while True:
            for step in self._answers:
                if isinstance(step, float):
                    self._read(False)
                    self._waits = self._loop.call_later(step, self._wake)
                    return
                if isinstance(step, Errand):
                    # It is read on: to stop and begin again takes two system calls, and most clients wait for a reply.
                    self._waits = self._loop.create_task(self._do(step))
                    return
                if not step[1]:
                    self._server.count_error(self._connection)
                self._send(*step)
            if not self._early:
                break
            early, self._early = self._early, b""
            self._answers = self._answer(early)
        if self._last_word():
            pass
        elif self._ended or (self._server.draining and self._last_look):
            self._transport.close()
        else:
            # One more look at what had arrived before the stop, as in the blocking conversation.
            self._last_look = self._server.draining
            self._read(self._writable)

    def _wake(self) -> None:
        self._waits = None
        self._active_at = self._loop.time()
        self._advance()

    async def _do(self, errand: Errand) -> None:
        assert self._server.behind is not None
        try:
            await self._server.behind.do_in_loop(errand)
        except Exception as failure:  # noqa: BLE001 - as in _advance
            self._drop(failure)
        self._wake()

    def _send(self, data: bytes, requests: Sequence[bytes] = ()) -> None:
        self._connection.sending = True
        self._transport.write(data)
        if self._transport.get_write_buffer_size() or self._held:
            self._held.extend((len(request), 1) for request in requests)
            if not requests:
                self._held.append((len(data), 0))
            self._count_sent()
        elif not self._transport.is_closing():  # as it is once a write has failed, whose data it then drops
            self._server.count_served(self._connection, len(requests))
        self._connection.sending = False
        if self._server.config.packet_log:
            logs.packet("SEND", data)

    def _count_sent(self) -> None:
        """Count the held replies that the kernel has taken to their last byte."""
        left = self._transport.get_write_buffer_size()
        unsent = sum(size for size, _ in self._held)
        while self._held and unsent - self._held[0][0] >= left:
            size, requests = self._held.popleft()
            unsent -= size
            self._server.count_served(self._connection, requests)

    def _close_on_sender(self) -> None:
        """Close on a client that may be sending still: what has arrived is dropped, so that it sees our last line."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.sock.fileno())) as sock:
            discard_unread(sock)
        self._transport.close()

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
        since = now if self._waits is not None else self._active_at
        if now - since < timeout_s:
            self._idle = self._loop.call_at(since + timeout_s, self._watch_idle)
        elif self._writable:
            logs.info(f"{self._connection.peer} sent nothing for {timeout_s:g} s: closed")
            self._transport.abort()
        else:
            self._count_sent()
            self._server.fault(self._connection, f"did not read its replies for {timeout_s:g} s")
            self._transport.abort()


class LineProtocol(LoopProtocol):
    def __init__(self, server: "LoopServing") -> None:
        super().__init__(server)
        self._lines = LineSplitter(server.config.max_line)

    def buffer_updated(self, received_bytes: int) -> None:
        data = bytes(received[:received_bytes])
        server = self._server
        # Almost every read of a request-reply protocol is exactly one whole line.
        if (
            data[0] == DIRECTIVE
            or not self._lines.is_line(data)
            or self._waits is not None
            or server.draining
            or server.config.packet_log
        ):
            self._received(data)
            return
        self._active_at = self._loop.time()
        self._send(data, (data,))
        if not self._writable:
            self._read(False)

    def _answer(self, data: bytes) -> Iterator[Step]:
        return answers(self._lines.feed(data), self._server.config.allow_faults, self._server.behind)

    def _last_word(self) -> bool:
        if not self._lines.too_long:
            return False
        self._server.fault(self._connection, f"sent a line of more than {self._server.config.max_line} bytes")
        self._send(protocol.too_long(self._server.config.max_line))
        self._close_on_sender()
        return True

    def _unfinished(self) -> str:
        held = self._lines.held_bytes
        return f"a line, after {held} bytes of it" if held else ""
