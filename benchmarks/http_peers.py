"""Each model with HTTP beside uvicorn, gunicorn and nginx, which answer the same.

    python -m benchmarks.http_peers [--rounds N] [--seconds S]

Server on one core, wrk on another: 16 connections that stay open, GET, 64 bytes in a reply. Every round measures each
server once in a fresh process, in an order that turns round: ratios are of values of one round. A second client that
others wrote, h2load, then asks each server once for as many replies, and every one of them has to be right.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import BYTES, output_of, two_cores
from benchmarks.servers_echo import CONNECTIONS, WORKERS, command_of, running
from servers.models import SERVERS
from testbed.judge.shape import surely_served
from testbed.stack import apt
from testbed.stack.programs import Commands

PEERS = ("uvicorn", "gunicorn", "nginx")
ALL_RIGHT = 5_000
_PACKAGES = (("wrk", "wrk"), ("h2load", "nghttp2-client"), ("nginx", "nginx-light"))
_RATE = re.compile(r"Requests/sec:\s*([\d.]+)")
_WRONG = re.compile(r"Non-2xx|Socket errors")
_CHECKED = re.compile(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed")


@contextmanager
def answering(name: str, core: int) -> Iterator[int]:
    """A peer or a model on this core, and its port."""
    with tempfile.TemporaryDirectory(prefix="threadmill-peer-") as directory:
        peer = [sys.executable, "-m", "benchmarks.reference.http_peer", name, directory]
        with running(peer if name in PEERS else command_of(name), core, more={"FACE": "http"}) as port:
            yield port


def connections(name: str) -> int:
    """As many as are served at once."""
    slots = None if name in PEERS else surely_served(name, WORKERS, CONNECTIONS)
    return CONNECTIONS if slots is None else min(CONNECTIONS, slots)


def measure(rounds: int = 5, seconds: float = 1.5) -> dict[str, Any]:
    """One row a server: requests per second, and its ratio to each peer."""
    for program, package in _PACKAGES:
        apt.ensure(program, package, "the benchmark", Commands(), print)
    names = (*SERVERS, *PEERS)
    cores = two_cores()
    for name in names:
        check(name, cores)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            rates[name].append(_rate(name, seconds, cores))
    return as_json(
        Table(
            "http_peers",
            f"python -m benchmarks.http_peers --rounds {rounds} --seconds {seconds:g}",
            "GET with 64 bytes in the reply, requests/s by wrk",
            ("server", "requests/s", *(f"/ {peer}" for peer in PEERS)),
            tuple(
                (name, Spread.of(rates[name]), *(ratios(rates[name], rates[peer]) for peer in PEERS)) for name in names
            ),
            (
                f"{CONNECTIONS} connections, of those that serve fewer at once as many as they do; one core each",
                f"h2load: {ALL_RIGHT} of {ALL_RIGHT} replies of each server were right",
            ),
        )
    )


def _rate(name: str, seconds: float, cores: tuple[int, int]) -> float:
    with answering(name, cores[0]) as port:
        words = ["wrk", "-t1", f"-c{connections(name)}", f"-d{max(1, round(seconds))}s", url(port)]
        said = output_of(words, cores[1], whole=True)
    found = _RATE.search(said)
    if found is None or _WRONG.search(said):
        raise RuntimeError(f"{name}: wrk says {said!r}")
    return float(found[1])


def check(name: str, cores: tuple[int, int]) -> None:
    """RuntimeError where h2load finds one reply of many that is not right."""
    with answering(name, cores[0]) as port:
        clients = str(connections(name))
        said = output_of(["h2load", "--h1", "-n", str(ALL_RIGHT), "-c", clients, url(port)], cores[1], whole=True)
    found = _CHECKED.search(said)
    if found is None or (int(found[1]), int(found[2]), int(found[3])) != (ALL_RIGHT, ALL_RIGHT, 0):
        raise RuntimeError(f"{name}: h2load says {said!r}")


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/items/7?size={BYTES}"


if __name__ == "__main__":
    run(measure)
