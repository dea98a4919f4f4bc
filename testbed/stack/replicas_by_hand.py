"""The containers of one model that were started by hand: what each uses, and how there come to be more or fewer."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import docker.errors
from docker.models.containers import Container

from probe.sockets import parse_listeners
from testbed.errors import UserError
from testbed.stack import by_hand
from testbed.stack.box import RunningBox
from testbed.stack.docker import DockerEngine
from testbed.stack.naming import FRONT_PAGE_PORT, PROBE_PREFIX, SERVER_PORT
from testbed.stack.speaking import speaking

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"
_FRONT_ROLE = "threadmill.role=front"
# In which variables a front is told of the name of its servers.
_BEHIND = ("SERVERS_DNS", "SERVERS")
# What docker-compose.yml hands on to a server. A new one is as those that run.
_HANDED_ON = (
    *("PACKET_LOG", "WORKERS", "THREADS", "MAX_CONNECTIONS", "ALLOW_FAULTS"),
    *("SWITCH_INTERVAL_US", "SHARED_COUNTER", "CACHE_CONTROL"),
)
# Listening sockets come first in the table; a model with a pool has one for each process at most.
_ROWS = 66
# By the front's own Python: its runtime port is not published.
_ASK = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2) as connection:
    connection.sendall(sys.argv[2].encode())
    while data := connection.recv(65536):
        sys.stdout.buffer.write(data)
"""


@dataclass(frozen=True)
class Replica:
    """A container that runs. Limits are None where none is set."""

    id: str
    number: int
    name: str
    """As `up` says it: the model and the number."""
    address: str
    """In the network of the stack."""
    cpus: float | None
    memory_bytes: int | None
    is_healthy: bool


@dataclass(frozen=True)
class Counted:
    """By the engine, at a moment of its own clock in seconds."""

    at_s: float
    cpu_s: float
    """Since the container's start."""
    memory_bytes: int
    """Without what of its files the kernel can drop, as `docker stats` shows it."""


@dataclass(frozen=True)
class Front:
    """A container before them: what it is, such as haproxy, its limit, and where its page answers here."""

    id: str
    kind: str
    cpus: float
    page_port: int | None


class ByHand(DockerEngine):
    """The engine, as far as these containers need it. UserError where none of them runs at first."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model

    @cached_property
    def _found(self) -> by_hand.Containers:
        found = by_hand.containers(self.model)
        if not found.ids:
            none = f"{self.model}: found none that runs"
            raise UserError(f"{none}, allowed: what `orchestrate.py up {self.model}` has started")
        return found

    @property
    def _service(self) -> str:
        """What docker-compose.yml calls them, be it that they speak HTTP."""
        return self._found.service

    @cached_property
    def _project(self) -> str:
        return str(self._client.containers.get(self._found.ids[0][0]).labels[_PROJECT])

    def _running(self, *labels: str) -> list[Container]:
        wanted = {"label": [f"{_PROJECT}={self._project}", *labels], "status": "running"}
        found: list[Container] = self._client.containers.list(filters=wanted, ignore_removed=True)
        return found

    @speaking()
    def replicas(self) -> list[Replica]:
        """Those that run, by their numbers."""
        found = [_replica(self._service, one.attrs) for one in self._running(f"{_SERVICE}={self._service}")]
        return sorted(found, key=lambda replica: replica.number)

    @speaking()
    def front(self) -> Front | None:
        """What shares connections out among them; None where nothing does."""
        for one in self._running(_FRONT_ROLE):
            environment = _environment(one.attrs)
            if self._service in " ".join(environment.get(name, "") for name in _BEHIND).split():
                bindings = one.attrs["NetworkSettings"]["Ports"].get(f"{FRONT_PAGE_PORT}/tcp")
                port = int(bindings[0]["HostPort"]) if bindings else None
                return Front(str(one.id), one.labels[_SERVICE], one.attrs["HostConfig"]["NanoCpus"] / 1e9, port)
        return None

    @speaking()
    def counted(self, replica: Replica) -> Counted | None:
        """What it has used; None where it has ended. A hundredth of a second, and nothing of the container's time."""
        try:
            return counted(self._client.api.stats(replica.id, stream=False, one_shot=True))
        except docker.errors.NotFound:
            return None

    @speaking()
    def accept_queue(self, replica: Replica) -> int | None:
        """How many connections wait in it to be accepted. None: not known."""
        code, out = self._inside(replica.id, ["head", "-q", "-n", str(_ROWS), "/proc/net/tcp", "/proc/net/tcp6"])
        return waiting(out) if code is not None else None

    @speaking()
    def ask_front(self, front: Front, port: int, question: str) -> str:
        """What it answers at a port of its own. UserError, one line, where it does not."""
        code, out = self._inside(front.id, ["python3", "-c", _ASK, str(port), question])
        if code != 0:
            said = out.decode(errors="replace").strip().splitlines()
            raise UserError(said[-1] if said else f"{front.kind} has ended")
        return out.decode(errors="replace")

    def _inside(self, container_id: str, command: Sequence[str]) -> tuple[int | None, bytes]:
        """Exit code and output of a command in a container; None where the container has ended."""
        try:
            code, out = self._client.containers.get(container_id).exec_run(list(command))
        except docker.errors.NotFound:
            return None, b""
        except docker.errors.APIError as error:
            # Not running: 409.
            if error.status_code != 409:
                raise
            return None, b""
        return code, out or b""

    def grow(self, count: int) -> None:
        """Have so many, which is more than there are, alike; each with a probe where those that run have one. Returns
        once they are healthy. UserError, one line, where they do not come to it."""
        with speaking():
            servers = self._running(f"{_SERVICE}={self._service}")
            numbers = [_replica(self._service, one.attrs).number for one in servers]
            services = {one.labels[_SERVICE] for one in self._running()}
        if not servers:
            raise UserError(f"{self.model}: found none that runs any more")
        with_probes = any(service.startswith(PROBE_PREFIX) for service in services)
        new = range(max(numbers) + 1, max(numbers) + 1 + count - len(servers))
        probes = [f"{PROBE_PREFIX}{number}" for number in new] if with_probes else []
        by_hand.grow(self._service, count, probes, alike(self._service, servers[0].attrs))

    @speaking()
    def stop(self, replica: Replica) -> None:
        """Stop it as gracefully as it can, and remove it and the probe beside it."""
        with contextlib.suppress(docker.errors.NotFound):
            RunningBox(self._client.containers.get(replica.id)).stop()
        labels = [f"{_PROJECT}={self._project}", f"{_SERVICE}={PROBE_PREFIX}{replica.number}"]
        for probe in self._client.containers.list(all=True, filters={"label": labels}, ignore_removed=True):
            with contextlib.suppress(docker.errors.NotFound):
                probe.remove(v=True, force=True)


def _environment(attributes: dict[str, Any]) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in attributes["Config"]["Env"] or ())


def _replica(model: str, attributes: dict[str, Any]) -> Replica:
    host, state = attributes["HostConfig"], attributes["State"]
    number = int(attributes["Config"]["Labels"][_NUMBER])
    networks = attributes["NetworkSettings"]["Networks"].values()
    return Replica(
        id=attributes["Id"],
        number=number,
        name=f"{model}-{number}",
        address=next((str(one["IPAddress"]) for one in networks), ""),
        cpus=host["NanoCpus"] / 1e9 or None,
        memory_bytes=host["Memory"] or None,
        is_healthy=state.get("Health", {}).get("Status", "healthy") == "healthy",
    )


def counted(stats: dict[str, Any]) -> Counted | None:
    """Out of an answer of the engine's stats; None where the container has ended. Pure."""
    memory = stats.get("memory_stats", {})
    if "usage" not in memory:
        return None
    # Version 1 of control groups, whose own `inactive_file` leaves out the groups below; else version 2.
    kept = memory.get("stats", {})
    droppable = kept.get("total_inactive_file", kept.get("inactive_file", 0))
    at_s = datetime.fromisoformat(stats["read"]).timestamp()
    return Counted(at_s, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory["usage"] - droppable)


def waiting(tables: bytes) -> int | None:
    """How many connections wait at the servers' port, out of the kernel's tables one behind the other; None where
    nobody listens there. Pure."""
    head = b"  sl "
    found = [
        one.waiting
        for table in tables.split(head)[1:]
        for one in parse_listeners(head + table)[0]
        if one.port == SERVER_PORT
    ]
    return sum(found) if found else None


def alike(model: str, attributes: dict[str, Any]) -> dict[str, str]:
    """What docker-compose.yml has to be told for one more that is as this container. Pure."""
    host, environment = attributes["HostConfig"], _environment(attributes)
    return {
        # A port of its own has room for one container.
        "SERVER_PORT": "",
        "BACKEND": model,
        "SERVER_CPUS": f"{host['NanoCpus'] / 1e9:g}",
        "SERVER_MEMORY": str(host["Memory"]),
        **{name: environment.get(name, "") for name in _HANDED_ON if name in environment},
    }
