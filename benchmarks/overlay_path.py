"""What a Swarm's overlay network costs: the same trial on one engine over bridge, loopback and overlay, and over two.

    python -m benchmarks.overlay_path [--rounds N]

In each round a sweep of the three paths on one engine, and one across two with `--on swarm`, in turns as to which comes
first. The engines are the lab's (tests/lab; Linux, root): network namespaces of one machine, which share its
processors. Ratios are over `bridge` of the same round.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.subjects import LOOP
from benchmarks.sweeping import NotMeasured, Row, is_valid, sweep
from testbed.names import COMPANIONS, image_name
from testbed.stack import images
from tests.lab.cluster import Cluster, swarm
from tests.lab.engines import lacking

BRIDGE, LOOPBACK, OVERLAY, ACROSS = "bridge", "shared", "overlay", "overlay, two engines"
PATHS = (BRIDGE, LOOPBACK, OVERLAY, ACROSS)
FIGURES = (
    ("requests/s", "throughput_rps", 1.0),
    ("p99 ms", "latency_p99_us", 1e-3),
    ("CPU us per request", "cpu_us_per_request", 1.0),
)

Round = Mapping[str, Mapping[str, float]]
"""By path, then by column."""


def measure(rounds: int = 5) -> dict[str, Any]:
    """One row for each path: throughput, p99 and the server's CPU time per request, each with its ratio to `bridge`."""
    if why := lacking():
        raise NotMeasured(why)
    needed = (LOOP, *COMPANIONS)
    images.build_missing(needed, print)
    found: list[Round] = []
    verdicts: set[str] = set()
    with swarm(("load", "server")) as cluster, tempfile.TemporaryDirectory(prefix="threadmill-bench-") as place:
        cluster.manager.load([image_name(name) for name in needed])
        for number in range(rounds):
            rows = _round(cluster, Path(place), number)
            verdicts |= {row["verdict"] for row in rows.values()}
            if all(path in rows and is_valid(rows[path]) for path in PATHS):
                found.append({path: _figures(row) for path, row in rows.items()})
    command = f"python -m benchmarks.overlay_path --rounds {rounds}"
    columns = ("path", *(word for name, _, _ in FIGURES for word in (name, f"{name} / bridge")))
    notes = (
        f"verdicts: {', '.join(sorted(verdicts))}; {len(found)} of {rounds} rounds with all paths valid",
        f"{LOOP}, 16 users, echo of 64 bytes, 1 CPU each for server and generator",
    )
    lines = tuple((path, *_cells(found, path)) for path in PATHS)
    return as_json(Table("overlay_path", command, "median and range over rounds", columns, lines, notes))


def _round(cluster: Cluster, place: Path, number: int) -> dict[str, Row]:
    """The row of each path."""
    nodes = ("--on", "swarm", "--nodes", str(cluster.nodes_file(place)))
    both = [(False, f"one-{number}"), (True, f"two-{number}")]
    rows: dict[str, Row] = {}
    for across, name in both if number % 2 == 0 else both[::-1]:
        networks = [OVERLAY] if across else [BRIDGE, LOOPBACK, OVERLAY]
        _, those = sweep(
            place,
            options=nodes if across else (),
            environment=cluster.environment,
            # Locust's page is published on the loopback of the engine's machine.
            via=cluster.manager.via,
            name=name,
            models=[LOOP],
            network=networks,
            limits={"cpus": 1.0},
            load={"users": 16},
            warmup="1s",
            duration="3s",
            repeat=1,
            order={"shuffle": True, "seed": number},
        )
        rows |= {ACROSS if across else row["network"]: row for row in those}
    return rows


def _figures(row: Row) -> dict[str, float]:
    return {column: float(row[column]) * factor for _, column, factor in FIGURES}


def _cells(rounds: list[Round], path: str) -> list[Spread]:
    """Each figure of a path, and its ratio to that of the bridge in the same round. Pure."""
    cells = []
    for _, column, _ in FIGURES:
        mine, bridge = ([one[which][column] for one in rounds] for which in (path, BRIDGE))
        cells += [Spread.of(mine), ratios(mine, bridge)]
    return cells


if __name__ == "__main__":
    run(measure)
