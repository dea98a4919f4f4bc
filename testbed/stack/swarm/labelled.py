"""What carries a run's label on a Swarm: found by it on manager and nodes, counted, and removed until it is gone."""

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import docker.errors

from testbed.errors import EngineError
from testbed.stack.leftovers import remove_container
from testbed.stack.services import RUN_LABEL
from testbed.stack.speaking import speaking
from testbed.stack.swarm.nodes import UNREACHABLE, Node, speaking_to
from testbed.stack.swarm.stackfile import CALLER_LABEL, SERVICE_LABEL

# What `up` starts, which no sweep removes.
BY_HAND = "by-hand"

REMOVAL_TIMEOUT_S = 60.0
POLL_S = 0.1


def containers(node: Node, *labels: str) -> list[Any]:
    """Those of a node that carry all of these labels, whether they run or not. What a client raises where the node's
    engine does not answer."""
    found: list[Any] = node.client.containers.list(all=True, filters={"label": list(labels)}, ignore_removed=True)
    return found


class Labelled:
    """What carries labels, on a manager and its nodes. Touches nothing else."""

    def __init__(self, manager: Any, nodes: Sequence[Node]) -> None:
        self._manager = manager
        self._nodes = nodes

    def services(self, *labels: str) -> list[Any]:
        """Those that carry all of these labels."""
        found: list[Any] = self._manager.services.list(filters={"label": list(labels)})
        return found

    def networks(self, label: str) -> list[Any]:
        """Those with this label that were made for a Swarm: of a sweep on the manager's engine alone are not."""
        with speaking():
            found: list[Any] = self._manager.networks.list(filters={"label": [label, CALLER_LABEL]})
        return found

    def runs(self) -> dict[str, int]:
        """How many things there are of each run, on the manager and on the nodes; of what `up` has started none."""
        found: dict[str, int] = {}

        def count(labels: Iterable[Mapping[str, str] | None]) -> None:
            for those in labels:
                if (run := (those or {}).get(RUN_LABEL)) is not None:
                    found[run] = found.get(run, 0) + 1

        with speaking():
            count(one.attrs["Spec"]["Labels"] for one in self.services(RUN_LABEL))
            count(one.attrs["Labels"] for one in self.networks(RUN_LABEL))
        for node in self._nodes:
            with speaking_to(node):
                count(one.labels for one in containers(node, RUN_LABEL) if SERVICE_LABEL in one.labels)
                count(one.attrs["Labels"] for one in node.client.volumes.list(filters={"label": RUN_LABEL}))
        found.pop(BY_HAND, None)
        return found

    @speaking()
    def remove_services(self, *labels: str) -> None:
        for service in self.services(*labels):
            with contextlib.suppress(docker.errors.APIError):
                service.remove()

    def remove_containers(self, *labels: str) -> list[str]:
        """Until no node has one with these labels. Returns what is left, in words: of a node that does not answer
        nothing is known."""
        left: list[str] = []
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        for node in self._nodes:
            try:
                while found := containers(node, *labels):
                    if time.monotonic() > deadline:
                        left.append(f"container {found[0].name} on {node.name}")
                        break
                    for container in found:
                        remove_container(container)
            except UNREACHABLE:
                left.append(f"whatever is on {node.name}, which does not answer")
        return left

    def remove(self, label: str) -> None:
        """Services, containers, networks, volumes. EngineError says what is left, and where."""
        self.remove_services(label)
        left = self.remove_containers(label)
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while networks := self.networks(label):
            if time.monotonic() > deadline:
                left.append(f"network {networks[0].name}")
                break
            # A command that was cut off may have created one more in the meantime.
            self.remove_services(label)
            for network in networks:
                with contextlib.suppress(docker.errors.APIError):
                    network.remove()
            time.sleep(POLL_S)
        for node in self._nodes:
            with contextlib.suppress(*UNREACHABLE):
                for volume in node.client.volumes.list(filters={"label": label}):
                    volume.remove(force=True)
        if left:
            raise EngineError(f"left: {', '.join(left)}; all of it carries the label {label}")
