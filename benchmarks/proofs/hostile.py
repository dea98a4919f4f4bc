"""HTTP from clients that mean harm: broken in every way, a million times to the parser, by the thousand to each model.

    python -m benchmarks.proofs hostile
    python -m benchmarks.proofs.hostile NUMBER [MODEL ...]    # so many over connections to each

The parser is one and the same for all models, so it gets most of them, without a socket; the models get theirs over
connections, each its own, since almost every one ends its connection. What is claimed: no exception but those the
parser is made of, bounded memory, no process lost, and a right answer at the end.
"""

import argparse
import random
import socket
import struct
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from typing import Final

import psutil

from benchmarks.generating import two_cores
from benchmarks.proofs.running import CONSOLE
from benchmarks.servers_echo import command_of, started
from servers.http.parser import RequestParser
from servers.models import SERVERS

TO_THE_PARSER: Final = 1_000_000
TO_EACH_MODEL: Final = 5_000
_WARM_UP = 500
_AT_ONCE = 8
# A connection that is reset leaves no port behind that waits for two minutes: there are fewer of those than requests.
_RESET = struct.pack("ii", 1, 0)
_MAY_GROW_BYTES = 8 << 20
_MAX_HEAD, _MAX_BODY = 16_384, 131_072
_WHOLE = (
    b"GET /a/b?size=10 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /?sleep=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nThreadmill: sleep=1\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
)
_PIECES = (
    *(b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b":", b"\xff", b";", b"0", b"f" * 20, b"-1", b"Content-Length: 3\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"A: " + b"b" * 3_000, b"a: b\r\n" * 5_000, b"GET / HTTP/1.1"),
)


def broken(rng: random.Random) -> bytes:
    """A request in which bytes are changed, left out, put in or swapped with those of another."""
    request = bytearray(rng.choice(_WHOLE))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(request) + 1)
        kind = rng.randrange(4)
        if kind == 0 and at < len(request):
            request[at] = rng.randrange(256)
        elif kind == 1:
            del request[at : at + rng.randint(1, 10)]
        elif kind == 2:
            request[at:at] = rng.choice(_PIECES)
        else:
            request[at:] = rng.choice(_WHOLE)[rng.randrange(20) :]
    return bytes(request)


def holds() -> bool:
    return _parser() and all(list(map(_model, SERVERS)))


def _parser() -> bool:
    rng, process = random.Random(1), psutil.Process()
    outcomes: Counter[str] = Counter()
    began, before = time.monotonic(), 0
    for number in range(TO_THE_PARSER):
        if number == TO_THE_PARSER // 100:
            before = process.memory_info().rss
        parser = RequestParser(_MAX_HEAD, _MAX_BODY)
        data = broken(rng)
        cut = rng.randrange(len(data) + 1)
        whole = parser.feed(data[:cut]) + parser.feed(data[cut:])
        outcomes[str(parser.fault.status) if parser.fault else "whole" if whole else "not whole"] += 1
    grown = process.memory_info().rss - before
    CONSOLE.print(
        f"parser: {TO_THE_PARSER:,} in {time.monotonic() - began:.0f} s: "
        f"{', '.join(f'{count:,} {outcome}' for outcome, count in outcomes.most_common())}; "
        f"memory {grown / 2**20:+.1f} MiB",
        highlight=False,
    )
    return grown < _MAY_GROW_BYTES


def _model(model: str, count: int = TO_EACH_MODEL) -> bool:
    core, _ = two_cores()
    with started(command_of(model), core, more={"FACE": "http", "REQUEST_TIMEOUT": "1"}) as (port, pid):
        began = time.monotonic()
        _send(port, model, _WARM_UP)
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        before = _memory(family)
        _send(port, f"{model} again", count)
        grown, lost = _memory(family) - before, sum(not one.is_running() for one in family[:1])
        well = _is_well(port)
        took = time.monotonic() - began
    CONSOLE.print(
        f"{model}: {count:,} in {took:.0f} s, memory {grown / 2**20:+.1f} MiB, "
        f"{'answers' if well else 'DOES NOT ANSWER'}",
        highlight=False,
    )
    return well and not lost and grown < _MAY_GROW_BYTES


def _send(port: int, seed: str, count: int) -> None:
    shares = [count // _AT_ONCE + (place < count % _AT_ONCE) for place in range(_AT_ONCE)]
    with ThreadPoolExecutor(_AT_ONCE) as clients:
        list(clients.map(_send_share, repeat(port), [f"{seed} {place}" for place in range(_AT_ONCE)], shares))


def _send_share(port: int, seed: str, count: int) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), 20) as client, suppress(ConnectionError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.sendall(broken(rng))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass


def _memory(family: list[psutil.Process]) -> int:
    found = 0
    for one in family:
        with suppress(psutil.NoSuchProcess):
            found += one.memory_info().rss
    return found


def _is_well(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return client.makefile("rb").read().endswith(b"\r\n\r\n/here\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.proofs.hostile", allow_abbrev=False)
    parser.add_argument("number", type=int, metavar="NUMBER", help="requests over connections to each model")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all")
    given = parser.parse_args()
    if given.number < 1:
        parser.error(f"NUMBER: found {given.number}, allowed: 1 or more")
    if unknown := [name for name in given.models if name not in SERVERS]:
        parser.error(f"MODEL: found {unknown[0]!r}, allowed: {', '.join(SERVERS)}")
    return 0 if all([_model(name, given.number) for name in given.models or SERVERS]) else 1  # noqa: C419 - tries all


if __name__ == "__main__":
    sys.exit(main())
