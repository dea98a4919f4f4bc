"""The protocol of HTTP/1.1: a request is a POST, and its echo a reply of status 200 with the same body.

What the server is to do stands in the query, in the words of the lines. A reply may have any headers in any order; it
has a Content-Length, which tells where it ends (RFC 9112, section 6.3). What it says instead of an echo is the line
that the protocol of lines has for it, as the body of another status.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from loadtests.replies import (
    ERROR,
    STALE,
    WRONG,
    Answer,
    BadEchoError,
    EchoError,
    EndOfStreamError,
    FramingError,
    LimitedError,
    StatusError,
    WrongError,
    refused,
)

_END = b"\r\n\r\n"
_VERSION = b"HTTP/1."
_READ = b"read="
KEY_HEADER = b"X-Api-Key"
"""What a gateway may ask for."""
_TOO_MANY = 429

_ECHOED, _LAST = Answer(is_stale=False, is_last=False), Answer(is_stale=False, is_last=True)

MOST_HEAD_BYTES = 16 * 1024
_LONG_HEAD = f"a head of more than {MOST_HEAD_BYTES} bytes"
_MOST_ERROR_BYTES = 32 * 1024
"""Of a body that is no echo, so of a proxy's page. A longer one is not read."""


class Head(NamedTuple):
    """Of a reply."""

    status: int
    length: int | None
    """Of the body; None: only its bytes tell, or the end of the connection."""
    is_last: bool
    """The server closes the connection after it."""
    reason: str
    fields: dict[str, str]
    """By name in small letters; of the same name the last."""


class Http:
    """Requests are POSTs."""

    echoes_whole = False
    room = 1024
    """For a head of usual length, so that one read takes the whole reply."""

    def __init__(self, host: str, key: str = "") -> None:
        """`host` goes into every request, and so does a key where there is one."""
        self._host = host.encode() + (b"\r\n%s: %s" % (KEY_HEADER, key.encode()) if key else b"")

    def request(self, payload: bytes, words: Sequence[bytes] = ()) -> bytes:
        return b"POST /" + (b"?" if words else b"") + b"&".join(words) + self._tail(payload)

    def rest(self, payload: bytes, words: Sequence[bytes] = ()) -> bytes:
        return b"".join(b"&" + word for word in words) + self._tail(payload)

    def _tail(self, payload: bytes) -> bytes:
        return b" HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s" % (self._host, len(payload), payload)

    @staticmethod
    def form(word: bytes) -> bytes:
        return b"POST /?" + word + b"%s"

    @staticmethod
    def to(path: str, words: Sequence[bytes]) -> bytes:
        """A request to a path that begins with these words, with a %s for its rest."""
        return b"POST /" + path.encode() + (b"?" if words else b"") + b"&".join(words) + b"%s"

    def size(self, request: bytes) -> int:
        return len(request) - request.find(_END) - len(_END)

    def most_bytes(self, request: bytes) -> int:
        # More than `answer` ever waits for: it gives up on what is longer.
        return len(request) + MOST_HEAD_BYTES + _MOST_ERROR_BYTES

    def answer(self, request: bytes, received: bytes) -> Answer | None:
        """Raises EndOfStreamError, StatusError, FramingError, RefusedError, BackendError, WrongError, BadEchoError."""
        if (body_at := body_of(received)) is None:
            return None
        status, length, is_last, _, _ = head = read_head(received[:body_at])
        body, echo = received[body_at:], request[request.find(_END) + len(_END) :]
        if body == echo and status == 200 and length == len(echo):
            return _LAST if is_last else _ECHOED
        return other_than_echo(head, body, echo, is_read=_READ in request[: request.find(b" HTTP/")])


def body_of(received: bytes) -> int | None:
    """Where the body begins; None while the head is not whole. Raises EndOfStreamError, FramingError."""
    if (end := received.find(_END)) >= 0:
        return end + len(_END)
    _check_beginning(received)
    return None


def other_than_echo(head: Head, body: bytes, echo: bytes, is_read: bool) -> Answer | None:
    """As `Http.answer`, of a reply whose body is not the whole echo, or not yet."""
    length = head.length
    whole = len(body) == length
    if head.status == 200:
        if length is None:
            raise FramingError(_why_endless(head))
        if length != len(echo) and not (is_read and length == len(STALE)):
            raise _kept(BadEchoError(f"Content-Length {length}"), whole and not head.is_last)
    elif length is None or length > _MOST_ERROR_BYTES:
        raise _of_status(head)
    if len(body) < length:
        return None
    if whole and is_read and head.status == 200 and body == STALE:
        return Answer(True, head.is_last)
    raise _kept(_failure(head, body, is_read), whole and not head.is_last)


def _check_beginning(received: bytes) -> None:
    """Of a reply whose head is not whole. Raises EndOfStreamError, FramingError."""
    if not received:
        raise EndOfStreamError
    if received[: len(_VERSION)] != _VERSION[: len(received)]:
        raise FramingError(f"no HTTP: {received[:40]!r}")
    if len(received) > MOST_HEAD_BYTES:
        raise FramingError(_LONG_HEAD)


def _kept(error: EchoError, keeps_connection: bool) -> EchoError:
    error.keeps_connection = keeps_connection
    return error


def _failure(head: Head, body: bytes, is_read: bool) -> EchoError:
    if head.status == 200:
        return BadEchoError()
    if is_read and body == WRONG:
        return WrongError()
    if body.startswith(ERROR + b" "):
        return refused(body[len(ERROR) :].decode(errors="replace").strip())
    return _of_status(head)


def _of_status(head: Head) -> EchoError:
    said = f"{head.status} {head.reason}"
    return LimitedError(said) if head.status == _TOO_MANY else StatusError(said)


def _why_endless(head: Head) -> str:
    encoding = head.fields.get("transfer-encoding")
    return "no Content-Length" if encoding is None else f"Transfer-Encoding {encoding}"


# The replies of a second mostly have one head: its Date is all that changes.
@lru_cache(maxsize=256)
def read_head(head: bytes) -> Head:
    """From the status line to the empty line. Raises FramingError."""
    if len(head) > MOST_HEAD_BYTES:
        raise FramingError(_LONG_HEAD)
    status_line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    version, _, rest = status_line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (len(status) == 3 and _is_number(status)):
        raise FramingError(f"no HTTP: {head[:40]!r}")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise FramingError(f"no header: {line[:40]!r}")
        name, value = name.lower(), value.strip()
        if name == "content-length" and fields.get(name, value) != value:
            raise FramingError("more than one Content-Length")
        fields[name] = value
    length = fields.get("content-length")
    if length is not None and not (_is_number(length) and len(length) <= 18):
        raise FramingError(f"Content-Length {length[:40]!r}")
    # A transfer encoding overrides a length beside it.
    known = None if length is None or "transfer-encoding" in fields else int(length)
    says = [word.strip().lower() for word in fields.get("connection", "").split(",")]
    is_last = "close" in says or (version == "HTTP/1.0" and "keep-alive" not in says)
    return Head(int(status), known, is_last, reason, fields)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
