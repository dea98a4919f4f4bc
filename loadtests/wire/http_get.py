"""The protocol of HTTP/1.1 with GETs: of items by their keys, which a cache before the server may answer.

The body of an item follows from the request's target (docs/http.md), so that of another key is a bad echo. A cache says
by X-Cache where a reply came from, and by Age how old it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache

from loadtests.replies import Answer
from loadtests.wire.http import Head, Http, body_of, other_than_echo, read_head

_READ = b"&read="
"""In a request that reads a value of a store."""
_CACHED = frozenset(("HIT", "STALE"))
"""Of what a cache says of a reply: the server was not asked for it."""


class HttpGet(Http):
    """What is asked of the server stands in the target, behind the size."""

    def __init__(self, host: str, size: int, key: str = "") -> None:
        """`size`: bytes of every item."""
        super().__init__(host, key)
        self._size = size
        self._tail_of_get = b" HTTP/1.1\r\nHost: %s\r\n\r\n" % self._host
        self.room = Http.room + size

    def item(self, words: Sequence[bytes] = ()) -> bytes:
        """A request with a %d for its key."""
        return b"GET /items/%%d?size=%d" % self._size + b"".join(b"&" + word for word in words) + self._tail_of_get

    def reading_item(self, words: Sequence[bytes] = ()) -> bytes:
        """The same that reads the key in a store as well: with two %d for it."""
        return self.item((b"read=%d:0", *words))

    def size(self, request: bytes) -> int:
        return len(self._echo(request))

    def most_bytes(self, request: bytes) -> int:
        return super().most_bytes(request) + self._size

    def _echo(self, request: bytes) -> bytes:
        # GET, a space, the target, a space.
        line = request[4 : request.find(b" ", 4)] + b"\n"
        return (line * (self._size // len(line) + 1))[: self._size]

    def answer(self, request: bytes, received: bytes) -> Answer | None:
        if (body_at := body_of(received)) is None:
            return None
        head, body, echo = read_head(received[:body_at]), received[body_at:], self._echo(request)
        is_stale = False
        if body != echo or head.status != 200 or head.length != len(echo):
            answer = other_than_echo(head, body, echo, is_read=_READ in request)
            if answer is None:
                return None
            is_stale = answer.is_stale
        if head.fields.get("x-cache", "").partition(" ")[0] in _CACHED:
            return Answer(is_stale, head.is_last, is_cached=True, age_s=_age_s(head))
        return Answer(is_stale, head.is_last)


def _age_s(head: Head) -> int:
    """How old a cached reply says it is. Where the cache does not tell, by the time at which the server made it (RFC
    9111, section 4.2.3, the apparent age), which is told in whole seconds: up to one too many."""
    said = head.fields.get("age", "")
    if said.isascii() and said.isdigit() and len(said) <= 9:
        return int(said)
    made = _made_at(head.fields.get("date", ""))
    return 0 if made is None else max(0, int(time.time() - made))


@lru_cache(maxsize=256)
def _made_at(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
