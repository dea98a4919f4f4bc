"""Waiting until services run: what runs, what never will, and what a machine that is gone means for a container."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import docker.errors
import pytest
import requests

from testbed.errors import UserError
from testbed.stack import server_services
from testbed.stack.engine import Exit
from testbed.stack.run import Run
from testbed.stack.swarm import placed
from testbed.stack.swarm.nodes import Clock, Listed, Node
from testbed.stack.swarm.placed import Placed, PlacedBox, Task, task_of, wait_until_running
from tests.unit.testbed.stack.golden_cases import run_of, trial_of

RUNS = Task("spst", "node", "container", "running", "", {})


def test_a_task_is_what_the_manager_says_of_it() -> None:
    port = {"TargetPort": 8089, "PublishedPort": 32768, "PublishMode": "host"}
    status = {
        "State": "running",
        "ContainerStatus": {"ContainerID": "c"},
        # Once for each version of the Internet protocol.
        "PortStatus": {"Ports": [port, port]},
    }
    assert task_of({"NodeID": "n", "Status": status}, "spst") == Task("spst", "n", "c", "running", "", {8089: 32768})
    pending = {"Status": {"State": "pending", "Err": "no suitable node"}}
    assert task_of(pending, "spst") == Task("spst", "", "", "pending", "no suitable node", {})


def asked(*answers: Sequence[Task]) -> Callable[[], Sequence[Task]]:
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_services_are_waited_for_until_as_many_run_as_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placed, "POLL_S", 0.0)
    starting = replace(RUNS, state="starting")
    other = replace(RUNS, container_id="other")
    found = wait_until_running(asked([], [starting], [RUNS], [RUNS, other]), {"spst": 2})
    assert found == [RUNS, other]


@pytest.mark.parametrize("state", ["failed", "rejected", "complete", "shutdown", "orphaned"])
def test_one_that_has_ended_is_not_waited_for(state: str) -> None:
    with pytest.raises(UserError, match="spst does not run: No such image"):
        wait_until_running(asked([replace(RUNS, state=state, error="No such image")]), {"spst": 1})


def test_one_that_no_node_has_room_for_is_said_with_the_schedulers_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(placed.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(placed, "POLL_S", 0.0)
    waits = replace(RUNS, state="pending", container_id="", error="no suitable node (insufficient resources on 1 node)")
    with pytest.raises(UserError, match=re.escape("spst cannot be placed: no suitable node (insufficient resources")):
        wait_until_running(asked([waits]), {"spst": 1})


class Container:
    """One whose engine answers, has forgotten it, or is gone."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.attrs: dict[str, Any] = {"State": {"Running": True}}
        self.did: list[str] = []

    def _do(self, what: str) -> None:
        if self.error is not None:
            raise self.error
        self.did.append(what)

    def reload(self) -> None:
        self._do("reload")

    def stop(self, timeout: int) -> None:
        self._do("stop")

    def logs(self) -> bytes:
        return b"[REPORT] {}\n"

    def top(self, ps_args: str) -> dict[str, Any]:
        self._do("top")
        return {"Processes": [("1", "1")]}

    def remove(self, v: bool, force: bool) -> None:
        self._do("remove")


def box(container: Container, after: Callable[[], None] = lambda: None) -> PlacedBox:
    run = Run(**run_of({"networks": ("overlay",)}))
    service = server_services.servers(run, trial_of("models: spst\nnetwork: overlay"))[0]
    node = Node(Listed("2", "n2", "10.0.0.2", "server", "ready", "active", 2, 2**33), "ssh://n2", None, {}, Clock(0, 0))
    return PlacedBox(Placed(service, node, container, {}), after)


def test_with_its_machine_a_container_has_ended_by_name() -> None:
    gone = box(Container(requests.ConnectionError("refused")))
    found = gone.exit()
    assert found == Exit(137, oom_killed=False, lost="node n2 does not answer")
    assert str(found) == "node n2 does not answer"
    assert gone.tasks() == (0, 0)


def test_one_that_runs_has_not_ended() -> None:
    assert box(Container()).exit() is None


def test_stopping_takes_its_log_and_removes_what_stands_for_it() -> None:
    container, removed = Container(), []
    assert box(container, lambda: removed.append("service")).stop() == "[REPORT] {}\n"
    assert (container.did, removed) == (["stop", "remove"], ["service"])


@pytest.mark.parametrize("error", [requests.ConnectionError("gone"), docker.errors.NotFound("no such container")])
def test_stopping_what_is_gone_removes_what_stands_for_it_all_the_same(error: Exception) -> None:
    removed: list[str] = []
    assert box(Container(error), lambda: removed.append("service")).stop() == ""
    assert removed == ["service"]
