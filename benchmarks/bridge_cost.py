"""What one core of load generator can drive over Docker's bridge, as in a sweep with `network: bridge`.

    python -m benchmarks.bridge_cost [--rounds N] [--users N] [--seconds S]

As `benchmarks.driving_cost`, with the server in one container and the generator in another, each on a core of its own
and on a network made for this. Every request crosses two virtual Ethernet pairs and the bridge between them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import BYTES, PROJECT, checked, driver_words, two_cores
from benchmarks.native import compiled
from benchmarks.probe_cost import HARDENED, container, docker

KINDS = ("stock", "plain", "fast", "C")
NAMES = {
    "stock": "plainest Locust user",
    "plain": "engine plain",
    "fast": "engine fast",
    "C": "C client",
}
PORT = 8081


@contextmanager
def network() -> Iterator[str]:
    name = f"threadmill-bench-{secrets.token_hex(4)}"
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


def _program(path: Path) -> tuple[str, ...]:
    return ("--volume", f"{path}:/program:ro", "--entrypoint", "/program")


def _run(core: int, network_name: str, *arguments: str) -> str:
    """The last line that a container prints; it is removed when it has ended."""
    printed = docker("run", "--rm", "--cpuset-cpus", str(core), "--network", network_name, *HARDENED, *arguments)
    return printed.splitlines()[-1]


def _rate(kind: str, core: int, network_name: str, host: str, users: int, seconds: float, client: Path) -> float:
    if kind == "C":
        words = (host, str(PORT), str(users), f"{seconds:g}", "persistent", str(BYTES))
        replies, failures, took = _run(core, network_name, *_program(client), "threadmill/probe", *words).split()
        if int(failures) or not int(replies):
            raise RuntimeError(f"C client: {replies} replies, {failures} failures")
        return int(replies) / float(took)
    words = tuple(driver_words(kind, PORT, users, seconds, host=host))
    source = (
        "--volume",
        f"{PROJECT}/benchmarks:/srv/benchmarks:ro",
        "--volume",
        f"{PROJECT}/loadtests:/srv/loadtests:ro",
    )
    where = ("--workdir", "/srv", "--entrypoint", "python3", "threadmill/locust")
    return float(checked(_run(core, network_name, *source, *where, *words), kind)["throughput_rps"])


def measure(rounds: int = 5, users: int = 50, seconds: float = 2.0) -> dict[str, Any]:
    """One row a kind: requests per second of one core, and ratios to the plainest user and to C."""
    server_core, core = two_cores()
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with compiled("echo_server") as echo_server, compiled("echo_client") as client, network() as name:
        on_server = ("--cpuset-cpus", str(server_core), "--network", name, "--interactive")
        for number in range(rounds):
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                with container(*on_server, *_program(echo_server), "threadmill/probe", str(PORT)) as server:
                    host = docker(
                        "inspect", "--format", '{{(index .NetworkSettings.Networks "' + name + '").IPAddress}}', server
                    )
                    rates[kind].append(_rate(kind, core, name, host, users, seconds, client))
    rows = tuple(
        (NAMES[kind], Spread.of(rates[kind]), ratios(rates[kind], rates["stock"]), ratios(rates[kind], rates["C"]))
        for kind in KINDS
    )
    command = f"python -m benchmarks.bridge_cost --rounds {rounds} --users {users} --seconds {seconds:g}"
    columns = ("generator", "requests/s", "times the plainest", "times C")
    note = f"{users} connections; target: engine fast at least 2 times the plainest Locust user"
    return as_json(Table("bridge_cost", command, "one core, bridge, median and range", columns, rows, (note,)))


if __name__ == "__main__":
    run(measure)
