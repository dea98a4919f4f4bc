"""The fronts, one row each: what stands before the replicas and hands each connection to one of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from testbed.names import front_image
from testbed.parts import envoy, haproxy, haproxy_http, nginx, nginx_cache, varnish
from testbed.parts.asking import Address
from testbed.parts.counts import FrontCounts
from testbed.plan.axes.front import API_KEY
from testbed.plan.cell import Cell
from testbed.plan.fitting import FRONT_MEMORY_BYTES
from testbed.plan.pools import serving_slots
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import Trial
from testbed.stack import needs, server_services
from testbed.stack.load_services import LOAD_KERNEL
from testbed.stack.run import Run, network_of, trial_labels
from testbed.stack.services import Limits, Service

NAME = "front"

# A name that is new gets from node to node of a cluster within a second or two.
_NAMES_TIMEOUT_S = 10


class Client(Protocol):
    """Asks a running front."""

    def read(self) -> FrontCounts:
        """Its counts now. An OSError, one line, where it does not answer."""


@dataclass(frozen=True)
class Front:
    """One kind of front. `counters` is the port at which it tells what it has counted, `client` what asks there."""

    name: str
    counters: int
    client: Callable[[Address], Client]
    takes_servers: bool
    """Whether it can be told of servers while it runs."""
    follows_a_name: bool
    """Whether it looks the servers' name up again and again, and so knows those that come and go."""
    command: str
    """What stands in the command line of its first process."""
    pages: tuple[int, ...] = ()
    """Further ports that a person may look at."""
    tasks: int = 256
    """Processes and threads at most."""
    loads_code: bool = False
    """Whether it loads what it has compiled itself."""


FRONTS: Mapping[str, Front] = {
    front.name: front
    for front in (
        Front(
            "haproxy",
            haproxy.COUNTERS_PORT,
            haproxy.HAProxy,
            takes_servers=True,
            follows_a_name=True,
            command="haproxy",
            pages=(haproxy.PAGE_PORT,),
        ),
        Front("nginx", nginx.COUNTERS_PORT, nginx.Nginx, takes_servers=False, follows_a_name=False, command="nginx"),
        Front(
            "nginx-cache",
            nginx_cache.COUNTERS_PORT,
            nginx_cache.NginxCache,
            takes_servers=False,
            follows_a_name=False,
            command="nginx",
        ),
        # It has a thread for each request to a server and for each client that waits for one.
        Front(
            "varnish",
            varnish.COUNTERS_PORT,
            varnish.Varnish,
            takes_servers=False,
            follows_a_name=False,
            command="varnishd",
            tasks=1024,
            loads_code=True,
        ),
        Front(
            "haproxy-http",
            haproxy.COUNTERS_PORT,
            haproxy_http.HAProxyHttp,
            takes_servers=False,
            follows_a_name=True,
            command="haproxy",
            pages=(haproxy.PAGE_PORT,),
        ),
        Front("envoy", envoy.COUNTERS_PORT, envoy.Envoy, takes_servers=False, follows_a_name=True, command="envoy"),
    )
}


def names(cell: Cell) -> tuple[str, ...]:
    """What the containers of a cell's fronts are called; empty without one of its own."""
    if not cell.is_proxied:
        return ()
    return (NAME,) if cell.fronts == 1 else tuple(f"{NAME}-{place + 1}" for place in range(cell.fronts))


def services(run: Run, trial: Trial, servers: Sequence[Service]) -> tuple[Service, ...]:
    """Every front of the trial, all alike; their one name for the load has the addresses of all. Errors as below."""
    names_of_all = names(trial.cell)
    return tuple(replace(service(run, trial, servers), name=name) for name in names_of_all)


def service(run: Run, trial: Trial, servers: Sequence[Service]) -> Service:
    """The container of a front of the trial before these servers, under the name of their model for the load.

    KeyError where the trial's front is no container of its own; ValueError where servers are to join later and this
    front cannot be told of them.
    """
    cell = trial.cell
    front = FRONTS[cell.front]
    there = tuple(one.name for one in servers if not one.joins_later)
    later = tuple(one.name for one in servers if one.joins_later)
    if later and not front.takes_servers:
        raise ValueError(f"{front.name} cannot be told of servers while it runs: {', '.join(later)}")
    return Service(
        name=NAME,
        role="front",
        image=run.image(front_image(front.name)),
        user=run.user,
        environment=environment(cell, there, later),
        limits=limits(run, cell, len(servers)),
        network=network_of(cell),
        aliases=(cell.model,),
        published=(front.counters, *front.pages),
        scratch=("/tmp",),
        loads_from_scratch=front.loads_code,
        # Its connections to the servers are those of a client: it closes them first, and their ports wait.
        kernel=LOAD_KERNEL,
        labels=trial_labels(run, trial),
        after=there,
    )


def environment(cell: Cell, there: Sequence[str], later: Sequence[str] = ()) -> dict[str, str]:
    """What the front is told: the names of the servers that are there and of those that may join."""
    slots = serving_slots(cell) if cell.queue == "front" else None
    told = {
        # A service is found by its own name, which its path has as well.
        "SERVERS": " ".join(service_cells(cell) or there),
        "SPARE_SERVERS": " ".join(later),
        "BALANCE": cell.balance,
        # In their queue or in its own: with as many as a server serves at once, nobody waits behind another there.
        "SERVER_MAXCONN": str(slots or 0),
        "SERVICES_MAXCONN": " ".join(str(serving_slots(one) or 0) for one in service_cells(cell).values()),
        "THREADS": str(math.ceil(cell.front_cpus)),
        "MAXCONN": str(max(needs.LEAST_CONNECTIONS, needs.connections(cell))),
        "NAMES_TIMEOUT": str(_NAMES_TIMEOUT_S),
        "CACHE": "on" if cell.front == "nginx-cache" else "",
        "HTTP": "on" if cell.front == "haproxy-http" else "",
        **_mesh(cell),
        "ROUTES": "on" if cell.has_services else "",
        "RATE_LIMIT": f"{cell.rate_limit_rps:.12g}" if cell.rate_limit_rps else "",
        "API_KEY": API_KEY if cell.auth == "key" else "",
    }
    return {name: value for name, value in told.items() if value}


def _mesh(cell: Cell) -> dict[str, str]:
    """What it does about servers that fail; nothing but for a front that can."""
    told = {
        "TRY_TIMEOUT_MS": math.ceil(cell.front_timeout_us / 1000),
        "RETRIES": cell.retries,
        "BREAKER": cell.breaker,
        "EJECT": cell.eject,
        "EJECT_FOR_MS": math.ceil(cell.eject_for_us / 1000),
    }
    return {name: str(value) for name, value in told.items() if value}


def limits(run: Run, cell: Cell, servers: int) -> Limits:
    """A quota, always: a fraction of a processor is enough for it."""
    return Limits(
        cell.front_cpus,
        server_services.beside_servers(run, cell, servers),
        FRONT_MEMORY_BYTES,
        FRONTS[cell.front].tasks,
    )
