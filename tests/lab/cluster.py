"""Engines of the tests' own in one Docker Swarm. The first manages it; each is a node under its own host name."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.lab.engines import LabEngine, engines
from tests.waiting import wait_until

ROLE_LABEL = "threadmill.role"
# Of the nodes of a swarm, in their order.
ROLES = ("load", "server", "load")
READY_TIMEOUT_S = 90.0
# A worker that asked while its manager could not be reached does so for ever.
JOIN_TIMEOUT_S = 30
PORT = 2377


class Cluster:
    """These engines as the nodes of one swarm, with what may be done to it from outside."""

    def __init__(self, nodes: Sequence[LabEngine], roles: Sequence[str]) -> None:
        self.nodes = list(nodes)
        self.roles = {node.name: role for node, role in zip(nodes, roles, strict=True)}

    @property
    def manager(self) -> LabEngine:
        return self.nodes[0]

    @property
    def environment(self) -> dict[str, str]:
        """In which `docker` and orchestrate.py speak to the manager."""
        return self.manager.environment

    def begin(self) -> None:
        """Make the first a manager, let the others join, label them, and return once all are ready."""
        self.manager.docker("swarm", "init", "--advertise-addr", self.manager.address)
        for node in self.nodes[1:]:
            self.join(node)
        self.wait_until_ready()
        for node in self.nodes:
            self.label(node, self.roles[node.name])

    def join(self, node: LabEngine) -> None:
        """Let it join, once more if it cannot at the first time."""
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker").strip()
        command = ["docker", "--host", node.host, "swarm", "join", "--advertise-addr", node.address]
        command += ["--token", token, f"{self.manager.address}:{PORT}"]
        for last in (False, True):
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run(command, capture_output=True, text=True, timeout=JOIN_TIMEOUT_S, check=False)
                if done.returncode == 0:
                    return
                assert not last, f"{node.name} cannot join: {done.stderr}"
            node.docker("swarm", "leave", "--force")
        raise AssertionError(f"{node.name} cannot join within {JOIN_TIMEOUT_S} s")

    def rejoin(self, node: LabEngine) -> None:
        """As if it had never been there."""
        node.docker("swarm", "leave", "--force")
        self.manager.docker("node", "rm", "--force", node.name)
        self.join(node)

    def described(self, node: LabEngine) -> dict[str, Any]:
        """The manager's record of it."""
        (record,) = json.loads(self.manager.docker("node", "inspect", node.name))
        return dict(record)

    def state(self, node: LabEngine) -> str:
        """`ready` or `down`, as far as the manager knows."""
        return str(self.described(node)["Status"]["State"])

    def wait_for_state(self, node: LabEngine, state: str) -> None:
        wait_until(lambda: self.state(node) == state, f"{node.name} is {state}", READY_TIMEOUT_S)

    def wait_until_ready(self) -> None:
        for node in self.nodes:
            self.wait_for_state(node, "ready")

    def label(self, node: LabEngine, role: str | None) -> None:
        """Give it this role; None: none."""
        change = ("--label-rm", ROLE_LABEL) if role is None else ("--label-add", f"{ROLE_LABEL}={role}")
        if role is not None or ROLE_LABEL in self.described(node)["Spec"]["Labels"]:
            self.manager.docker("node", "update", *change, node.name)

    def availability(self, node: LabEngine, word: str) -> None:
        """`active`, `pause` or `drain`."""
        self.manager.docker("node", "update", "--availability", word, node.name)

    def nodes_file(self, directory: Path, **instead: str | None) -> Path:
        """Write what the product has to be told of the nodes: where the engine of each is. None leaves one out."""
        endpoints: Mapping[str, str | None] = {node.name: node.host for node in self.nodes} | instead
        path = directory / "nodes.yaml"
        path.write_text(yaml.safe_dump({"nodes": {name: host for name, host in endpoints.items() if host}}))
        return path

    def left(self) -> dict[str, list[str]]:
        """What there is on each node but the node itself, by its name; nodes without anything are not in it."""
        found = {node.name: _on(node) for node in self.nodes}
        services = self.manager.docker("service", "ls", "--format", "service {{.Name}}")
        for kind in ("config", "secret"):
            services += self.manager.docker(kind, "ls", "--format", kind + " {{.Name}}")
        found[self.manager.name] += services.splitlines()
        return {name: things for name, things in found.items() if things}

    def restore(self) -> None:
        """Every node answers again, is ready, and has the role that it had."""
        for node in self.nodes:
            if not node.answers():
                node.kill()
                node.start()
        for node in self.nodes:
            try:
                self.wait_for_state(node, "ready")
            except AssertionError:
                self.rejoin(node)
                self.wait_for_state(node, "ready")
            self.availability(node, "active")
            self.label(node, self.roles[node.name])

    def empty(self) -> None:
        """Remove what is there, whosever it is."""
        if services := self.manager.docker("service", "ls", "--quiet").split():
            self.manager.docker("service", "rm", *services)
        for node in self.nodes:
            if containers := node.containers():
                # A task's may go by itself meanwhile.
                with contextlib.suppress(AssertionError):
                    node.docker("rm", "--force", "--volumes", *containers)
            wait_until(lambda node=node: not node.containers(), f"{node.name} has no container", 60)
        for node in self.nodes:  # the manager first: what it removes goes everywhere
            for kind, names in (("network", node.networks()), ("volume", node.volumes())):
                for name in names:
                    with contextlib.suppress(AssertionError):
                        node.docker(kind, "rm", name)
        for kind in ("config", "secret"):
            if names := self.manager.docker(kind, "ls", "--quiet").split():
                self.manager.docker(kind, "rm", *names)


def _on(node: LabEngine) -> list[str]:
    things = {"container": node.containers(), "network": node.networks(), "volume": node.volumes()}
    return [f"{kind} {name}" for kind, names in things.items() for name in names]


@contextmanager
def swarm(roles: Sequence[str] = ROLES) -> Iterator[Cluster]:
    """A swarm of an engine for each of these roles, ready; nothing of it is left after the block."""
    with engines(len(roles)) as made:
        cluster = Cluster(made, roles)
        cluster.begin()
        yield cluster
