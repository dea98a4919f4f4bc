"""What HTTP costs: each model beside a bare loop with the same parser, and beside itself with lines.

    python -m benchmarks.http_cost [--rounds N] [--requests N]

Both on one core, a client with one connection and one request in flight on another: POST of 64 bytes, echoed. CPU time
is the kernel's of every thread of the server while the connection is open. The two stand on the core together and are
asked in turns: ratios are of one round.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, BinaryIO

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import BYTES, two_cores
from benchmarks.in_turns import Server, in_turns
from benchmarks.servers_echo import command_of
from servers.models import SERVERS, TABLE

TARGET = 1.3
HTTP = {"FACE": "http"}


def ask_http(own: socket.socket, replies: BinaryIO, requests: int) -> None:
    for number in range(requests):
        body = b"%0*d" % (BYTES, number)
        own.sendall(b"POST / HTTP/1.1\r\nHost: server\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        length = 0
        if not (first := replies.readline()).startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"answered {first!r}")
        while (line := replies.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if (found := replies.read(length)) != body:
            raise RuntimeError(f"sent {body!r}, answered {found!r}")


def ask_lines(own: socket.socket, replies: BinaryIO, requests: int) -> None:
    for number in range(requests):
        line = b"%0*d\n" % (BYTES, number)
        own.sendall(line)
        if (reply := replies.readline()) != line:
            raise RuntimeError(f"sent {line!r}, answered {reply!r}")


def bare(model: str) -> list[str]:
    """The command of the bare loop that is of the same kind as this model."""
    in_loop = "servers.aio" in TABLE[model].imports
    package = [TABLE[model].package] if TABLE[model].package else []
    return [sys.executable, "-m", f"benchmarks.reference.bare_http{'_loop' if in_loop else ''}", *package]


def measure(rounds: int = 9, requests: int = 2_000) -> dict[str, Any]:
    """One row a model."""
    server_core, own_core = two_cores()
    mine = os.sched_getaffinity(0)
    rows = []
    try:
        os.sched_setaffinity(0, {own_core})
        for model in SERVERS:
            server = Server(command_of(model), ask_http, HTTP)
            found = in_turns(server, Server(bare(model), ask_http), rounds, requests, server_core)
            lines = Server(command_of(model), ask_lines)
            beside_lines = in_turns(server, lines, rounds, requests, server_core)
            rows.append((model, *map(Spread.of, found), ratios(*found), ratios(*beside_lines)))
    finally:
        os.sched_setaffinity(0, mine)
    return as_json(
        Table(
            "http_cost",
            f"python -m benchmarks.http_cost --rounds {rounds} --requests {requests}",
            "CPU of the server for a POST of 64 bytes, µs",
            ("server", "HTTP", "bare loop", "ratio", "against lines"),
            tuple(rows),
            (f"target: the ratio at most {TARGET} in the median",),
        )
    )


if __name__ == "__main__":
    run(measure)
