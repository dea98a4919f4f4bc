"""HTTP as a face of a server (``servers.face``)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from servers.connection import Connection
from servers.http import blocking
from servers.http.config import HttpConfig, read_http
from servers.http.replies import Replies

if TYPE_CHECKING:
    import asyncio

    from servers.aio import LoopServing
    from servers.connection import Serving

_REHEARSAL = (
    b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
    b"POST /?sleep=1&spin=1&hash=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
)


class Http:
    rehearsal = _REHEARSAL

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._replies = Replies(config)

    def converse(self, server: "Serving", connection: Connection, receive_timeout_s: float) -> None:
        blocking.converse(server, connection, receive_timeout_s, self._config, self._replies)

    def in_loop(self, server: "LoopServing") -> "Callable[[], asyncio.BaseProtocol]":
        from servers.http.aio import HttpProtocol  # here, because asyncio takes long and only loops need it

        return partial(HttpProtocol, server, self._config, self._replies)

    def full(self, connections: int) -> bytes:
        return self._replies.error(503, f"server is full: {connections} connections")


def made(environment: Mapping[str, str], max_body: int) -> Http:
    """Raises ConfigError."""
    return Http(read_http(environment, max_body))
