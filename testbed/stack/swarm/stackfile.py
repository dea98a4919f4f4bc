"""A stack as a Swarm stack file, for `docker stack deploy`. Pure.

Knows the Compose file format 3 as a Swarm reads it, and the records of `services`. What a Swarm has no word for is not
in it: processors and swap are set on the containers once they run, probes are plain containers beside them, and
`no-new-privileges` is lacking (`NOT_DONE`).
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

import yaml

from testbed.stack.services import ROLE_LABEL, Limits, Network, Service, Stack

# Which machine's user has started a run.
CALLER_LABEL = "threadmill.caller"
SERVICE_LABEL = "threadmill.service"

NodeRole = Literal["server", "load", "rest"]

NOT_DONE = ("no-new-privileges is not set: a Swarm's services have no word for it",)

_NODES: Mapping[str, NodeRole] = {
    "load master": "load",
    "load worker": "load",
    "server": "server",
    "front": "rest",
}

_CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "logging": {"driver": "json-file", "options": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}},
}


def node_role(service: Service) -> NodeRole:
    """On which nodes a service belongs. KeyError for one that a Swarm cannot have."""
    return _NODES[service.role]


def stack_name(project: str) -> str:
    """What the Swarm calls the stack of a project: short, since with a service's name it has to fit 63 characters."""
    return f"threadmill-{hashlib.sha256(project.encode()).hexdigest()[:10]}"


def volume_name(project: str, store: str) -> str:
    """The volume that a store is on each node."""
    return f"{stack_name(project)}_{store}"


def stack_file(
    stack: Stack, services: Collection[str], images: Mapping[str, str], roles: Mapping[NodeRole, NodeRole], caller: str
) -> dict[str, Any]:
    """The stack file with these services of the stack. `images`: by name, what the nodes are to run: the image's id,
    which no node can take another image for. `roles`: nodes of which label stand for each role. `caller`: whose run.

    KeyError for a service that a Swarm cannot have, or an image that is not among them.
    """
    wanted = [service for service in stack.services if service.name in services]
    used = {name for service in wanted for name in (service.network, *service.further_networks)}
    labels = next((dict(network.labels) for network in stack.networks), {})
    stores = dict.fromkeys(mount.store for service in wanted for mount in service.mounts)
    return {
        "version": "3.9",
        "services": {service.name: _service(service, images, roles, caller) for service in wanted},
        "networks": {network.name: _network(network, caller) for network in stack.networks if network.name in used},
        **({"volumes": {store: {"labels": labels} for store in stores}} if stores else {}),
    }


def text_of(stack_file: Mapping[str, Any]) -> str:
    """The stack file."""
    # Through JSON: what is the same object in two places would be an anchor and an alias.
    return yaml.dump(json.loads(json.dumps(stack_file)), Dumper=yaml.CSafeDumper, sort_keys=False)


def _network(network: Network, caller: str) -> dict[str, Any]:
    return {"driver": "overlay", "attachable": True, "labels": {**network.labels, CALLER_LABEL: caller}}


def _service(
    service: Service, images: Mapping[str, str], roles: Mapping[NodeRole, NodeRole], caller: str
) -> dict[str, Any]:
    assert service.network is not None
    labels = {**service.labels, SERVICE_LABEL: service.name}
    said: dict[str, Any] = {
        "entrypoint": list(service.entrypoint),
        "command": list(service.command),
        # `$NAME` would be a variable of the caller's.
        "environment": {name: value.replace("$", "$$") for name, value in service.environment.items()},
        "ports": [{"target": port, "protocol": "tcp", "mode": "host"} for port in service.published],
        "volumes": [
            *({"type": "volume", "source": one.store, "target": one.at} for one in service.mounts),
            # The short form `tmpfs:` is ignored without a word.
            *({"type": "tmpfs", "target": place} for place in service.scratch),
        ],
        "sysctls": dict(service.kernel),
        "stop_signal": service.stop_signal,
        "healthcheck": {} if service.checked_inside else {"disable": True},
    }
    return {
        **_CONFINED,
        "image": images[service.image],
        "user": service.user,
        # Which node a load worker is lost with is told by its name.
        "hostname": "{{.Node.Hostname}}-{{.Task.Slot}}" if service.copies else service.name,
        "labels": labels,
        **{name: value for name, value in said.items() if value},
        "networks": {
            service.network: {"aliases": [service.name, *service.aliases]},
            **dict.fromkeys(service.further_networks),
        },
        "deploy": {
            "replicas": service.copies or 1,
            "endpoint_mode": "dnsrr",
            "labels": {**labels, CALLER_LABEL: caller},
            "restart_policy": {"condition": "none"},
            "placement": {"constraints": [f"node.labels.{ROLE_LABEL} == {roles[node_role(service)]}"]},
            "resources": _resources(service.limits, reserves=service.role in ("server", "front")),
        },
    }


def _resources(limits: Limits, reserves: bool) -> dict[str, Any]:
    """What is measured is put where its limits are to be had."""
    amount = {
        "cpus": None if limits.cpus is None else f"{limits.cpus:g}",
        "memory": None if limits.memory_bytes is None else f"{limits.memory_bytes}b",
    }
    known = {name: value for name, value in amount.items() if value is not None}
    tasks = {} if limits.tasks is None else {"pids": limits.tasks}
    return {
        **({"limits": {**known, **tasks}} if known or tasks else {}),
        **({"reservations": known} if known and reserves else {}),
    }
