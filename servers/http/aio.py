"""The conversation of asyncio models in HTTP, as ``servers.aio.LineProtocol`` is in lines."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from servers.aio import LoopProtocol, received
from servers.conversation import Step
from servers.http.config import HttpConfig
from servers.http.parser import TIMED_OUT, Fault, Request, RequestParser
from servers.http.replies import CONTINUE, Replies

if TYPE_CHECKING:
    from servers.aio import LoopServing


class HttpProtocol(LoopProtocol):
    def __init__(self, server: "LoopServing", config: HttpConfig, replies: Replies) -> None:
        super().__init__(server)
        self._config = config
        self._replies = replies
        self._parser = RequestParser(config.max_head, config.max_body)
        self._late: asyncio.TimerHandle | None = None  # while a request has begun and is not whole
        self._fault: Fault | None = None

    def connection_lost(self, failure: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(failure)

    def buffer_updated(self, received_bytes: int) -> None:
        data = bytes(received[:received_bytes])
        server = self._server
        if self._waits is not None or server.draining or server.config.packet_log or self._late is not None:
            self._received(data)
            return
        # Almost every read of a request-reply protocol is exactly one whole request.
        requests = self._parser.feed(data)
        reply = self._replies.alone(requests)
        if reply is None or self._parser.begun or self._parser.ended or self._parser.fault is not None:
            self._active_at = self._loop.time()
            self._answers = self._steps(requests)
            self._advance()
            return
        self._active_at = self._loop.time()
        self._send(reply, (reply,))
        if not self._writable:
            self._read(False)

    def _answer(self, data: bytes) -> Iterator[Step]:
        return self._steps(self._parser.feed(data))

    def _steps(self, requests: list[Request]) -> Iterator[Step]:
        parser = self._parser
        if self._late is not None and (requests or not parser.begun):
            self._late.cancel()
            self._late = None
        config = self._server.config
        yield from self._replies.answers(requests, config.allow_faults, self._server.behind)
        # Not before: while a reply waits for its work nothing is read, and what has begun cannot become whole.
        if parser.begun and self._late is None and parser.fault is None:
            self._late = self._loop.call_later(self._config.request_timeout_s, self._too_late)
        if parser.wants_to_continue():
            self._transport.write(CONTINUE)

    def _too_late(self) -> None:
        self._late = None
        self._fault = Fault(TIMED_OUT, f"the request was not whole within {self._config.request_timeout_s:g} s")
        self._advance()

    def _last_word(self) -> bool:
        parser = self._parser
        fault = parser.fault or self._fault
        if fault is None and not parser.ended:
            return False
        if fault is not None:
            self._server.fault(self._connection, f"sent what is answered {fault.status}: {fault.reason}")
            self._send(self._replies.fault(fault))
        self._close_on_sender()
        return True

    def _unfinished(self) -> str:
        fault = self._parser.fault or self._fault
        return "a request" if self._parser.begun and fault is None else ""
