"""What runs in a trial, for no engine in particular: services with their limits, and who shares what with whom. Pure.

`system` makes these records out of a run and a trial; a renderer such as `compose` turns them into an engine's file.
Nothing here is a word of an engine's, and nothing is left for a renderer to guess: what a record does not say is not
done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from testbed.plan.scaling import Scaling
from testbed.stack.cpus import parse_cpu_list

RUN_LABEL = "threadmill.run"
TRIAL_LABEL = "threadmill.trial"
ROLE_LABEL = "threadmill.role"

# What a service is there for. `holder` does nothing but keep a network namespace for others; a `sidecar` takes what
# comes for a server; a `store` is read and written by servers, to a `broker` they send, and a `consumer` takes from it.
Role = Literal[
    "load master", "load worker", "holder", "server", "sidecar", "front", "store", "broker", "consumer", "probe"
]

DEFAULT_NETWORK = "default"


@dataclass(frozen=True)
class Limits:
    """What a service may use; None: no limit. Memory is without swap, and `tasks` are processes and threads."""

    cpus: float | None = None
    """CPU time per second of time."""
    processors: str | None = None
    """The CPUs it may run on, such as "0-1,4"."""
    memory_bytes: int | None = None
    tasks: int | None = None

    @property
    def usable_cpus(self) -> float | None:
        """How many CPUs it can use at once. None: all there are."""
        if self.cpus is not None:
            return self.cpus
        return None if self.processors is None else float(len(parse_cpu_list(self.processors)))


@dataclass(frozen=True)
class Mount:
    """A store, such as `load`, and the directory at which a service finds it. Where the store is, the renderer is told:
    the same stack may write to a directory of this machine or to a volume of a cluster."""

    store: str
    at: str


@dataclass(frozen=True)
class Service:
    """One container, or `copies` of it that are alike and that nothing tells apart.

    All are confined: a root file system that cannot be written to, no capability, no way to more privileges, no restart
    when they end, and a log that is bounded and never waited for.
    """

    name: str
    role: Role
    image: str
    user: str
    """`uid:gid`."""
    command: tuple[str, ...] = ()
    """Its arguments; empty: those of the image. The same of `entrypoint`, the program."""
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Names of variables of its environment whose values no file may hold: whoever starts the stack has them."""
    limits: Limits = Limits()
    network: str | None = DEFAULT_NETWORK
    """The network it is in, under its own name. None: in none but, where it is given, `in_network_of`."""
    aliases: tuple[str, ...] = ()
    """Further names under which that network finds it. Several services may have one in common."""
    further_networks: tuple[str, ...] = ()
    """Others that it is in, under its own name, so that it reaches what is in one of them alone."""
    in_network_of: str | None = None
    """The service whose network namespace it shares."""
    sees_processes_of: str | None = None
    """The service whose process namespace it shares. Of two that both have copies, each shares with one of the other.
    """
    listens: tuple[int, ...] = ()
    """Ports at which others in its network reach it, where the network has to be told."""
    published: tuple[int, ...] = ()
    """Ports that answer on the machine that starts the stack, for that machine alone, each at a free port of it."""
    mounts: tuple[Mount, ...] = ()
    scratch: tuple[str, ...] = ()
    """Directories it may write to, in memory, gone with it."""
    loads_from_scratch: bool = False
    """Whether it runs code that it has written there."""
    copies: int | None = None
    """None: this one alone, which others may share namespaces with."""
    changes: Scaling | None = None
    """What changes of it while it runs, where the engine is to see to that. None: nothing."""
    ends: bool = False
    """Whether it ends by itself, when its work is done."""
    kernel: Mapping[str, str] = field(default_factory=dict)
    """Settings of the kernel in its own network namespace."""
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    """None: the image's own."""
    after: tuple[str, ...] = ()
    """Services that have to run before it starts, such as those whose names it looks up."""
    joins_later: bool = False
    """Whether it is left for later when the others start."""
    checked_inside: bool = True
    """Whether the image's own health check may run in it."""


@dataclass(frozen=True)
class Network:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    spans_machines: bool = False
    """Whether services on different machines find each other in it."""


@dataclass(frozen=True)
class Stack:
    """All that runs at the same time, in the order in which it starts. ValueError where a service names what is not
    there."""

    project: str
    services: tuple[Service, ...]
    networks: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        names = [service.name for service in self.services]
        if len(set(names)) < len(names):
            raise ValueError(f"services of one name: {', '.join(names)}")
        for service in self.services:
            for other in (service.in_network_of, service.sees_processes_of):
                if other is not None and self.service(other).copies not in (None, service.copies):
                    raise ValueError(f"{service.name}: cannot share with {other}, of which there are copies")
            for other in service.after:
                self.service(other)
            if service.aliases and service.network is None:
                raise ValueError(f"{service.name}: an alias is a name in a network, and it is in none")
            if service.further_networks and service.network is None:
                raise ValueError(f"{service.name}: further networks without a first one")
            for name in (service.network, *service.further_networks):
                if name is not None and name not in {network.name for network in self.networks}:
                    raise ValueError(f"{service.name}: no network {name}")

    def service(self, name: str) -> Service:
        """ValueError where there is none of this name."""
        for service in self.services:
            if service.name == name:
                return service
        raise ValueError(f"no service {name}")

    def of_role(self, *roles: Role) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.role in roles)

    def publisher(self, port: int) -> Service:
        """The service by which this port is reached. ValueError where it is not published."""
        for service in self.services:
            if port in service.published:
                return service
        raise ValueError(f"port {port} is not published")
