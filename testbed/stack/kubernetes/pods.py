"""A service and those that share its namespaces, as the template of a pod. Pure.

Source: the Kubernetes API reference, PodSpec, and the restricted profile of the Pod Security Standards, which every pod
here keeps to.
"""

from collections.abc import Mapping
from typing import Any

from testbed.stack.kubernetes.amounts import cpus, memory, processors
from testbed.stack.services import Limits, Service, Stack

# What a kubelet lets a pod set unless its node says otherwise: the "safe" ones.
SAFE_KERNEL = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
)

NAME, PART_OF, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"

# For so long a server may take to listen: looked for once a second, and never again once it does.
_STARTS_WITHIN_S = 120
# So long for what has to run before. An image may have to be fetched first.
_WAITS_S = 600

# Arguments are NAME=COUNT: each name has to have so many addresses, which it has once so many containers are ready.
WAIT = f"""\
import socket, sys, time
def count(name):
    try:
        return len({{found[4][0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}})
    except OSError:
        return 0
for name, wanted in (word.split("=") for word in sys.argv[1:]):
    for left in range({_WAITS_S}, -1, -1):
        if count(name) >= int(wanted):
            break
        if not left:
            sys.exit(f"{{name}}: {{count(name)}} of {{wanted}} are there")
        time.sleep(1)
"""

_CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# Who measures and who is measured.
_LOAD, _MEASURED = ("load master", "load worker"), ("server", "front")


def labels(service: Service) -> dict[str, str]:
    """What its objects and pods carry."""
    return {
        NAME: service.name,
        PART_OF: "threadmill",
        COMPONENT: service.role.replace(" ", "-"),
        **service.labels,
    }


def companions(stack: Stack, service: Service) -> list[Service]:
    """Those that are in one pod with this one: they share its network and its processes.

    ValueError for one that shares only one of the two: containers of one pod share the network always.
    """
    found = []
    for other in stack.services:
        shared = (other.in_network_of, other.sees_processes_of)
        if service.name in shared:
            if shared != (service.name, service.name):
                raise ValueError(f"{other.name}: has to share both network and processes of {service.name}")
            found.append(other)
    return found


def pod(stack: Stack, service: Service, claims: Mapping[str, str], restart: str | None = None) -> dict[str, Any]:
    """The PodSpec. `claims`: the volume claim of each store. KeyError for a store without one."""
    beside = companions(stack, service)
    user, _, group = service.user.partition(":")
    context: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": int(user), "runAsGroup": int(group)}
    context["seccompProfile"] = {"type": "RuntimeDefault"}
    if service.mounts:
        context["fsGroup"] = int(group)
    if kernel := [{"name": name, "value": value} for name, value in service.kernel.items() if name in SAFE_KERNEL]:
        context["sysctls"] = kernel
    said: dict[str, Any] = {
        "restartPolicy": restart,
        # Variables for every service there is would come in between: Locust takes its options from such as well.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "shareProcessNamespace": bool(beside) or None,
        "securityContext": context,
        "affinity": _away_from(_MEASURED) if service.role in _LOAD else None,
        "initContainers": [_waiting(stack, service)] if service.after else None,
        "containers": [_container(one) for one in (service, *beside)],
        "volumes": _volumes(service, claims) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _container(service: Service) -> dict[str, Any]:
    said: dict[str, Any] = {
        "command": [_literal(word) for word in service.entrypoint],
        "args": [_literal(word) for word in service.command],
        "env": [{"name": name, "value": _literal(value)} for name, value in service.environment.items()],
        "ports": [{"containerPort": port} for port in service.listens],
        "resources": resources(service.limits),
        # From outside, and never again once it has answered: a check inside, or one that goes on, would be measured.
        "startupProbe": _startup(service.listens[0]) if service.role in _MEASURED and service.listens else {},
        "volumeMounts": [
            *({"name": mount.store, "mountPath": mount.at} for mount in service.mounts),
            *({"name": _scratch(at), "mountPath": at} for at in service.scratch),
        ],
    }
    head = {"name": service.name, "image": service.image, "imagePullPolicy": "IfNotPresent"}
    return {**head, **{name: value for name, value in said.items() if value}, "securityContext": _CONFINED}


def _literal(text: str) -> str:
    """Kubernetes puts variables in for `$(NAME)`."""
    return text.replace("$(", "$$(")


def resources(limits: Limits) -> dict[str, dict[str, str]]:
    """What it is given for sure is what it may use at most: so its pod is of the class Guaranteed."""
    quantity = {
        "cpu": cpus(limits.cpus) if limits.cpus is not None else processors(limits),
        "memory": None if limits.memory_bytes is None else memory(limits.memory_bytes),
    }
    said = {name: value for name, value in quantity.items() if value is not None}
    return {"requests": said, "limits": dict(said)} if said else {}


def _startup(port: int) -> dict[str, Any]:
    return {"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": _STARTS_WITHIN_S}


def _waiting(stack: Stack, service: Service) -> dict[str, Any]:
    """Waits until those that have to run before are there."""
    others = [stack.service(name) for name in service.after]
    return {
        "name": "wait",
        "image": service.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _literal(WAIT)],
        "args": [f"{other.name}={other.copies or 1}" for other in others],
        **({"resources": found} if (found := resources(service.limits)) else {}),
        "securityContext": _CONFINED,
    }


def _volumes(service: Service, claims: Mapping[str, str]) -> list[dict[str, Any]]:
    stores = [
        {"name": mount.store, "persistentVolumeClaim": {"claimName": claims[mount.store]}} for mount in service.mounts
    ]
    return [*stores, *({"name": _scratch(at), "emptyDir": {"medium": "Memory"}} for at in service.scratch)]


def _scratch(directory: str) -> str:
    """A volume's name, such as `tmp` of /tmp."""
    return directory.strip("/").replace("/", "-")


def _away_from(roles: tuple[str, ...]) -> dict[str, Any]:
    """On another node than pods of these roles, where there is one."""
    others = {"matchExpressions": [{"key": COMPONENT, "operator": "In", "values": list(roles)}]}
    term = {"labelSelector": others, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
