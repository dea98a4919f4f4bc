"""HTTP servers for the load: an honest one, and some that misbehave on purpose, in threads of the test's process."""

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple
from urllib.parse import parse_qsl

from tests.integration.loadtests import rigged

_DIRECTIVES = re.compile(r"(sleep|spin|hash|size)=\d+|(read|write|send)=(all|\d+(:\d+)?)")


class Request(NamedTuple):
    method: str
    target: str
    fields: dict[str, str]
    """By name in small letters."""
    body: bytes
    is_http: bool = True

    @property
    def words(self) -> list[str]:
        query = [f"{name}={value}" for name, value in parse_qsl(self.target.partition("?")[2])]
        return query + self.fields.get("threadmill", "").split()


class RiggedHttp(rigged.Rigged):
    @staticmethod
    def requests(received: BinaryIO) -> Iterator[Request]:
        while line := received.readline():
            words = line.decode("latin-1").split()
            if len(words) != 3 or words[2] != "HTTP/1.1":
                yield Request("", "", {}, b"", is_http=False)
                return
            fields = {}
            while (field := received.readline()) not in (b"\r\n", b""):
                name, _, value = field.decode("latin-1").partition(":")
                fields[name.lower()] = value.strip()
            body = received.read(int(fields.get("content-length", 0)))
            yield Request(words[0], words[1], fields, body)


@contextmanager
def rigged_http(handler: rigged.Handler) -> Iterator[RiggedHttp]:
    server = RiggedHttp(handler)
    try:
        yield server
    finally:
        server.stop()


def reply(body: bytes = b"", status: str = "200 OK", *fields: str, length: int | None = None) -> bytes:
    every = (f"Content-Length: {len(body) if length is None else length}", "Date: today", *fields)
    return "\r\n".join([f"HTTP/1.1 {status}", *every, "", ""]).encode() + body


def echo(connection: socket.socket, request: Request) -> None:
    """What an honest server answers."""
    if not request.is_http:
        connection.sendall(reply(b"!error no HTTP\n", "400 Bad Request", "Connection: close"))
        raise ValueError
    words = request.words
    if not all(_DIRECTIVES.fullmatch(word) for word in words) or len(set(words)) < len(words):
        connection.sendall(reply(b"!error no such directive\n", "400 Bad Request"))
    elif request.method == "DELETE":
        connection.sendall(reply(b"!error method\n", "405 Method Not Allowed", "Allow: GET, HEAD, POST, PUT"))
    else:
        amounts = {name: amount for name, _, amount in (word.partition("=") for word in words)}
        time.sleep(int(amounts.get("sleep", 0)) / 1e6)
        connection.sendall(_echo(request, amounts))
    if request.fields.get("connection") == "close":
        connection.shutdown(socket.SHUT_RDWR)


def _echo(request: Request, amounts: dict[str, str]) -> bytes:
    if request.method not in ("GET", "HEAD"):
        return reply(request.body)
    once = request.target.encode() + b"\n"
    size = int(amounts.get("size", len(once)))
    body = (once * (size // len(once) + 1))[:size]
    return reply(b"" if request.method == "HEAD" else body, length=len(body))


def cache(connection: socket.socket, request: Request) -> None:
    """A cache that has the items of odd keys, each as old as its key says; that of 9 has another's body."""
    key = int(request.target.partition("?")[0].rpartition("/")[2])
    said = ("X-Cache: HIT", f"Age: {key}") if key % 2 else ("X-Cache: MISS",)
    target = request.target.replace("/9?", "/8?")
    once = target.encode() + b"\n"
    size = int(dict(parse_qsl(target.partition("?")[2]))["size"])
    connection.sendall(reply((once * (size // len(once) + 1))[:size], "200 OK", *said))


def with_behind(answer: Callable[[bytes], bytes]) -> rigged.Handler:
    """Of a server with something behind it, whose answers are those of the protocol of lines."""
    statuses = {b"!stale": "200 OK", b"!wrong": "500 Internal Server Error", b"!error": "502 Bad Gateway"}

    def handler(connection: socket.socket, request: Request) -> None:
        line = "".join(f"!{word} " for word in request.words).encode() + request.body + b"\n"
        found = answer(line)
        body = request.body if found == line else found
        connection.sendall(reply(body, statuses.get(found[:6], "200 OK") if found != line else "200 OK"))

    return handler


def lie(connection: socket.socket, request: Request) -> None:
    connection.sendall(reply(b"?" + request.body[1:]))


def shorten(connection: socket.socket, request: Request) -> None:
    connection.sendall(reply(request.body[:-1]))


def promise_more(connection: socket.socket, request: Request) -> None:
    connection.sendall(reply(request.body, length=len(request.body) + 5))


def promise_less(connection: socket.socket, request: Request) -> None:
    connection.sendall(reply(request.body, length=len(request.body) - 5))


def in_chunks(connection: socket.socket, request: Request) -> None:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)


def without_length(connection: socket.socket, request: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + request.body)
    rigged.close(connection, b"")


def raw(connection: socket.socket, request: Request) -> None:
    """What a server of lines, or of bytes, would answer."""
    host, length = request.fields.get("host"), request.fields.get("content-length")
    head = f"{request.method} {request.target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + request.body)


def bad_gateway(connection: socket.socket, _request: Request) -> None:
    connection.sendall(reply(b"<html>Bad Gateway</html>", "502 Bad Gateway"))


def full(connection: socket.socket, _request: Request) -> None:
    connection.sendall(reply(b"!error server is full: 5\n", "503 Service Unavailable", "Connection: close"))
    rigged.close(connection, b"")


def close(connection: socket.socket, _request: Request) -> None:
    rigged.close(connection, b"")


def close_in_the_middle(connection: socket.socket, request: Request) -> None:
    connection.sendall(reply(request.body)[:-3])
    rigged.close(connection, b"")


def say_nothing(_connection: socket.socket, _request: Request) -> None:
    pass


def in_single_bytes(connection: socket.socket, request: Request) -> None:
    for byte in reply(request.body):
        connection.sendall(bytes([byte]))


def head_first(connection: socket.socket, request: Request) -> None:
    whole = reply(request.body, "200 OK", "x-served-by: a proxy", "CACHE-CONTROL: none")
    at = len(whole) - len(request.body)
    connection.sendall(whole[:at])
    time.sleep(0.002)
    connection.sendall(whole[at:])


def once_each(connection: socket.socket, request: Request) -> None:
    """Says that it closes after each reply, and does."""
    connection.sendall(reply(request.body, "200 OK", "connection: Close"))
    rigged.close(connection, b"")


class Gateway:
    """Asks for the key `KEY`, and lets through one of every two requests to each path."""

    KEY = "a-key"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.let_through: Counter[str] = Counter()
        self.limited: Counter[str] = Counter()

    def __call__(self, connection: socket.socket, request: Request) -> None:
        path = request.target.partition("?")[0]
        if request.fields.get("x-api-key") != self.KEY:
            connection.sendall(reply(b"no key", "401 Unauthorized"))
            return
        with self._lock:
            is_limited = self.let_through[path] > self.limited[path]
            (self.limited if is_limited else self.let_through)[path] += 1
        if is_limited:
            connection.sendall(reply(b"too many", "429 Too Many Requests"))
        else:
            echo(connection, request)


def honest_to_probes(handler: rigged.Handler) -> rigged.Handler:
    """Passes the check before a run, then behaves as the handler does."""

    def wrapped(connection: socket.socket, request: Request) -> None:
        (echo if request.body.startswith(b"threadmill-check") else handler)(connection, request)

    return wrapped


MISBEHAVIOURS = {
    "liar": (lie, "bad_echo", True),
    "short": (shorten, "bad_echo", True),
    "promising": (promise_more, "bad_echo", False),
    "talkative": (promise_less, "bad_echo", False),
    "chunked": (in_chunks, "framing", False),
    "endless": (without_length, "framing", False),
    "raw": (raw, "framing", False),
    "gateway": (bad_gateway, "status", True),
    "full": (full, "refused", False),
    "closer": (close, "eof", False),
    "cutter": (close_in_the_middle, "eof", False),
}
"""What each does, what its replies are counted as, and whether the connection is of use after one."""
