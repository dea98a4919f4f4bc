"""A Swarm as a sweep's engine: services are deployed by its manager, and looked after through each node's own engine.

Source: Docker's Engine API v1.41, sections Service, Task and Node; `docker stack deploy` of its command line.
"""

import contextlib
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker.errors

from testbed.errors import EngineError, EngineGone, UserError
from testbed.files import write_atomically
from testbed.interrupt import deferred
from testbed.stack import cpus
from testbed.stack.box import run_once
from testbed.stack.cpus import CpuSets
from testbed.stack.docker import connect, endpoint
from testbed.stack.engine import Box, ContainerGone, LaidOut
from testbed.stack.leftovers import remove_container
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL, Service, Stack
from testbed.stack.speaking import speaking
from testbed.stack.swarm import carry, nodes, store
from testbed.stack.swarm.nodes import UNREACHABLE, Node
from testbed.stack.swarm.placed import ENDED, Placed, PlacedBox, Task, task_of, wait_until_running
from testbed.stack.swarm.stackfile import (
    CALLER_LABEL,
    NOT_DONE,
    SERVICE_LABEL,
    stack_file,
    stack_name,
    text_of,
    volume_name,
)

# What `up` starts, which no sweep removes.
BY_HAND = "by-hand"
REMOVAL_TIMEOUT_S = 60.0
POLL_S = 0.1
# The command is given this long to hand over a stack of a few services.
DEPLOY_TIMEOUT_S = 60.0
_CUT_OFF = re.compile(r"cannot connect to the docker daemon|failed to connect|error during connect", re.IGNORECASE)
_LOG = {"type": "json-file", "config": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}}


class SwarmEngine:
    """What a sweep asks of a Swarm. Touches only what carries this run's label, on any node."""

    is_here = False
    networks = ("overlay",)
    scales = False

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
        self._roles = nodes.standing_in(found)
        self._by_role: dict[str, list[Node]] = {}
        for role, listed in found.items():
            self._by_role[role] = [nodes.connect(one, self._endpoint_of(one, endpoints)) for one in listed]
        self._nodes = [node for those in self._by_role.values() for node in those]
        self._by_id = {node.listed.id: node for node in self._nodes}
        self._placed: dict[str, Placed] = {}
        self._image_ids: dict[str, str] = {}
        self._inherited: tuple[int, ...] = ()
        self._caller = platform.node()

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
        self._inherited = (descriptor,)

    @speaking()
    def ping(self) -> None:
        """EngineGone unless the manager answers."""
        self._manager.ping()

    def wait_until_back(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                self.ping()
            except EngineError:
                time.sleep(POLL_S)
            else:
                return

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
        self._image_ids = carry.carry(self._manager, self._nodes, images, self._registry, say)

    def run_once(self, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
        """On the first of the servers' nodes."""
        node = self._by_role["server"][0]
        with self._speaking_to(node):
            return run_once(node.client, self._image_ids.get(image, image), command, run_id, cpuset)

    # --- starting ---

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:  # noqa: ARG002 - nodes have volumes
        """As a stack file of all that the Swarm runs. Probes are not in it: they are started beside their servers."""
        file = directory / "stack.yaml"
        services = [service.name for service in stack.services if service.role != "probe"]
        write_atomically(file, text_of(self._stack_file(stack, services)))
        return LaidOut(file, stack)

    def _stack_file(self, stack: Stack, services: Sequence[str]) -> dict[str, Any]:
        return stack_file(stack, services, self._image_ids, self._roles, self._caller)

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        """Services by the manager; then their containers are pinned, and the probes among them started beside them."""
        self._refuse_without_nodes()
        wanted = [laid.stack.service(name) for name in services]
        placed = [service for service in wanted if service.role != "probe"]
        self._place(laid, [one for one in placed if not one.after])
        self._place(laid, [one for one in placed if one.after])
        for service in wanted:
            if service.role == "probe":
                self._start_beside(laid.stack, service)

    def _place(self, laid: LaidOut, services: Sequence[Service]) -> None:
        if services:
            self._deploy(laid, [one.name for one in services])
            self._find(laid.stack, services)

    def _refuse_without_nodes(self) -> None:
        """What would be measured without one of them is not what was asked for."""
        if trouble := self.trouble():
            raise EngineGone(trouble)

    def _deploy(self, laid: LaidOut, services: Sequence[str]) -> None:
        name = stack_name(laid.stack.project)
        text = text_of(self._stack_file(laid.stack, services))
        command = ["docker", "stack", "deploy", "--resolve-image", "never", "--compose-file", "-", name]
        environment = {**os.environ, "DOCKER_HOST": self._manager_endpoint}
        with deferred():
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                start_new_session=True,
                pass_fds=self._inherited,
            )
        try:
            said, _ = process.communicate(text, timeout=DEPLOY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise EngineError(f"docker stack deploy did not end within {DEPLOY_TIMEOUT_S:g} s") from None
        finally:
            # What it has created by now carries the run's label.
            process.kill()
            process.wait()
        if process.returncode != 0:
            lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason given"]
            why = f"docker stack deploy failed: {lines[-1]}"
            raise EngineGone(why) if _CUT_OFF.search(lines[-1]) else UserError(f"{laid.file}: {why}")

    def _find(self, stack: Stack, services: Sequence[Service]) -> None:
        name = stack_name(stack.project)
        full = {f"{name}_{service.name}": service for service in services}

        def ask() -> list[Task]:
            with speaking():
                found = {one.id: full[one.name].name for one in self._manager.services.list() if one.name in full}
                tasks = self._manager.api.tasks(filters={"service": list(found)}) if found else []
            return [task_of(one, found[one["ServiceID"]]) for one in tasks if one["ServiceID"] in found]

        wanted = {service.name: service.copies or 1 for service in services}
        for task in wait_until_running(ask, wanted):
            service = stack.service(task.service)
            node = self._by_id[task.node_id]
            with self._speaking_to(node):
                try:
                    container = node.client.containers.get(task.container_id)
                    _pin(container, service)
                except docker.errors.APIError as error:
                    raise UserError(f"{service.name} ended right after its start: {error.explanation}") from None
            self._placed[service.name] = Placed(service, node, container, task.ports)

    def _start_beside(self, stack: Stack, probe: Service) -> None:
        """A plain container on the node of what it looks into, by that node's own engine."""
        assert probe.sees_processes_of is not None
        beside = self._placed[probe.sees_processes_of]
        labels = {**probe.labels, SERVICE_LABEL: probe.name}
        volumes = {volume_name(stack.project, one.store): {"bind": one.at, "mode": "rw"} for one in probe.mounts}
        with self._speaking_to(beside.node), deferred():
            for volume in volumes:
                run = {RUN_LABEL: probe.labels[RUN_LABEL]}
                beside.node.client.volumes.create(volume, labels=run)
            container = beside.node.client.containers.create(
                self._image_ids[probe.image],
                list(probe.command),
                name=f"{stack_name(stack.project)}_{probe.name}",
                user=probe.user,
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges=true"],
                log_config=_LOG,
                **(
                    {"network": f"{stack_name(stack.project)}_{probe.network}"}
                    if probe.network
                    else {"network_mode": "none"}
                ),
                pid_mode=f"container:{beside.container.id}",
                cpuset_cpus=probe.limits.processors,
                volumes=volumes,
                labels=labels,
            )
            self._placed[probe.name] = Placed(probe, beside.node, container, {})
            container.start()

    # --- looking after it ---

    def server(self, run_id: str, service: str) -> Box:
        if service not in self._placed:
            raise ContainerGone(service)
        placed = self._placed[service]
        return PlacedBox(placed, lambda: self._remove_services(run_id, f"{SERVICE_LABEL}={service}"))

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
            with self._speaking_to(node):
                found[node.name] = [
                    image for image, its_id in ids.items() if its_id and carry.image_id(node.client, its_id) is None
                ]
        return found

    def pids(self, run_id: str) -> list[int]:  # noqa: ARG002 - they are on other machines
        return []

    def set_limits(self, container_id: str, cpus: float | None, memory_bytes: int | None) -> None:  # noqa: ARG002
        raise UserError("limits cannot be changed on a Swarm while the load is on")

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
        return "; ".join(said)

    @contextlib.contextmanager
    def _speaking_to(self, node: Node) -> Any:
        """EngineGone and EngineError name the node."""
        try:
            with speaking():
                yield
        except EngineError as error:
            raise type(error)(f"node {node.name}: {error}") from error

    def _services(self, *labels: str) -> list[Any]:
        found: list[Any] = self._manager.services.list(filters={"label": list(labels)})
        return found

    def _containers(self, node: Node, *labels: str) -> list[Any]:
        found: list[Any] = node.client.containers.list(all=True, filters={"label": list(labels)}, ignore_removed=True)
        return found

    @speaking()
    def ended(self, run_id: str) -> list[str]:
        found: list[str] = []
        for service in self._services(f"{RUN_LABEL}={run_id}"):
            name = service.attrs["Spec"]["Labels"][SERVICE_LABEL]
            for task in (task_of(one, name) for one in service.tasks()):
                if task.state in ENDED:
                    where = self._by_id[task.node_id].name if task.node_id in self._by_id else "no node"
                    found.append(f"{name} on {where}{f' ({task.error})' if task.error else ''}")
        return found

    @speaking()
    def load_is_gone(self, run_id: str) -> bool:
        services = [one for one in self._services(f"{RUN_LABEL}={run_id}") if not _of_trial(one)]
        return all(task["Status"]["State"] != "running" for one in services for task in one.tasks())

    def logs(self, run_id: str) -> dict[str, str]:
        logs: dict[str, str] = {}
        for node in self._nodes:
            with contextlib.suppress(*UNREACHABLE):
                for container in self._containers(node, f"{RUN_LABEL}={run_id}"):
                    log = container.logs(timestamps=True).decode(errors="replace")
                    logs[f"{node.name}.{container.name}"] = log
        return logs

    # --- removing ---

    def runs(self) -> dict[str, int]:
        found: dict[str, int] = {}

        def count(labels: Iterable[Mapping[str, str] | None]) -> None:
            for those in labels:
                if (run := (those or {}).get(RUN_LABEL)) is not None:
                    found[run] = found.get(run, 0) + 1

        with speaking():
            count(one.attrs["Spec"]["Labels"] for one in self._services(RUN_LABEL))
            count(one.attrs["Labels"] for one in self._networks(RUN_LABEL))
        for node in self._nodes:
            with self._speaking_to(node):
                count(one.labels for one in self._containers(node, RUN_LABEL) if SERVICE_LABEL in one.labels)
                count(one.attrs["Labels"] for one in node.client.volumes.list(filters={"label": RUN_LABEL}))
        found.pop(BY_HAND, None)
        return found

    def remove(self, run_id: str) -> None:
        """Services, then what is left of containers, then networks and volumes. EngineError says what is left where."""
        with speaking():
            self._refuse_others(run_id)
        self.remove_whosever(run_id)

    def remove_whosever(self, run_id: str) -> None:
        """The same, whoever has started it."""
        label = f"{RUN_LABEL}={run_id}"
        self._remove_services(run_id)
        left = self._clear(label)
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while networks := self._networks(label):
            if time.monotonic() > deadline:
                left.append(f"network {networks[0].name}")
                break
            for network in networks:
                with contextlib.suppress(docker.errors.APIError):
                    network.remove()
            time.sleep(POLL_S)
        for node in self._nodes:
            with contextlib.suppress(*UNREACHABLE):
                for volume in node.client.volumes.list(filters={"label": label}):
                    volume.remove(force=True)
        self._placed.clear()
        if left:
            raise EngineError(f"run {run_id}: left: {', '.join(left)}; what is left carries the label {label}")

    def _networks(self, label: str) -> list[Any]:
        with speaking():
            # Those of a sweep on this engine alone are not the Swarm's.
            found: list[Any] = self._manager.networks.list(filters={"label": [label, CALLER_LABEL]})
        return found

    def _refuse_others(self, run_id: str) -> None:
        """On a Swarm another machine's sweep may be under way, which holds no lock of this one."""
        for service in self._services(f"{RUN_LABEL}={run_id}"):
            caller = service.attrs["Spec"]["Labels"].get(CALLER_LABEL)
            if caller not in (None, self._caller):
                raise UserError(
                    f"the sweep {run_id} of {caller} is on this Swarm: wait for it, or remove it there by "
                    "`orchestrate.py down --runs --on swarm`"
                )

    def remove_trial(self, run_id: str, trial_id: str) -> None:
        labels = (f"{RUN_LABEL}={run_id}", f"{TRIAL_LABEL}={trial_id}")
        self._remove_services(run_id, labels[1])
        self._clear(*labels)

    @speaking()
    def _remove_services(self, run_id: str, *labels: str) -> None:
        for service in self._services(f"{RUN_LABEL}={run_id}", *labels):
            with contextlib.suppress(docker.errors.APIError):
                service.remove()

    def _clear(self, *labels: str) -> list[str]:
        """Until no node has a container with these labels. Returns what is left, in words: of a node that does not
        answer nothing is known."""
        left: list[str] = []
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        for node in self._nodes:
            try:
                while found := self._containers(node, *labels):
                    if time.monotonic() > deadline:
                        left.append(f"container {found[0].name} on {node.name}")
                        break
                    for container in found:
                        remove_container(container)
            except UNREACHABLE:
                left.append(f"whatever is on {node.name}, which does not answer")
        return left


def _pin(container: Any, service: Service) -> None:
    """What a Swarm has no word for: processors, and that memory is without swap."""
    limits = service.limits
    wanted: dict[str, Any] = {}
    if limits.processors is not None:
        wanted["cpuset_cpus"] = limits.processors
    if limits.memory_bytes is not None:
        wanted |= {"mem_limit": limits.memory_bytes, "memswap_limit": limits.memory_bytes}
    if wanted:
        container.update(**wanted)


def _of_trial(service: Any) -> bool:
    return TRIAL_LABEL in service.attrs["Spec"]["Labels"]
