"""A stack as a Compose file: the whole experiment in one file that starts that very trial again. Pure.

Knows Compose and the records of `services`, and nothing of what they are for.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from testbed.stack.services import DEFAULT_NETWORK, Limits, Network, Service, Stack

_CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges=true"],
    "restart": "no",
    # Bounded, and never a reason for a process to wait: what the log driver cannot take at once is dropped.
    "logging": {"driver": "json-file", "options": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}},
}


def project(stack: Stack, stores: Mapping[str, str]) -> dict[str, Any]:
    """The Compose project. `stores`: where each store that is mounted is, relative to the file this is written to.

    KeyError for a store that is not among them; ValueError where one shares with another's copies, which it cannot say.
    """
    for service in stack.services:
        for other in (service.in_network_of, service.sees_processes_of):
            if other is not None and stack.service(other).copies is not None:
                raise ValueError(f"{service.name}: shares with {other}, of which there are copies")
    return {
        "name": stack.project,
        "services": {service.name: _service(service, stores) for service in stack.services},
        "networks": {network.name: _described(network) for network in stack.networks},
    }


def compose_text(project: dict[str, Any]) -> str:
    """The Compose file."""
    return yaml.dump(project, Dumper=yaml.CSafeDumper, sort_keys=False)


def _service(service: Service, stores: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "entrypoint": list(service.entrypoint),
        "command": list(service.command),
        "environment": {**_literal(service.environment), **{name: _from_outside(name) for name in service.secrets}},
        "ports": [f"127.0.0.1::{port}" for port in service.published],
        "volumes": [{"type": "bind", "source": stores[one.store], "target": one.at} for one in service.mounts],
        # The engine lets no code be run from there, unless it is told.
        "tmpfs": [f"{place}:exec" if service.loads_from_scratch else place for place in service.scratch],
        "sysctls": dict(service.kernel),
        "labels": dict(service.labels),
        "stop_signal": service.stop_signal,
        "scale": service.copies,
        "healthcheck": {} if service.checked_inside else {"disable": True},
        "depends_on": list(service.after),
        "pid": service.sees_processes_of and f"service:{service.sees_processes_of}",
    }
    return {
        **_CONFINED,
        "image": service.image,
        "user": service.user,
        **_limits(service.limits),
        **_network(service),
        **{name: value for name, value in said.items() if value},
    }


def _literal(environment: Mapping[str, str]) -> dict[str, str]:
    """Compose puts variables in for `$NAME`."""
    return {name: value.replace("$", "$$") for name, value in environment.items()}


def _from_outside(name: str) -> str:
    """What Compose puts in from the environment of who runs it."""
    return f"${{{name}:?has to be set: any word, the same for all}}"


def _described(network: Network) -> dict[str, Any]:
    spanning = {"driver": "overlay", "attachable": True} if network.spans_machines else {}
    return {**spanning, "labels": dict(network.labels)}


def _limits(limits: Limits) -> dict[str, Any]:
    said = {
        "cpus": limits.cpus,
        "cpuset": limits.processors,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # the same again: no swap
        "pids_limit": limits.tasks,
    }
    return {name: value for name, value in said.items() if value is not None}


def _network(service: Service) -> dict[str, Any]:
    if service.in_network_of is not None:
        return {"network_mode": f"service:{service.in_network_of}"}
    if service.network is None:
        return {"network_mode": "none"}
    if service.aliases or service.further_networks:
        first = {"aliases": list(service.aliases)} if service.aliases else None
        return {"networks": {service.network: first, **dict.fromkeys(service.further_networks)}}
    return {} if service.network == DEFAULT_NETWORK else {"networks": [service.network]}
