"""Requests and their echoes by httptools, as one writes it in ten minutes: no bounds, no directives, no date."""

from typing import Any

import httptools


class Requests:
    """Gathers what the parser says, and makes the replies."""

    def __init__(self) -> None:
        self.parser: Any = httptools.HttpRequestParser(self)
        self.replies: list[bytes] = []
        self.target = b""
        self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.target = self.body = b""
        self.headers = []

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.replies.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.body), self.body))

    def feed(self, data: bytes) -> bytes:
        self.replies = []
        self.parser.feed_data(data)
        return b"".join(self.replies)
