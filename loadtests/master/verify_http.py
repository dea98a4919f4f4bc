"""Does a server speak HTTP/1.1 as the load needs it? Checked before load."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import gevent

from loadtests.master.tally import CheckedHttp, Tally, Unexpected, shown
from loadtests.master.verify_lines import BYTE_S, LONGEST_PAYLOAD, RANDOM_PAYLOADS
from loadtests.wire.http import Head

_GET_BYTES = 100


def _split(tally: Tally) -> None:
    with tally.http() as connection:
        for body in (b"byte by byte", b""):
            request = tally.wire.request(body)
            for byte in request:
                connection.send(bytes([byte]))
                gevent.sleep(BYTE_S)
            _taken(connection, request)


def _coalesced(tally: Tally) -> None:
    with tally.http() as connection:
        requests = [tally.wire.request(b"request %d of one segment" % number) for number in range(10)]
        last = tally.wire.request(b"and another in two")
        connection.send(b"".join(requests) + last[:-5])
        for request in requests:
            _taken(connection, request)
        connection.send(last[-5:])
        _taken(connection, last)


def _random_payloads(tally: Tally) -> None:
    rng = random.Random(20_07)
    edge_cases = [b"", b"\n", b"\r\n\r\n", b"\0", b"\xff\xfe\xc3", b"!sleep=1 x\n", b"x" * LONGEST_PAYLOAD]
    drawn = [rng.randbytes(rng.choice((0, 1, 7, 64, 1000, LONGEST_PAYLOAD))) for _ in range(RANDOM_PAYLOADS)]
    with tally.http() as connection:
        for body in edge_cases + drawn:
            connection.echoed(body)


def _bad_directive(tally: Tally) -> None:
    """In the query or in the header for them."""
    with tally.http() as connection:
        for words in ((b"nonsense=1",), (b"sleep=never",), (b"sleep=1", b"sleep=1")):
            found = connection.ask(b"x", *words)
            if found.status != 400 or not found.said.startswith(b"!error "):
                raise Unexpected(f"{found} instead of 400 and !error")
        for field, status in (("threadmill: nonsense=1", 400), ("threadmill: sleep=1 spin=1", 200)):
            connection.send(_request(tally, "POST", "/", (field, "Content-Length: 1")) + b"x")
            head, _body = connection.reply()
            if head.status != status:
                raise Unexpected(f"sent the header {field}, received {head.status} instead of {status}")
        connection.echoed(b"and it stays")


def _bad_request(tally: Tally) -> None:
    with tally.http() as connection:
        head, _body = _ask(tally, connection, "DELETE", "/")
        if head.status != 405 or "allow" not in head.fields:
            raise Unexpected(f"sent DELETE /, received {head.status} instead of 405 with Allow")
    with tally.http() as connection:
        connection.send(b"this is no HTTP\r\n\r\n")
        try:
            head, body = connection.reply()
        except (Unexpected, ConnectionResetError):
            # Closed without a word is as good.
            if connection.is_over():
                return
            raise
        if head.status != 400 or not connection.is_over():
            raise Unexpected(f"sent what is no HTTP, received {head.status} {shown(body)} instead of 400 and the end")


def _keep_alive(tally: Tally) -> None:
    with tally.http() as connection:
        for number in range(3):
            connection.echoed(b"request %d of a connection" % number)
        connection.send(_request(tally, "POST", "/", ("Connection: close", "Content-Length: 4")) + b"last")
        _head, body = connection.reply()
        if body != b"last" or not connection.is_over():
            raise Unexpected("sent Connection: close, and the connection stays")


def _get(tally: Tally) -> None:
    """The body is the target of the request, over and over to the size asked for."""
    once, sized = "/a/path", f"/a/path?size={_GET_BYTES}"
    with tally.http() as connection:
        for target, expected in (
            (once, f"{once}\n".encode()),
            (sized, (f"{sized}\n" * _GET_BYTES).encode()[:_GET_BYTES]),
        ):
            head, body = _ask(tally, connection, "GET", target)
            if (head.status, body) != (200, expected):
                raise Unexpected(f"sent GET {target}, received {head.status} {shown(body)}")


def _head(tally: Tally) -> None:
    with tally.http() as connection:
        head, _body = _ask(tally, connection, "HEAD", f"/?size={_GET_BYTES}")
        if (head.status, head.length) != (200, _GET_BYTES):
            raise Unexpected(f"sent HEAD /?size={_GET_BYTES}, received {head.status} of Content-Length {head.length}")
        # A body that came all the same would stand before this one's reply.
        connection.echoed(b"and no body came")


def _taken(connection: CheckedHttp, request: bytes) -> None:
    found = connection.take(request)
    if not found.is_echo:
        raise Unexpected(str(found))


def _ask(tally: Tally, connection: CheckedHttp, method: str, target: str) -> tuple[Head, bytes]:
    connection.send(_request(tally, method, target))
    return connection.reply(method)


def _request(tally: Tally, method: str, target: str, fields: Sequence[str] = ()) -> bytes:
    """Its head."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {tally.target}", *fields, "", "")).encode()


CHECKS: dict[str, Callable[[Tally], None]] = {
    "split": _split,
    "coalesced": _coalesced,
    "random_payloads": _random_payloads,
    "bad_directive": _bad_directive,
    "bad_request": _bad_request,
    "keep_alive": _keep_alive,
    "get": _get,
    "head": _head,
}
"""In their order."""
