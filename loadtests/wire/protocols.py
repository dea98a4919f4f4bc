"""What all protocols have to tell, and which there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from loadtests.replies import Answer
from loadtests.wire.http import Http
from loadtests.wire.http_get import HttpGet
from loadtests.wire.lines import Lines

PROTOCOLS = ("line", "http")
"""The first is the default."""
METHODS = ("post", "get")
"""Likewise, of HTTP's requests."""


class Wire(Protocol):
    """Words are the server's directives, such as `sleep=500`. Requests are made before they are needed."""

    @property
    def echoes_whole(self) -> bool:
        """Whether an echo is its request, byte for byte, which takes one comparison to see."""

    @property
    def room(self) -> int:
        """How many bytes more than the request has a first read takes."""

    def request(self, payload: bytes, words: Sequence[bytes] = ()) -> bytes: ...

    def rest(self, payload: bytes, words: Sequence[bytes] = ()) -> bytes:
        """What follows a first word."""

    def form(self, word: bytes) -> bytes:
        """A request that begins with this word, with a %s for its rest; the word may have fields of its own."""

    def size(self, request: bytes) -> int:
        """The bytes of it that the echo has as well: all of a line, the body of HTTP."""

    def most_bytes(self, request: bytes) -> int:
        """How much of a reply is read at most."""

    def answer(self, request: bytes, received: bytes) -> Answer | None:
        """What was received so far; None while it may still become an answer; empty: the end of the stream.

        Raises an EchoError.
        """


def of(protocol: str, target: str, key: str = "") -> Wire:
    """Of one of PROTOCOLS. `target`: whom an HTTP request names as its host; `key`: what it shows a gateway."""
    return Http(target, key) if protocol == "http" else Lines()


def of_gets(target: str, payload_bytes: int, key: str = "") -> HttpGet:
    """Of HTTP with GETs of items, each with a body of so many bytes."""
    return HttpGet(target, payload_bytes, key)
