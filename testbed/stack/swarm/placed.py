"""What runs of a stack, and where: the tasks of its services, and the containers they became."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker.errors

from testbed.errors import EngineGone, UserError
from testbed.stack.box import STOP_TIMEOUT_S, RunningBox
from testbed.stack.engine import Exit
from testbed.stack.services import Service
from testbed.stack.swarm.nodes import UNREACHABLE, Node

# Starting a service takes a second or two; an image is there already.
PLACING_TIMEOUT_S = 60.0
# The scheduler says why it finds no node, and goes on looking; a node that was busy is found within moments.
UNPLACED_S = 3.0
POLL_S = 0.1

# Of a task that does not run any more, or never will.
ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")


@dataclass(frozen=True)
class Task:
    """One container of a service, as the manager knows it."""

    service: str
    node_id: str
    container_id: str
    state: str
    error: str
    ports: Mapping[int, int]
    """Ports of its node, by those of the container."""


def task_of(attributes: Mapping[str, Any], service: str) -> Task:
    """Out of what the manager's API says of a task. Pure."""
    status = attributes["Status"]
    ports = (status.get("PortStatus") or {}).get("Ports") or ()
    return Task(
        service=service,
        node_id=attributes.get("NodeID", ""),
        container_id=(status.get("ContainerStatus") or {}).get("ContainerID", ""),
        state=status["State"],
        error=status.get("Err", ""),
        ports={int(one["TargetPort"]): int(one["PublishedPort"]) for one in ports},
    )


@dataclass(frozen=True)
class Placed:
    """A container that was started for a service, and the node it is on."""

    service: Service
    node: Node
    container: Any
    ports: Mapping[int, int]


class PlacedBox(RunningBox):
    """A container on one of several machines. With its machine it has ended, whatever it may do there."""

    def __init__(self, placed: Placed, after: Callable[[], None]) -> None:
        """`after`: removes what stands for it elsewhere."""
        super().__init__(placed.container)
        self._node = placed.node
        self._networks = (placed.service.network,)
        self._after = after

    def tasks(self) -> tuple[int, int]:
        try:
            return super().tasks()
        except EngineGone:
            return 0, 0

    def exit(self) -> Exit | None:
        try:
            return super().exit()
        except EngineGone:
            return Exit(137, oom_killed=False, lost=f"node {self._node.name} does not answer")

    def stop(self) -> str:
        log = b""
        with contextlib.suppress(docker.errors.NotFound, *UNREACHABLE):
            self.container.stop(timeout=STOP_TIMEOUT_S)
            log = self.container.logs()
        self._after()
        with contextlib.suppress(*UNREACHABLE):
            self.container.remove(v=True, force=True)
        return log.decode(errors="replace")


def wait_until_running(ask: Callable[[], Sequence[Task]], wanted: Mapping[str, int]) -> list[Task]:
    """The tasks, once as many run of each service as are wanted. UserError, one line, where one does not come to it."""
    deadline = time.monotonic() + PLACING_TIMEOUT_S
    unplaced_since: float | None = None
    while True:
        tasks = ask()
        for task in tasks:
            if task.state in ENDED:
                raise UserError(f"{task.service} does not run: {task.error or task.state}")
        running = [task for task in tasks if task.state == "running" and task.container_id]
        if all(sum(task.service == name for task in running) >= count for name, count in wanted.items()):
            return running
        waiting = next((task for task in tasks if task.state == "pending" and task.error), None)
        now = time.monotonic()
        unplaced_since = None if waiting is None else unplaced_since or now
        if waiting is not None and unplaced_since is not None and now - unplaced_since > UNPLACED_S:
            raise UserError(f"{waiting.service} cannot be placed: {waiting.error}")
        if now > deadline:
            states = ", ".join(f"{task.service}: {task.state} {task.error}".strip() for task in tasks) or "no task"
            raise UserError(f"not all services run within {PLACING_TIMEOUT_S:g} s: {states}")
        time.sleep(POLL_S)
