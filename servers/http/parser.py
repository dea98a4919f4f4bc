"""Requests out of a byte stream, without any input or output of its own: httptools reads them, this bounds them.

httptools is llhttp, the parser of Node.js, as strict as it comes: a bare line feed, two lengths, a length beside
chunks, a header that is folded or has a space before its colon are no HTTP.
"""

from typing import NamedTuple

import httptools

ALLOWED = (b"GET", b"HEAD", b"POST", b"PUT")
# Of a chunked body: six bytes for each are what one-byte chunks take.
_WIRE_BYTES_PER_BODY_BYTE = 8

# What is wrong with a request, as the status of its answer. The connection ends with each of them.
BAD_REQUEST, TIMED_OUT, BODY_TOO_LARGE, HEAD_TOO_LARGE, NOT_IMPLEMENTED = 400, 408, 413, 431, 501


class Request(NamedTuple):
    """One whole request."""

    method: bytes
    target: bytes  # as it stood in the request line
    directives: bytes  # what its header Threadmill says
    body: bytes
    is_1_0: bool
    keeps: bool  # the connection, once it is answered


class Fault(NamedTuple):
    """What ends the connection: a request that is not to be read to its end, or no HTTP at all."""

    status: int
    reason: str


class _Refused(Exception):
    """Out of a callback, so that the parser reads no further."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(status, reason)


class RequestParser:
    """The requests of one connection in order, however the stream is cut.

    Once ``fault`` is set, or a request came that does not keep the connection, everything further is dropped.
    """

    __slots__ = (
        *("_body", "_body_bytes", "_directives", "_expects", "_head_bytes", "_held", "_hosts", "_in_head", "_is_1_0"),
        *("_keeps", "_length", "_max_body", "_max_head", "_method", "_parser", "_requests", "_says_connection"),
        *("_target", "begun", "ended", "fault"),
    )

    _expects: bool

    def __init__(self, max_head: int, max_body: int) -> None:
        self._max_head, self._max_body = max_head, max_body
        self._parser = httptools.HttpRequestParser(self)
        self._requests: list[Request] = []
        self._held = 0  # bytes of pieces that were received in the middle of one and the same request
        self.ended = False
        """The last of the requests was one that does not keep the connection."""
        self.fault: Fault | None = None
        self.on_message_begin()
        self._in_head = self.begun = False
        """``begun``: a request has begun to arrive and is not whole."""

    def feed(self, data: bytes) -> list[Request]:
        """The requests that ``data`` completes."""
        found = self._requests = []
        if self.fault is not None or self.ended:
            return found
        was_begun = self.begun
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            refused = error.__context__
            self.fault = refused.fault if isinstance(refused, _Refused) else Fault(BAD_REQUEST, str(error))
        except httptools.HttpParserError as error:
            if not self.ended:
                self.fault = Fault(BAD_REQUEST, str(error))
        if self.begun and self.fault is None:
            self._bound(len(data) if was_begun and not found else 0)
        return found

    def wants_to_continue(self) -> bool:
        """Whether the client waits to be told to send its body; true once for each request."""
        if not self._expects or not self.begun or self._in_head or self.fault is not None:
            return False
        self._expects = False
        return True

    def _upgraded(self, rest: bytes) -> None:
        """After a request to upgrade, which is not followed, the parser reads no further: another one does."""
        found = self._requests
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            found += self.feed(rest)
            self._requests = found

    def _bound(self, more: int) -> None:
        """Count what has come of a request that is still not whole. Its first piece is as long as one read at most."""
        self._held += more
        if self._in_head:
            if self._held > self._max_head:
                self.fault = Fault(HEAD_TOO_LARGE, f"the head is longer than {self._max_head} bytes")
        elif self._held > self._max_head + _WIRE_BYTES_PER_BODY_BYTE * self._max_body:
            self.fault = Fault(BODY_TOO_LARGE, f"more than {self._max_body} bytes in many pieces")

    # --- callbacks of the parser, in their order ---

    def on_message_begin(self) -> None:
        if self.ended:
            raise _Refused(BAD_REQUEST, "more after the last request")
        self._target = self._directives = b""
        self._hosts = self._head_bytes = self._length = self._body_bytes = self._held = 0
        self._body: list[bytes] = []
        self._expects = self._says_connection = False
        self.begun = self._in_head = True

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._head_bytes += len(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        # The commonest ones by length first: most headers are none of ours.
        size = len(name)
        self._head_bytes += size + len(value) + 4
        if not self._in_head:  # a trailer
            return
        if size == 4:
            self._hosts += name.lower() == b"host"
        elif size == 14:
            if name.lower() == b"content-length":
                self._length = int(value)
        elif size == 10:
            lower = name.lower()
            if lower == b"connection":
                self._says_connection = True
            elif lower == b"threadmill":
                self._directives += b" " + value
        elif size == 6:
            if name.lower() == b"expect":
                self._expects = value.lower() == b"100-continue"
        elif size == 17 and name.lower() == b"transfer-encoding" and value.lower().strip() != b"chunked":
            raise _Refused(NOT_IMPLEMENTED, "of transfer codings only chunked is known")

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._in_head = False
        keeps = self._keeps = parser.should_keep_alive()
        # Only HTTP/1.1 keeps a connection of which nothing is said; the version is dear to ask for.
        self._is_1_0 = False
        if not keeps or self._says_connection:
            version = parser.get_http_version()
            self._is_1_0 = version == "1.0"
            if version != "1.1" and not self._is_1_0:
                raise _Refused(BAD_REQUEST, "only HTTP/1.1 and HTTP/1.0 are spoken")
        if self._hosts != 1 and (self._hosts or not self._is_1_0):
            raise _Refused(BAD_REQUEST, f"{self._hosts} headers Host, 1 is needed")
        if self._head_bytes > self._max_head:
            raise _Refused(HEAD_TOO_LARGE, f"the head is longer than {self._max_head} bytes")
        if self._length > self._max_body:
            raise _Refused(BODY_TOO_LARGE, f"the body is longer than {self._max_body} bytes")
        self._method = parser.get_method()

    def on_body(self, part: bytes) -> None:
        self._body.append(part)
        self._body_bytes += len(part)
        if self._body_bytes > self._max_body:
            raise _Refused(BODY_TOO_LARGE, f"the body is longer than {self._max_body} bytes")

    def on_message_complete(self) -> None:
        self.begun = False
        keeps, body = self._keeps, self._body
        self.ended = not keeps
        whole = body[0] if len(body) == 1 else b"".join(body)
        self._requests.append(Request(self._method, self._target, self._directives, whole, self._is_1_0, keeps))
