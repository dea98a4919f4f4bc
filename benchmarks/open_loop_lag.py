"""How well one worker keeps the schedule of an open loop, rate by rate, up to half of what it can drive at all.

    python -m benchmarks.open_loop_lag [--rates R ...] [--rounds N] [--users N] [--seconds S] [--arrivals KIND]

An echo server in C on one core, the generator on another, over loopback, a fresh process for each measurement. Lag is
the time from a request's intended start to its start; `precise` spins before each, the others are woken. The share of
CPU is that of work, without what was spun. The last rate is half of what the fast engine drove in a closed loop of as
many users just before.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from benchmarks.common import Cell, Spread, Table, as_json, from_json, print_table
from benchmarks.generating import drive, server, two_cores
from benchmarks.native import compiled

RATES = (500.0, 1000.0, 5000.0, 20000.0)
WAYS = (("fast", ()), ("fast, precise", ("--precise",)), ("plain", ()))
MOST_OF_PLAIN = 5000.0
"""The plain engine is not made for more."""


def _row(name: str, found: Sequence[dict[str, Any]]) -> tuple[Cell, ...]:
    def spread(*path: str | int) -> Spread | None:
        values = []
        for one in found:
            value: Any = one
            for key in path:
                value = value[key]
            if value is None:
                return None
            values.append(float(value))
        return Spread.of(values)

    return (
        name,
        spread("achieved_over_offered"),
        max(int(one["missed"]) for one in found),
        spread("send_lag_us", "p50"),
        spread("send_lag_us", "p99"),
        spread("send_lag_us", "max"),
        spread("service_time_us", "p99"),
        spread("generator", 0, "cpu_share"),
    )


def measure(
    rates: Sequence[float] = RATES,
    rounds: int = 3,
    users: int = 64,
    seconds: float = 3.0,
    arrivals: str = "constant",
) -> dict[str, Any]:
    """One row a rate and way: share achieved, requests missed, lag and service time in microseconds, CPU share."""
    server_core, core = two_cores()
    with compiled("echo_server") as echo_server:

        def one(engine: str, *more: str) -> dict[str, Any]:
            with server([echo_server], server_core) as port:
                return drive(engine, port, core, users, seconds, *more)

        most = min(one("fast")["throughput_rps"] for _ in range(2))
        half = round(most / 2, -2)
        plan = [(rate, *way) for rate in rates for way in WAYS if way[0] != "plain" or rate <= MOST_OF_PLAIN]
        plan += [(half, *way) for way in WAYS[:2]]
        found: list[list[dict[str, Any]]] = [[] for _ in plan]
        for _ in range(rounds):
            for place, (rate, name, more) in enumerate(plan):
                open_loop = ("--rate", f"{rate:g}", "--arrivals", arrivals, *more)
                found[place].append(one(name.partition(",")[0], *open_loop))
    rows = tuple(_row(f"{rate:,.0f}/s {name}", these) for (rate, name, _), these in zip(plan, found, strict=True))
    command = f"python -m benchmarks.open_loop_lag --rounds {rounds} --users {users} --seconds {seconds:g}"
    columns = ("rate", "achieved", "missed", "lag p50", "lag p99", "lag max", "service p99", "CPU share")
    notes = (
        f"{users} users, {arrivals} arrivals; in a closed loop the fast engine drove {most:,.0f}/s",
        "targets: p99 of lag below 1,000 us at half of that; below 200 us at 1,000/s, precise",
    )
    return as_json(Table("open_loop_lag", command, "us, median and range", columns, rows, notes))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop_lag", description=__doc__.partition("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--arrivals", choices=("constant", "poisson"), default="constant")
    arguments = parser.parse_args()
    print_table(
        from_json(measure(arguments.rates, arguments.rounds, arguments.users, arguments.seconds, arguments.arrivals))
    )


if __name__ == "__main__":
    main()
