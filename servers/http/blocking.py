"""The conversation of blocking models in HTTP, as ``servers.connection.converse`` is in lines."""

import time
from typing import TYPE_CHECKING

from servers import logs
from servers.connection import (
    ONE,
    RECEIVE_BYTES,
    SHORT_RECEIVE_BYTES,
    Connection,
    StalledError,
    answer,
    discard_unread,
    echo,
    send,
)
from servers.http.parser import TIMED_OUT, Fault, RequestParser
from servers.http.replies import CONTINUE, Replies
from servers.listener import TICK_S, set_receive_timeout

if TYPE_CHECKING:
    from servers.connection import Serving
    from servers.http.config import HttpConfig


def converse(
    server: "Serving", connection: Connection, receive_timeout_s: float, config: "HttpConfig", replies: Replies
) -> None:
    """Serve every request of a connection, then return; what the client does wrong is counted and logged."""
    parser = RequestParser(config.max_head, config.max_body)
    try:
        if receive_timeout_s != TICK_S:
            set_receive_timeout(connection.sock, receive_timeout_s)
        fault = _serve_requests(server, connection, receive_timeout_s, parser, config.request_timeout_s, replies)
        if fault is not None:
            server.fault(connection, f"sent what is answered {fault.status}: {fault.reason}")
            send(server, connection.sock, replies.fault(fault))
            discard_unread(connection.sock)
        elif parser.begun and not server.draining:
            server.fault(connection, "left in the middle of a request")
        elif parser.ended:
            discard_unread(connection.sock)
    except StalledError:
        server.fault(connection, f"did not read its replies for {server.config.idle_timeout_s:g} s")
    except OSError as failure:
        server.fault(connection, f"broke off: {failure.strerror}")


def _serve_requests(
    server: "Serving",
    connection: Connection,
    receive_timeout_s: float,
    parser: RequestParser,
    request_timeout_s: float,
    replies: Replies,
) -> Fault | None:
    """Until the client or a request of it ends the connection; what ends it badly, which is still to be answered."""
    receive = connection.sock.recv
    packet_log, idle_timeout_s = server.config.packet_log, server.config.idle_timeout_s
    allow_faults, behind = server.config.allow_faults, server.behind
    receive_bytes = RECEIVE_BYTES if packet_log or server.draining else SHORT_RECEIVE_BYTES
    idle_s = 0.0
    begun_at: float | None = None
    last = False
    while True:
        try:
            data = receive(receive_bytes)
        except BlockingIOError:
            server.tick()
            if begun_at is None:
                idle_s += receive_timeout_s
                if 0 < idle_timeout_s <= idle_s:
                    logs.info(f"{connection.peer} sent nothing for {idle_timeout_s:g} s: closed")
                    return None
            data = b""
        else:
            if not data:
                return parser.fault
            idle_s = 0.0
            if len(data) == receive_bytes:
                receive_bytes = RECEIVE_BYTES
            if packet_log:
                logs.packet("RECV", data)
            requests = parser.feed(data)
            if (reply := replies.alone(requests)) is not None:
                echo(server, connection, reply, ONE)
            elif requests:
                answer(server, connection, replies.answers(requests, allow_faults, behind))
            if parser.fault is not None or parser.ended:
                return parser.fault
        if not parser.begun:
            if begun_at is not None:
                begun_at = None
                set_receive_timeout(connection.sock, receive_timeout_s)
        else:
            if parser.wants_to_continue():
                send(server, connection.sock, CONTINUE)
            now = time.monotonic()
            if begun_at is None or (data and requests):
                # Looked at now and then, however long the next piece takes to come.
                if begun_at is None:
                    set_receive_timeout(connection.sock, min(TICK_S, request_timeout_s))
                begun_at = now
            elif now - begun_at >= request_timeout_s:
                return Fault(TIMED_OUT, f"the request was not whole within {request_timeout_s:g} s")
        if server.draining:
            # One more look at what had arrived before the stop, as with lines.
            if last:
                return None
            last = True
            receive_bytes = RECEIVE_BYTES
