"""Evidence of a front before two servers that share the load of GOOD, nobody full."""

import dataclasses
from typing import Any

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate
from testbed.judge.verdict import judge
from tests.unit.testbed.judge.test_boxes import FIRST, SECOND, TWICE
from tests.unit.testbed.judge.test_verdict import GOOD

FRONT = Box(
    "front",
    "front",
    cpu_limit=0.25,
    cpu_used_s=1.0,
    periods=100,
    throttled_periods=0,
    steal_share=0.0,
    oom_kills=0,
    ended="",
    connections=9,
    connection_limit=1_024,
    open_max=9,
    dropped=0,
    queue_max=0,
)

# Eight users keep their connections; the checks made one through the front, and four past it to each server.
BEHIND = {
    "client_connections": 8,
    "check_connections": 1,
    "direct_connections": 8,
    "front_to_replicas": {"spmt-1": 5, "spmt-2": 4},
    "front_failed": 0,
}


def fronted(front: dict[str, Any] | None = None, second: dict[str, Any] | None = None, **of_trial: Any) -> Evidence:
    """What front, second server and trial have is changed."""
    servers = (
        dataclasses.replace(FIRST, connections=9),
        dataclasses.replace(SECOND, **{"connections": 8, **(second or {})}),
    )
    boxes = (*servers, dataclasses.replace(FRONT, **(front or {})), *GOOD.generator)
    return dataclasses.replace(GOOD, **{**TWICE, **BEHIND, "boxes": boxes, **of_trial})


def gate(name: str, evidence: Evidence) -> Gate | None:
    """This gate of it; None where it does not apply."""
    return next((one for one in judge(evidence).gates if one.name == name), None)
