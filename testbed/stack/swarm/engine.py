"""A Swarm as a sweep's engine: services are deployed by its manager, and looked after through each node's own engine.

Source: Docker's Engine API v1.41, sections Service, Task and Node; `docker stack deploy` of its command line.
"""

import contextlib
import math
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.errors import EngineGone, UserError
from testbed.files import write_atomically
from testbed.stack import cpus, resizing
from testbed.stack.box import run_once
from testbed.stack.cpus import CpuSets
from testbed.stack.docker import connect, endpoint
from testbed.stack.engine import Box, ContainerGone, LaidOut
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL, Stack
from testbed.stack.speaking import speaking, wait_until_back
from testbed.stack.swarm import carry, nodes, store
from testbed.stack.swarm.labelled import Labelled, containers
from testbed.stack.swarm.nodes import UNREACHABLE, Node, speaking_to
from testbed.stack.swarm.placed import ENDED, PlacedBox, task_of
from testbed.stack.swarm.stackfile import CALLER_LABEL, NOT_DONE, SERVICE_LABEL, text_of
from testbed.stack.swarm.starting import Starter


class SwarmEngine:
    """What a sweep asks of a Swarm. Touches only what carries this run's label, on any node."""

    is_here = False
    networks = ("overlay",)

    def __init__(self, endpoints: Mapping[str, str], registry: str | None = None) -> None:
        """The engine that the `docker` command uses is a manager of the Swarm. `endpoints`: of its nodes' engines, by
        name; where one is not among them, a Docker context of that name says it.

        UserError, one line, where this is no Swarm, where a role has no node, and for a node that cannot be used.
        """
        self._manager_endpoint = endpoint() or "unix:///var/run/docker.sock"
        self._registry = registry
        self._manager, self._info = connect()
        swarm = self._info.get("Swarm") or {}
        if not swarm.get("ControlAvailable"):
            what = "a worker of a Swarm, not a manager" if swarm.get("NodeID") else "in no Swarm"
            raise UserError(
                f"the engine at {self._manager_endpoint} is {what}; run there: docker swarm init, or name a manager: "
                "DOCKER_HOST=ssh://MANAGER"
            )
        with speaking():
            found = nodes.usable([nodes.listed(one.attrs) for one in self._manager.nodes.list()])
        self._by_role: dict[str, list[Node]] = {}
        for role, listed in found.items():
            self._by_role[role] = [nodes.connect(one, self._endpoint_of(one, endpoints)) for one in listed]
        self._nodes = [node for those in self._by_role.values() for node in those]
        self._by_id = {node.listed.id: node for node in self._nodes}
        self._labelled = Labelled(self._manager, self._nodes)
        self._caller = platform.node()
        roles = nodes.standing_in(found)
        self._starter = Starter(self._manager, self._manager_endpoint, self._nodes, roles, self._caller)
        self._placed = self._starter.placed

    def _endpoint_of(self, node: nodes.Listed, endpoints: Mapping[str, str]) -> str | None:
        if node.name in endpoints:
            return endpoints[node.name]
        if node.id == self._info["Swarm"]["NodeID"]:
            return self._manager_endpoint
        return nodes.context_endpoint(node.name)

    @property
    def cpus(self) -> int:
        return sum(node.listed.cpus for node in self._by_role["server"])

    @property
    def memory_bytes(self) -> int:
        return sum(node.listed.memory_bytes for node in self._by_role["server"])

    def keep_open(self, descriptor: int) -> None:
        self._starter.inherited = (descriptor,)

    @speaking()
    def ping(self) -> None:
        """EngineGone unless the manager answers."""
        self._manager.ping()

    def wait_until_back(self, patience_s: float) -> None:
        wait_until_back(self.ping, patience_s)

    def facts(self) -> dict[str, Any]:
        """Of the manager's engine, and of every node that is used."""
        names = ("ServerVersion", "KernelVersion", "OperatingSystem", "Architecture", "CgroupVersion", "CgroupDriver")
        told = (*names, "Driver", "NCPU", "MemTotal")
        return {
            "Swarm": self._info["Swarm"]["Cluster"]["ID"],
            "NotDone": list(NOT_DONE),
            **{name: self._info.get(name) for name in names},
            **{
                f"Node {node.name}": {"Role": role, **{name: node.info.get(name) for name in told}}
                for role, those in self._by_role.items()
                for node in those
            },
        }

    def cluster(self) -> dict[str, Any]:
        """By node: its endpoint, and by how much its clock was ahead of the caller's when it was reached."""
        return {
            "manager": self._manager_endpoint,
            "registry": self._registry,
            "nodes": {node.name: node.endpoint for node in self._nodes},
            "clocks": {
                node.name: {
                    "ahead_s": round(node.clock.ahead_s, 6),
                    "uncertain_s": round(node.clock.uncertain_s, 6),
                }
                for node in self._nodes
            },
        }

    def cpu_sets(self, server_cpus: float, load_workers: int) -> CpuSets:
        """Of the smallest machine of each kind: which one a service gets is the manager's choice."""
        each = math.ceil(load_workers / len(self._by_role["load"]))
        smallest = {role: min(node.listed.cpus for node in self._by_role[role]) for role in ("server", "load")}
        return cpus.across(smallest["server"], smallest["load"], server_cpus, each)

    # --- images ---

    @speaking()
    def image_id(self, image: str) -> str | None:
        return carry.image_id(self._manager, image)

    def bring_images(self, images: Sequence[str], say: Callable[[str], None]) -> None:
        self._starter.image_ids = carry.carry(self._manager, self._nodes, images, self._registry, say)

    def run_once(self, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
        """On the first of the servers' nodes."""
        node = self._by_role["server"][0]
        with speaking_to(node):
            return run_once(node.client, self._starter.image_ids.get(image, image), command, run_id, cpuset)

    # --- starting ---

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:  # noqa: ARG002 - nodes have volumes
        """As a stack file of all that the Swarm runs. Probes are not in it: they are started beside their servers."""
        file = directory / "stack.yaml"
        services = [service.name for service in stack.services if service.role != "probe"]
        write_atomically(file, text_of(self._starter.stack_file(stack, services)))
        return LaidOut(file, stack)

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        """Services by the manager; then their containers are pinned, and the probes among them started beside them."""
        if trouble := self.trouble():
            # What would be measured without one of them is not what was asked for.
            raise EngineGone(trouble)
        try:
            self._starter.up(laid, services)
        except UserError as error:
            if trouble := self.trouble():
                raise EngineGone(f"{error}; {trouble}") from error
            raise

    # --- looking after it ---

    def server(self, run_id: str, service: str) -> Box:
        if service not in self._placed:
            raise ContainerGone(service)
        labels = (f"{RUN_LABEL}={run_id}", f"{SERVICE_LABEL}={service}")
        return PlacedBox(self._placed[service], lambda: self._labelled.remove_services(*labels))

    def published(self, run_id: str, service: str, port: int) -> tuple[str, int]:  # noqa: ARG002 - there is one run
        """On the address of its node, for whoever reaches that."""
        placed = self._placed.get(service)
        if placed is None or port not in placed.ports:
            raise ContainerGone(service)
        return placed.node.listed.address, placed.ports[port]

    def node_of(self, service: str) -> str:
        """The name of the node that a service was placed on. KeyError where it was not."""
        return self._placed[service].node.name

    @property
    def nodes(self) -> Sequence[Node]:
        """Those that are used."""
        return self._nodes

    @property
    def roles(self) -> dict[str, list[str]]:
        """The names of the nodes by what they are there for."""
        return {role: [node.name for node in those] for role, those in self._by_role.items()}

    def lacking_images(self, images: Iterable[str]) -> dict[str, list[str]]:
        """By node, those of these images of the manager's engine that it does not have."""
        found: dict[str, list[str]] = {}
        ids = {image: self.image_id(image) for image in images}
        for node in self._nodes:
            with speaking_to(node):
                found[node.name] = [
                    image for image, its_id in ids.items() if its_id and carry.image_id(node.client, its_id) is None
                ]
        return found

    def pids(self, run_id: str) -> list[int]:  # noqa: ARG002 - they are on other machines
        return []

    def set_limits(self, container_id: str, cpus: float | None, memory_bytes: int | None) -> None:
        """Through the engine of its node. The service's own limits, as the manager knows them, stay as they were."""
        node = next(placed.node for placed in self._placed.values() if placed.container.id == container_id)
        resizing.set_limits(container_id, cpus, memory_bytes, node.endpoint)

    def clock_ahead_s(self, service: str) -> float:
        return self._placed[service].node.clock.ahead_s if service in self._placed else 0.0

    def hand_in(self, run_id: str, service: str, file: Path) -> None:  # noqa: ARG002 - there is one run
        placed = self._placed[service]
        with contextlib.suppress(*UNREACHABLE):
            store.hand_in(placed.container, placed.service.mounts[0].at, file, placed.service.user)

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None:  # noqa: ARG002
        if (placed := self._placed.get(service)) is not None:
            with contextlib.suppress(*UNREACHABLE):
                store.bring(placed.container, placed.service.mounts[0].at, directory, names)

    def trouble(self, lost: Sequence[str] = ()) -> str:
        """Load workers are called after their node."""
        said = [f"lost: worker {name} of node {name.rpartition('-')[0]}" for name in lost]
        said += [f"node {node.name} does not answer" for node in self._nodes if not node.answers()]
        return "; ".join([*said, *self._unready()])

    def _unready(self) -> list[str]:
        """Nodes whose engine may answer, but that the manager does not reach: their network is gone."""
        with speaking():
            states = {node.id: node.attrs["Status"]["State"] for node in self._manager.nodes.list()}
        return [
            f"node {node.name} is {states.get(node.listed.id, 'no part of the Swarm any more')}"
            for node in self._nodes
            if states.get(node.listed.id) != "ready"
        ]

    @speaking()
    def ended(self, run_id: str) -> list[str]:
        found: list[str] = []
        for service in self._labelled.services(f"{RUN_LABEL}={run_id}"):
            name = service.attrs["Spec"]["Labels"][SERVICE_LABEL]
            for task in (task_of(one, name) for one in service.tasks()):
                if task.state in ENDED:
                    where = self._by_id[task.node_id].name if task.node_id in self._by_id else "no node"
                    found.append(f"{name} on {where}{f' ({task.error})' if task.error else ''}")
        return found

    @speaking()
    def load_is_gone(self, run_id: str) -> bool:
        services = [one for one in self._labelled.services(f"{RUN_LABEL}={run_id}") if not _of_trial(one)]
        return all(task["Status"]["State"] != "running" for one in services for task in one.tasks())

    def logs(self, run_id: str) -> dict[str, str]:
        logs: dict[str, str] = {}
        for node in self._nodes:
            with contextlib.suppress(*UNREACHABLE):
                for container in containers(node, f"{RUN_LABEL}={run_id}"):
                    log = container.logs(timestamps=True).decode(errors="replace")
                    logs[f"{node.name}.{container.name}"] = log
        return logs

    # --- removing ---

    def runs(self) -> dict[str, int]:
        return self._labelled.runs()

    def remove(self, run_id: str) -> None:
        """Services, then what is left of containers, then networks and volumes. EngineError says what is left where."""
        with speaking():
            self._refuse_others(run_id)
        self.remove_whosever(run_id)

    def remove_whosever(self, run_id: str) -> None:
        """The same, whoever has started it."""
        self._labelled.remove(f"{RUN_LABEL}={run_id}")
        self._placed.clear()

    def _refuse_others(self, run_id: str) -> None:
        """On a Swarm another machine's sweep may be under way, which holds no lock of this one."""
        for service in self._labelled.services(f"{RUN_LABEL}={run_id}"):
            caller = service.attrs["Spec"]["Labels"].get(CALLER_LABEL)
            if caller not in (None, self._caller):
                raise UserError(
                    f"the sweep {run_id} of {caller} is on this Swarm: wait for it, or remove it there by "
                    "`orchestrate.py down --runs --on swarm`"
                )

    def remove_trial(self, run_id: str, trial_id: str) -> None:
        labels = (f"{RUN_LABEL}={run_id}", f"{TRIAL_LABEL}={trial_id}")
        self._labelled.remove_services(*labels)
        self._labelled.remove_containers(*labels)


def _of_trial(service: Any) -> bool:
    return TRIAL_LABEL in service.attrs["Spec"]["Labels"]
