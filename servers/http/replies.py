"""What requests are answered, without any input or output: both ways of serving follow it, as they do for lines.

A request's directives are those of the line protocol, as its query (``/any/path?sleep=500&read=7``) or as words of a
header ``Threadmill``. What is echoed is the body; of a GET its target, and ``size`` says of how many bytes.
"""

import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from servers import faults, protocol
from servers.conversation import ERROR, Step, asked, joined
from servers.http.config import HttpConfig
from servers.http.parser import ALLOWED, Fault, Request
from servers.work import do

if TYPE_CHECKING:
    from servers.conversation import Backend

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"
_NO_WORK = protocol.Work()
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
# By the name that a failure behind has; what is not here is none of this server's doing.
_OF_BEHIND = ((b"timeout", 504), (b"exhausted", 503), (b"unknown key", 404), (b"unreachable", 502), (b"refused", 502))


class Replies:
    """Makes the bytes of replies. The time is written once a second: it is in every one of them."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._since = self._until = 0.0  # what is written of the time holds in between
        self._date = self._plain = self._cached = b""

    def alone(self, requests: list[Request]) -> bytes | None:
        """The reply to what almost every read is, a single request without work; None where it is anything else."""
        if len(requests) != 1:
            return None
        request = requests[0]
        if request.directives or b"?" in request.target or request.method not in ALLOWED:
            return None
        return self._echo(request, None)

    def answers(
        self, requests: Iterable[Request], allow_faults: bool, behind: "Backend | None" = None
    ) -> Iterator[Step]:
        """As ``servers.conversation.answers``: replies in order, those that need no work between them in one piece."""
        echoes: list[bytes] = []
        for request in requests:
            method, target = request.method, request.target
            if method not in ALLOWED:
                if echoes:
                    yield joined(echoes)
                    echoes = []
                yield self.error(405, f"{method.decode()}: allowed are GET, HEAD, POST, PUT", request), ERROR
                continue
            _, mark, query = target.partition(b"?")
            if not mark and not request.directives:
                echoes.append(self._echo(request, None))
                continue
            if echoes:
                yield joined(echoes)
                echoes = []
            try:
                size, work = self._asked(request, query, allow_faults)
            except protocol.DirectiveError as reason:
                yield self.error(400, str(reason), request), ERROR
                continue
            line = (yield from asked(work.asks, behind)) if work.asks else b""
            if line and line != protocol.STALE:
                yield self._reply(_status_of(line), line, request), ERROR
                continue
            if work.sleep_us:
                yield work.sleep_us / 1_000_000
            do(work)
            if line:
                reply = self._reply(200, line, request)
            else:
                reply = self._echo(request, size)
                if work.crash:
                    reply = faults.commit(work.crash, reply)
            yield reply, (reply,)
        if echoes:
            yield joined(echoes)

    def _asked(self, request: Request, query: bytes, allow_faults: bool) -> tuple[int | None, protocol.Work]:
        """How long the reply is to be, where that is said, and the work. Raises DirectiveError."""
        size = None
        words = []
        for word in (*query.split(b"&"), *request.directives.split()):
            if word.startswith(b"size="):
                if size is not None:
                    raise protocol.DirectiveError("directive size is given twice")
                size = self._size(word[5:], request.method)
            elif word:
                words.append(b"!" + word)
        return size, protocol.parse(b" ".join(words), allow_faults) if words else _NO_WORK

    def _size(self, text: bytes, method: bytes) -> int:
        most = self._config.max_body
        if method in (b"POST", b"PUT"):
            raise protocol.DirectiveError("size: of GET and HEAD only, others are answered with their body")
        if not text.isdigit() or len(text) > 9 or int(text) > most:
            shown = text[:40].decode("ascii", "replace")
            raise protocol.DirectiveError(f"size must be a whole number from 0 to {most}, found {shown!r}")
        return int(text)

    def _echo(self, request: Request, size: int | None) -> bytes:
        """The reply to a request that is served."""
        if not self._since <= (now := time.time()) < self._until:
            self._tick(int(now))
        method = request.method
        if method in (b"POST", b"PUT"):
            head, body = self._plain, request.body
        else:
            head, body = self._cached, request.target + b"\n"
            if size is not None:
                body = (body * (size // len(body) + 1))[:size]
        if request.keeps and not request.is_1_0:
            head = b"%s%d\r\n\r\n" % (head, len(body))
        else:
            head = b"%s%d\r\n%s\r\n" % (head, len(body), _KEEP if request.keeps else _CLOSE)
        return head if method == b"HEAD" else head + body

    def error(self, status: int, reason: str, request: Request | None = None) -> bytes:
        """The reply to what is not served; without a request the connection ends with it."""
        return self._reply(status, protocol.error(reason), request)

    def fault(self, fault: Fault) -> bytes:
        return self.error(fault.status, fault.reason)

    def _reply(self, status: int, body: bytes, request: Request | None) -> bytes:
        if not self._since <= (now := time.time()) < self._until:
            self._tick(int(now))
        more = b"Allow: GET, HEAD, POST, PUT\r\n" if status == 405 else b""
        if request is None or not request.keeps:
            more += _CLOSE
        elif request.is_1_0:
            more += _KEEP
        head = b"HTTP/1.1 %d %s\r\n%s%s%d\r\n%s\r\n" % (
            status,
            _REASONS[status],
            self._date,
            b"Content-Type: text/plain\r\nContent-Length: ",
            len(body),
            more,
        )
        return head if request is not None and request.method == b"HEAD" else head + body

    def _tick(self, now: int) -> None:
        """Write what is the same in all replies of this second."""
        self._date = b"Date: %s\r\n" % formatdate(now, usegmt=True).encode()
        ok = b"HTTP/1.1 200 OK\r\n" + self._date + b"Content-Type: application/octet-stream\r\n"
        text = self._config.cache_control
        self._cached = ok + (b"Cache-Control: %s\r\n" % text if text else b"") + b"Content-Length: "
        self._plain = ok + b"Content-Length: "
        # Last, for the other threads: whoever sees it sees all of the rest.
        self._since, self._until = float(now), now + 1.0


def _status_of(line: bytes) -> int:
    """Of the line that lines are answered with where a request could not be served."""
    if line == protocol.WRONG:
        return 500
    reason = line.removeprefix(b"!error ")
    if not reason.startswith(b"backend "):
        return 400
    name = reason.removeprefix(b"backend ")
    return next((status for prefix, status in _OF_BEHIND if name.startswith(prefix)), 502)
