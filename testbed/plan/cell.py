"""One combination of what a sweep varies, and what a trial of it is made of. Pure."""

from dataclasses import dataclass, fields

from testbed.names import behind_name, http_name
from testbed.plan import fault_values, scaling_fit, services
from testbed.plan.axes import BY_FIELD
from testbed.plan.behind import Behind
from testbed.plan.behind_values import of_text
from testbed.plan.fault import Fault
from testbed.plan.fields import GATEWAYS, OF_HTTP, PROXIES

NO_SIDECAR = "none"


@dataclass(frozen=True)
class Cell:
    """One combination of the axes. Its fields are the columns by which trials are compared; each stands in the table of
    axes, and here for its type."""

    model: str
    cpus: float
    memory_bytes: int
    limit: str
    workers: int
    threads: int
    switch_interval_us: int
    counter: str
    sleep_us: int
    spin_us: int
    hash_us: int
    payload_bytes: int
    connection: str
    protocol: str
    method: str
    cache_control: str
    think_us: int
    keys: int
    zipf: float
    reads: float
    scans: float
    value_bytes: int
    users: int
    spinners: int
    idle_holders: int
    mode: str
    rate_rps: float | None
    profile: str
    arrivals: str
    engine: str
    precise: bool
    network: str
    replicas: int
    replica_cpus: str
    front: str
    fronts: int
    front_cpus: float
    balance: str
    queue: str
    front_timeout_us: int
    retries: int
    breaker: int
    eject: int
    eject_for_us: int
    sidecar: str
    sidecar_cpus: float
    rate_limit_rps: float
    auth: str
    dns: str
    scaling: str
    behind: str
    fault: str
    services: str
    share: float | None = None
    """Of a search: the part of the rate it found that this trial is at. Repeats have the share in common, not the rate.
    """

    @property
    def cpus_of_each(self) -> float:
        """The CPU limit of one replica."""
        return self.cpus / self.replicas if self.replica_cpus == "split" else self.cpus

    @property
    def most_replicas(self) -> int:
        """How many there are at any time at most."""
        return int(scaling_fit.most(self.scaling, "replicas", self.replicas))

    @property
    def most_cpus_of_each(self) -> float:
        """The CPU limit of one replica, the greatest it has at any time."""
        return scaling_fit.most(self.scaling, "cpus", self.cpus_of_each)

    @property
    def most_memory_of_each(self) -> int:
        """Likewise its memory limit in bytes."""
        return int(scaling_fit.most(self.scaling, "memory", self.memory_bytes))

    @property
    def what_is_behind(self) -> Behind | None:
        """What the servers talk to; None where there is nothing."""
        return of_text(self.behind)

    @property
    def what_fails(self) -> Fault | None:
        """What goes wrong on purpose; None for nothing."""
        return fault_values.of_text(self.fault)

    @property
    def image(self) -> str:
        """The name of its servers' image: those that speak HTTP, or can talk to what is behind them, have others."""
        if self.protocol == "http":
            return http_name(self.model)
        return behind_name(self.model) if self.what_is_behind else self.model

    @property
    def is_proxied(self) -> bool:
        """Whether a container of its own stands before the replicas."""
        return self.front in PROXIES

    @property
    def by_request(self) -> bool:
        """Whether that container speaks HTTP: it hands on requests, over connections of its own."""
        return self.front in OF_HTTP

    @property
    def is_direct(self) -> bool:
        """Whether servers take the connections that clients make, or as many: nothing between them speaks HTTP."""
        return not self.by_request and self.sidecar == NO_SIDECAR

    @property
    def is_gateway(self) -> bool:
        """Whether that container looks at what a request is, and no cache."""
        return self.front in GATEWAYS

    @property
    def has_services(self) -> bool:
        """Whether there are several, each with a server and a path of its own."""
        return self.services != services.NONE

    @property
    def is_single(self) -> bool:
        """Whether the load goes straight to one server, by its own name."""
        return self.replicas == 1 and self.front == "none"


def _held_against_the_table() -> None:
    names = {field.name for field in fields(Cell)}
    if names != BY_FIELD.keys():
        raise TypeError(f"Cell and the table of axes differ in: {', '.join(sorted(names ^ BY_FIELD.keys()))}")


_held_against_the_table()
