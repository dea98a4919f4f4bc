"""What each node and each container of a Swarm costs a sweep, one after another: to reach, to ask, to start, to remove.

    python -m benchmarks.cluster_costs [--rounds N]

On three engines of the lab (tests/lab; Linux, root): network namespaces of one machine, reached by sockets. A real
network adds a round trip to each question.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import Spread, Table, as_json, run
from benchmarks.subjects import LOOP
from benchmarks.sweeping import NotMeasured
from testbed.names import COMPANIONS, image_name
from testbed.run import swarm_by_hand
from testbed.stack import images
from testbed.stack.by_hand import ServerLimits
from testbed.stack.services import RUN_LABEL
from testbed.stack.swarm.engine import SwarmEngine
from testbed.stack.swarm.labelled import BY_HAND
from tests.lab.cluster import Cluster, swarm
from tests.lab.engines import lacking

QUESTIONS = 20
FEW, MANY = 1, 6
LIMITS = ServerLimits(0.5, 64 * 2**20)
USER = "10001:10001"
IMAGES = [image_name(name) for name in (LOOP, *COMPANIONS)]


def measure(rounds: int = 2) -> dict[str, Any]:
    """One row for each thing that is done, in milliseconds."""
    if why := lacking():
        raise NotMeasured(why)
    images.build_missing((LOOP, *COMPANIONS), print)
    with swarm() as cluster, tempfile.TemporaryDirectory(prefix="threadmill-bench-") as place:
        # Out of the machine's own engine, which `docker` still means.
        cluster.manager.load(IMAGES)
        endpoints = yaml.safe_load(cluster.nodes_file(Path(place)).read_text())["nodes"]
        with speaking_to(cluster):
            rows = [*_asking(endpoints), *_bringing(endpoints), *_starting(endpoints, Path(place), rounds)]
    command = f"python -m benchmarks.cluster_costs --rounds {rounds}"
    columns = ("what", "ms")
    return as_json(Table("cluster_costs", command, "median and range", columns, tuple(rows)))


@contextmanager
def speaking_to(cluster: Cluster) -> Iterator[None]:
    """The `docker` command of this process uses the manager."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = cluster.manager.host
    try:
        yield
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before


def _ms(what: Callable[[], object]) -> float:
    begun = time.perf_counter()
    what()
    return 1e3 * (time.perf_counter() - begun)


def _asking(endpoints: dict[str, str]) -> Iterator[tuple[str, Spread]]:
    reached = [_ms(lambda: SwarmEngine(endpoints)) / len(endpoints) for _ in range(5)]
    yield "reach a node: facts, and its clock five times", Spread.of(reached)
    node = SwarmEngine(endpoints).nodes[0]
    label = {"label": f"{RUN_LABEL}=none"}
    questions: dict[str, Callable[[], object]] = {
        "ask a node whether it answers": node.answers,
        "ask a node what it is (docker info)": node.client.info,
        "ask a node for a run's containers": lambda: node.client.containers.list(all=True, filters=label),
    }
    for what, ask in questions.items():
        yield what, Spread.of(_ms(ask) for _ in range(QUESTIONS))


def _bringing(endpoints: dict[str, str]) -> Iterator[tuple[str, Spread]]:
    engine = SwarmEngine(endpoints)
    took = _ms(lambda: engine.bring_images(IMAGES, print))
    without = sum(node.endpoint != os.environ["DOCKER_HOST"] for node in engine.nodes)
    yield f"bring a node {len(IMAGES)} images", Spread.of([took / without])


def _starting(endpoints: dict[str, str], place: Path, rounds: int) -> Iterator[tuple[str, Spread]]:
    started: dict[int, list[float]] = {FEW: [], MANY: []}
    removed: dict[int, list[float]] = {FEW: [], MANY: []}
    for _ in range(rounds):
        for workers in (FEW, MANY):
            engine = SwarmEngine(endpoints)
            engine.bring_images(IMAGES, print)
            started[workers].append(_ms(lambda: _up(engine, workers, place)))  # noqa: B023 - called at once
            removed[workers].append(_ms(lambda: engine.remove_whosever(BY_HAND)))  # noqa: B023
    for what, took in (("start", started), ("remove", removed)):
        for workers, each in took.items():
            yield f"{what} master, server, probe and {workers} load workers", Spread.of(each)
        more = [(many - few) / (MANY - FEW) for few, many in zip(took[FEW], took[MANY], strict=True)]
        yield f"{what} one load worker more", Spread.of(more)


def _up(engine: SwarmEngine, workers: int, place: Path) -> None:
    swarm_by_hand.up(engine, [LOOP], LIMITS, workers, USER, place / "up", lambda _: None)


if __name__ == "__main__":
    run(measure)
