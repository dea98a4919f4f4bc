"""Checks of servers with sidecars go past them, and then along the way of the load; crashes go straight to a server."""

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.plan.cell import Cell
from testbed.results.findings import Findings
from testbed.run.checks import Checks
from testbed.stack.locust_api import Echo, Held, Verified
from tests.unit.testbed.stack.golden_cases import trial_of

HTTP = "limits: {cpus: 0.4}\nmodels: spmt\nworkload: {protocol: http}\nsidecar: envoy\n"
TWO = f"{HTTP}replicas: {{count: 2}}\n"


class Load:
    """Has every echo come back, and notes who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came = Echo("", 0, reached=True)

    def echo(self, target: str, _protocol: str = "", **_: Any) -> Echo:
        self.asked.append(target)
        return Echo("", 1, reached=True)

    def verify(self, target: str, *_: Any) -> Verified:
        self.asked.append(target)
        return Verified([], 5, 2)

    def hold(self, target: str, connections: int, _protocol: str) -> Held:
        self.asked.append(target)
        return Held(connections, connections)

    def release(self) -> int:
        return 0

    def crash(self, target: str, how: str, _protocol: str) -> Echo:
        self.asked.append(f"{target} {how}")
        return self.came


def checked(of: str, *servers: str) -> tuple[Load, Findings, Checks]:
    cell: Cell = trial_of(of).cell
    load, found = Load(), Findings()
    boxes: Any = SimpleNamespace(servers=list(servers), fail_if_ended=lambda _: None, shape_mismatch=lambda *_: "")
    return load, found, Checks(load, boxes, cell, found)  # type: ignore[arg-type]


def test_readiness_verification_and_shape_ask_the_server_and_then_each_hop_once() -> None:
    load, found, checks = checked(f"{TWO}front: envoy\n", "spmt-1", "spmt-2")
    checks.wait_until_ready()
    assert load.asked == ["spmt-1:8082", "spmt-2:8082"]
    load.asked.clear()
    checks.verify()
    past = [server for server in ("spmt-1:8082", "spmt-2:8082") for _ in range(2)]
    assert load.asked == [*past, "spmt-1", "spmt-2", "spmt"]
    # Each server: an echo, two connections of the verification, three of the shape.
    assert (found.direct_connections, found.sidecar_connections, found.check_connections) == (12, 2, 1)
    assert (found.other_echoes, found.front_echoes) == (2 + 10 + 6 + 3, 1)


def test_of_one_server_alone_the_sidecar_is_the_way_of_the_load() -> None:
    load, found, checks = checked(HTTP, "spmt")
    checks.wait_until_ready()
    checks.verify()
    assert load.asked == ["spmt:8082"] * 3 + ["spmt"]
    assert (found.sidecar_connections, found.check_connections) == (0, 1)


@pytest.mark.parametrize(
    ("came", "error", "connections"),
    [
        (Echo("", 0, reached=True), "", 1),
        (Echo("spmt has not answered", 0, reached=True), "spmt has not answered", None),
        (Echo("spmt takes no connection", 0, reached=False), "spmt takes no connection", 0),
    ],
)
def test_a_crash_is_asked_for_past_the_sidecar_and_counted(came: Echo, error: str, connections: int | None) -> None:
    load, found, checks = checked(HTTP, "spmt")
    load.came = came
    assert checks.crash("spmt", "exit") == error
    assert load.asked == ["spmt:8082 exit"]
    assert (found.direct_connections, found.perhaps_echoed) == (connections, 1)
