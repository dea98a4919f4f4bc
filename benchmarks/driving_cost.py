"""What one core of load generator can drive over loopback: the plainest Locust user, Threadmill's two engines, and C.

    python -m benchmarks.driving_cost [--rounds N] [--users N] [--seconds S]

An echo server in C on one core, the generator on another, persistent connections, 64-byte lines. Every round measures
each kind once, in a fresh process, in an order that turns round: ratios are of values of one round. `bare epoll` is the
least that Python can do (benchmarks/reference/epoll_client.py), `C` the same in C (benchmarks/echo_client.c).
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import BYTES, PROJECT, drive, output_of, server, two_cores
from benchmarks.native import compiled

KINDS = ("stock", "plain", "fast", "bare epoll", "C")
NAMES = {
    "stock": "plainest Locust user",
    "plain": "engine plain",
    "fast": "engine fast",
    "bare epoll": "bare Python epoll loop",
    "C": "C client",
}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bare(words: list[Any], core: int) -> tuple[float, float]:
    before = _cpu_s()
    replies, failures, seconds, *own = output_of(words, core).split()
    if int(failures) or not int(replies):
        raise RuntimeError(f"{words[0]}: {replies} replies, {failures} failures")
    # The Python one tells its own, without the start of the interpreter, which C does not have.
    cpu_s = float(own[0]) if own else _cpu_s() - before
    return int(replies) / float(seconds), cpu_s * 1e6 / int(replies)


def measure(rounds: int = 5, users: int = 50, seconds: float = 2.0) -> dict[str, Any]:
    """One row a kind: requests per second of one core, CPU time per request, and ratios to the plainest user."""
    server_core, core = two_cores()
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    costs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with compiled("echo_server") as echo_server, compiled("echo_client") as echo_client:
        shape = [users, f"{seconds:g}"]
        for number in range(rounds):
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                with server([echo_server], server_core) as port:
                    if kind == "C":
                        rate, cost = _bare([echo_client, "127.0.0.1", port, *shape, "persistent", BYTES], core)
                    elif kind == "bare epoll":
                        script = PROJECT / "benchmarks/reference/epoll_client.py"
                        rate, cost = _bare([sys.executable, script, "127.0.0.1", port, *shape, BYTES], core)
                    else:
                        found = drive(kind, port, core, users, seconds)
                        rate, cost = found["throughput_rps"], found["cpu_s"] * 1e6 / found["ok"]
                rates[kind].append(rate)
                costs[kind].append(cost)
    rows = tuple(
        (
            NAMES[kind],
            Spread.of(rates[kind]),
            Spread.of(costs[kind]),
            ratios(rates[kind], rates["stock"]),
            ratios(rates[kind], rates["C"]),
        )
        for kind in KINDS
    )
    command = f"python -m benchmarks.driving_cost --rounds {rounds} --users {users} --seconds {seconds:g}"
    columns = ("generator", "requests/s", "CPU us/request", "times the plainest", "times C")
    note = f"{users} connections; target: engine fast at least 3.5 times the plainest Locust user"
    return as_json(Table("driving_cost", command, "one core, loopback, median and range", columns, rows, (note,)))


if __name__ == "__main__":
    run(measure)
