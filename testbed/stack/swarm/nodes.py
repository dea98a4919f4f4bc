"""The nodes of a Swarm: what each is there for, whether it can be used, and the engine of each, asked directly.

A manager places services, and tells little of containers; what runs on a node is looked at, pinned and probed through
that node's own engine. No container ever gets an engine's socket.
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import docker.errors
import requests
import urllib3
import yaml

from testbed.errors import EngineError, UserError
from testbed.stack.docker import client_of
from testbed.stack.services import ROLE_LABEL
from testbed.stack.speaking import speaking
from testbed.stack.swarm.stackfile import NodeRole

# A node that does not answer within this is as good as none.
ANSWER_S = 10.0
# Farther apart two clocks are not set by anybody, and may be set right in the middle of a run.
MOST_APART_S = 1.0
# The nearest of so many looks is the clock's.
_LOOKS = 5
_HELP = f"docker node update --label-add {ROLE_LABEL}=server NODE (server, load, rest)"

# What a client raises where nobody answers.
UNREACHABLE = (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True)
class Listed:
    """A node as the manager lists it."""

    id: str
    name: str
    address: str
    role: str
    """The label's value; empty without one."""
    state: str
    availability: str
    cpus: int
    memory_bytes: int


@dataclass(frozen=True)
class Clock:
    """By how much a node's clock is ahead of the caller's, and how far that can be off: half of the time that asking
    took."""

    ahead_s: float
    uncertain_s: float


@dataclass
class Node:
    """A node that is used, with a client of its own engine."""

    listed: Listed
    endpoint: str
    client: Any
    info: dict[str, Any]
    clock: Clock

    @property
    def name(self) -> str:
        return self.listed.name

    def answers(self) -> bool:
        """Whether its engine does, now."""
        try:
            self.client.ping()
        except UNREACHABLE:
            return False
        return True


def listed(attributes: Mapping[str, Any]) -> Listed:
    """Out of what the manager's API says of a node. Pure."""
    description, status = attributes["Description"], attributes["Status"]
    address = str(status.get("Addr") or "")
    if address in ("", "0.0.0.0", "127.0.0.1"):
        # A manager's own status does not always say it.
        address = str((attributes.get("ManagerStatus") or {}).get("Addr", "")).rpartition(":")[0]
    resources = description["Resources"]
    return Listed(
        id=attributes["ID"],
        name=description["Hostname"],
        address=address,
        role=str((attributes["Spec"].get("Labels") or {}).get(ROLE_LABEL, "")),
        state=status["State"],
        availability=attributes["Spec"]["Availability"],
        cpus=resources["NanoCPUs"] // 10**9,
        memory_bytes=resources["MemoryBytes"],
    )


def usable(nodes: Sequence[Listed]) -> dict[NodeRole, list[Listed]]:
    """The nodes by what they are there for, each in the order of their names. UserError, one line, where a role that is
    needed has none, and where one that is meant cannot be used. Pure."""
    found: dict[NodeRole, list[Listed]] = {"server": [], "load": [], "rest": []}
    for node in sorted(nodes, key=lambda one: one.name):
        if not node.role:
            continue
        if node.role not in found:
            raise UserError(
                f"node {node.name}: found the label {ROLE_LABEL}={node.role}, allowed: server, load or rest"
            )
        if node.state != "ready" or node.availability != "active":
            what = node.state if node.state != "ready" else f"set to {node.availability}"
            raise UserError(
                f"node {node.name}, of {ROLE_LABEL}={node.role}, is {what}; bring it back, or take its label away: "
                f"docker node update --label-rm {ROLE_LABEL} {node.name}"
            )
        found[node.role].append(node)
    for role in ("server", "load"):
        if not found[role]:
            raise UserError(f"no node of this Swarm has the label {ROLE_LABEL}={role}; run: {_HELP}")
    names = [node.name for nodes_of_role in found.values() for node in nodes_of_role]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"two nodes are called {twice}: give each machine a host name of its own")
    return found


def standing_in(found: Mapping[NodeRole, Sequence[Listed]]) -> dict[NodeRole, NodeRole]:
    """The label of the nodes that take each role: without nodes for the rest, that runs beside the servers. Pure."""
    return {"server": "server", "load": "load", "rest": "rest" if found["rest"] else "server"}


# --- endpoints ---

_ENDPOINT = re.compile(r"(unix|tcp|ssh|http|https)://\S+")


def read_endpoints(path: Path) -> dict[str, str]:
    """The engines' endpoints by node, out of a file of the form `nodes: {NAME: ENDPOINT}`. UserError, one line."""
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; --nodes names a file such as `nodes: {{n1: ssh://n1}}`") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    nodes = said.get("nodes") if isinstance(said, dict) and set(said) == {"nodes"} else None
    if not isinstance(nodes, dict) or not nodes:
        raise UserError(f"{path}: found {said!r}, allowed: `nodes:` and under it NAME: ENDPOINT for each node")
    for name, endpoint in nodes.items():
        if not isinstance(name, str) or not isinstance(endpoint, str) or not _ENDPOINT.fullmatch(endpoint):
            raise UserError(
                f"{path}: nodes.{name}: found {endpoint!r}, allowed: an engine's endpoint, such as ssh://user@host or "
                "unix:///path/docker.sock"
            )
    return dict(nodes)


def context_endpoint(name: str) -> str | None:
    """The endpoint of the Docker context of this name; None where there is none."""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_S)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def connect(node: Listed, endpoint: str | None) -> Node:
    """The node, reached. UserError, one line, where its engine has no endpoint, does not answer, is another machine's,
    or has a clock that is far off."""
    if endpoint is None:
        raise UserError(
            f"node {node.name}: no endpoint of its engine is known; allowed: a Docker context called {node.name}, or "
            f"--nodes FILE with `nodes: {{{node.name}: ssh://{node.name}}}`"
        )
    try:
        client = client_of(endpoint)
        info = client.info()
    except UNREACHABLE as error:
        raise UserError(f"node {node.name}: its engine does not answer at {endpoint}: {_first(error)}") from None
    if (its_id := (info.get("Swarm") or {}).get("NodeID")) != node.id:
        whose = f"the engine of {info.get('Name')}" if its_id else f"{info.get('Name')}, which is in no Swarm"
        raise UserError(f"node {node.name}: the endpoint {endpoint} is {whose}, not of {node.name}")
    clock = clock_of(lambda: client.info()["SystemTime"])
    if abs(clock.ahead_s) > MOST_APART_S:
        way = "ahead of" if clock.ahead_s > 0 else "behind"
        raise UserError(
            f"node {node.name}: its clock is {abs(clock.ahead_s):.1f} s {way} this machine's, allowed: "
            f"{MOST_APART_S:g} s; set the clocks by NTP"
        )
    return Node(node, endpoint, client, info, clock)


def _first(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


# --- clocks ---


def clock_of(ask: Callable[[], str], now: Callable[[], float] = time.time) -> Clock:
    """How a clock differs that is asked for its time, in RFC 3339: the nearest of several looks, as in Cristian's
    algorithm (Probabilistic clock synchronization, Distributed Computing 3, 1989)."""
    looks: list[Clock] = []
    for _ in range(_LOOKS):
        before = now()
        said = seconds_of(ask())
        after = now()
        looks.append(Clock(ahead_s=said - (before + after) / 2, uncertain_s=(after - before) / 2))
    return min(looks, key=lambda look: look.uncertain_s)


def seconds_of(time_said: str) -> float:
    """Seconds since 1970 of a time with up to nine digits of a second. ValueError for something else."""
    matched = re.fullmatch(r"(.+?)(\.\d+)?(Z|[+-]\d\d:\d\d)", time_said)
    if matched is None:
        raise ValueError(f"no time: {time_said!r}")
    whole = datetime.fromisoformat(matched[1] + matched[3].replace("Z", "+00:00"))
    return whole.timestamp() + float(matched[2] or 0)


@contextlib.contextmanager
def speaking_to(node: Node) -> Iterator[None]:
    """As `speaking`, around what asks a node's engine: EngineError and EngineGone name the node."""
    try:
        with speaking():
            yield
    except EngineError as error:
        raise type(error)(f"node {node.name}: {error}") from error
