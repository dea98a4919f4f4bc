"""What a trial's containers need together, held against the machine and against each other. Pure.

Each value of a sweep file may be right by itself and a combination of them still be none that can run.
"""

from collections.abc import Callable

from testbed.plan import cells, fault_values, scaling, scaling_fit, services
from testbed.plan.behind import NONE
from testbed.plan.behind_values import label
from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.plan.fields import GATEWAYS, MIN_CPUS, PROXIES, Machine
from testbed.plan.scaling import Change
from testbed.plan.schema import Sweep
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import SEARCHES
from testbed.units import format_bytes

# What a front of its own and each sidecar may use of memory. It is no axis: none came near it.
FRONT_MEMORY_BYTES = 256 * 2**20
SIDECAR_MEMORY_BYTES = 192 * 2**20


def misfit(sweep: Sweep, machine: Machine) -> tuple[str, str]:
    """The key of the first combination that cannot run, and what is found and allowed; both empty when all can."""
    for cell in cells.cells(sweep):
        for key, check in _CHECKS:
            if said := check(cell, machine):
                return key, said
    return "", ""


def _combination(cell: Cell) -> str:
    return f"{cell.replicas} replicas with front {cell.front}"


def _spread(cell: Cell, _: Machine) -> str:
    if cell.replicas == 1 or cell.front != "none":
        return ""
    return (
        f"found {_combination(cell)}, allowed: front dns, {', '.join(PROXIES[:-1])} or {PROXIES[-1]} beside several "
        "(without one nothing spreads the load), or leave the combination out by exclude"
    )


# Why a kind of network can be lacking.
_WITHOUT = {
    "bridge": "a bridge is of one machine, and a Swarm has several",
    "shared": "a network namespace is of one machine, and a Swarm has several",
    "overlay": "an overlay needs an engine that manages a Swarm: `docker swarm init`",
}


def _network(cell: Cell, machine: Machine) -> str:
    if cell.network not in machine.networks:
        return f"found {cell.network}, allowed: {', '.join(machine.networks)} ({_WITHOUT[cell.network]})"
    if cell.network != "shared" or cell.is_single:
        return ""
    return (
        f"found shared and {_combination(cell)}, allowed: {machine.networks[0]} (in one network namespace only one can "
        "listen on the port), or leave the combination out by exclude"
    )


def _behind(cell: Cell, machine: Machine) -> str:
    if cell.behind == NONE or "bridge" in machine.networks:
        return ""
    return (
        f"found {label(cell.behind)}, allowed: none on a Swarm (what stands behind servers is asked at ports that "
        "answer on the machine of one engine), or leave the combination out by exclude"
    )


def _items(cell: Cell, _: Machine) -> str:
    """What is got is read, by its key."""
    stands = cell.what_is_behind
    if cell.method != "get" or stands is None:
        return ""
    leave = "or leave the combination out by exclude"
    if stands.kind != "store":
        return f"found get and {label(cell.behind)}, allowed: post (a message is sent once, and no item), {leave}"
    if cell.reads == 1 and not cell.scans:
        return ""
    return (
        f"found get with reads {cell.reads:g} and scans {cell.scans:g}, allowed: reads 1 and scans 0 (an item is read "
        f"by its key, and never written), {leave}"
    )


def _http(cell: Cell, machine: Machine) -> str:
    if not cell.by_request:
        return ""
    leave = "or leave the combination out by exclude"
    if cell.protocol != "http":
        return (
            f"found {cell.front} and protocol {cell.protocol}, allowed: protocol http (a line is nothing that it could "
            f"read), {leave}"
        )
    if cell.front == "varnish" and "bridge" not in machine.networks:
        return f"found varnish, allowed: none on a Swarm (it runs code from memory, which a Swarm forbids), {leave}"
    if cell.fronts > 1 and "bridge" not in machine.networks:
        return f"found {cell.fronts} fronts, allowed: 1 on a Swarm (several were never measured there), {leave}"
    if cell.front == "varnish" and cell.balance != "roundrobin":
        return f"found varnish and balance {cell.balance}, allowed: roundrobin (it has no other here), {leave}"
    return ""


def _sidecar(cell: Cell, machine: Machine) -> str:
    if cell.sidecar == NO_SIDECAR:
        return ""
    leave = "or leave the combination out by exclude"
    if cell.protocol != "http":
        return (
            f"found {cell.sidecar} and protocol {cell.protocol}, allowed: protocol http (a line is nothing that it "
            f"could read), {leave}"
        )
    if "bridge" not in machine.networks:
        return (
            f"found {cell.sidecar}, allowed: none on a Swarm (there nothing shares a server's network namespace), "
            f"{leave}"
        )
    if cell.network == "shared":
        return f"found {cell.sidecar} and network shared, allowed: bridge (its ports are the load's there), {leave}"
    if cell.scaling != scaling.NONE:
        return f"found {cell.sidecar} and scaling, allowed: scaling none (a replica that joins has no sidecar), {leave}"
    return ""


def _fault(cell: Cell, machine: Machine) -> str:
    is_swarm = "bridge" not in machine.networks
    return fault_values.misfit(cell.fault, cell.replicas, cell.scaling, cell.sidecar, is_swarm)


def _services(cell: Cell, machine: Machine) -> str:
    parts = service_cells(cell)
    if not parts:
        return ""
    leave = "or leave the combination out by exclude"
    for found, allowed in (
        (not cell.is_gateway and f"front {cell.front}", f"front {' or '.join(GATEWAYS)} (what knows paths)"),
        (cell.replicas > 1 and f"{cell.replicas} replicas", "1 replica (each service has one server)"),
        (cell.scaling != scaling.NONE and "scaling", "scaling none (each service has one server)"),
        (cell.sidecar != NO_SIDECAR and "sidecars", "sidecar none (they are of replicas)"),
        (cell.fault != NONE and "a fault", "fault none (it is of replicas)"),
        (cell.method == "get" and "method get", "method post (items have paths of their own)"),
        ("bridge" not in machine.networks and "a Swarm", "one engine"),
        (cell.mode in SEARCHES and f"mode {cell.mode}", "mode closed or open (which capacity would it be of?)"),
    ):
        if found:
            return f"found services with {found}, allowed: {allowed}, {leave}"
    stands = cell.what_is_behind
    reading = [one.name for one in services.of_text(cell.services) if one.reads]
    if reading and (stands is None or stands.kind != "store"):
        return f"found {reading[0]} that reads, allowed: with a store behind, {leave}"
    if stands is not None and stands.kind != "store":
        return f"found services with {label(cell.behind)}, allowed: a store or nothing behind, {leave}"
    small = [name for name, one in parts.items() if one.cpus < MIN_CPUS]
    if small:
        return f"found {parts[small[0]].cpus:.3g} CPUs for {small[0]}, allowed: at least {MIN_CPUS} for each"
    if cell.limit != "quota":
        return f"found services with limit {cell.limit}, allowed: quota, {leave}"
    return ""


def _least(cell: Cell, _: Machine) -> str:
    if cell.cpus_of_each >= MIN_CPUS:
        return ""
    return (
        f"found {cell.cpus:g} split into {cell.replicas}, {cell.cpus_of_each:.3g} for each, allowed: at least "
        f"{MIN_CPUS} for each"
    )


def _whole_processors(cell: Cell, _: Machine) -> str:
    if cell.limit != "cpuset" or cell.cpus_of_each == int(cell.cpus_of_each):
        return ""
    return (
        f"found cpuset and {cell.cpus_of_each:.3g} for each of {cell.replicas} replicas, allowed: whole cpus with "
        "limit cpuset (a processor cannot be divided)"
    )


def _cpus(cell: Cell, machine: Machine) -> str:
    if cpus_of_all(cell) <= machine.cpus + 1e-9:
        return ""
    front = f" and {cell.front_cpus:g} for {_fronts(cell)}" if cell.front_cpus else ""
    stands = cell.what_is_behind
    beside = f" and {cell.sidecar_cpus:g} for its sidecar" if cell.sidecar_cpus else ""
    behind = f" and {stands.part.cpus_of_all:.3g} for what is behind" if stands else ""
    return (
        f"found {cell.most_cpus_of_each:g}{beside} for each of {cell.most_replicas}{front}{behind}, "
        f"{cpus_of_all(cell):g} in all, allowed: at most the {machine.cpus} CPUs of this machine"
    )


def cpus_of_all(cell: Cell) -> float:
    """The CPU limits of the replicas, of what stands before them and behind, together, at any time at most."""
    stands = cell.what_is_behind
    beyond = stands.part.cpus_of_all if stands else 0.0
    of_each = cell.most_cpus_of_each + cell.sidecar_cpus
    servers = sum(one.cpus for one in service_cells(cell).values()) or of_each * cell.most_replicas
    return servers + cell.front_cpus * cell.fronts + beyond


def _fronts(cell: Cell) -> str:
    return "the front" if cell.fronts == 1 else f"each of {cell.fronts} fronts"


def _memory(cell: Cell, machine: Machine) -> str:
    fronts = FRONT_MEMORY_BYTES * cell.fronts if cell.is_proxied else 0
    stands = cell.what_is_behind
    beside = SIDECAR_MEMORY_BYTES if cell.sidecar != NO_SIDECAR else 0
    servers = len(service_cells(cell)) or cell.most_replicas
    of_all = (cell.most_memory_of_each + beside) * servers
    needed = of_all + fronts + (stands.part.memory_of_all if stands else 0)
    if needed <= machine.memory_bytes:
        return ""
    return (
        f"found {format_bytes(cell.most_memory_of_each)} for each of {servers}, {format_bytes(needed)} in "
        f"all, allowed: at most the {format_bytes(machine.memory_bytes)} of this machine"
    )


def _scaling(cell: Cell, _: Machine) -> str:
    start: dict[Change, float] = {
        "cpus": cell.cpus_of_each,
        "memory": cell.memory_bytes,
        "replicas": cell.replicas,
    }
    return scaling_fit.misfit_at_start(cell.scaling, start, cell.limit, cell.front)


_CHECKS: tuple[tuple[str, Callable[[Cell, Machine], str]], ...] = (
    ("replicas.count", _spread),
    ("network", _network),
    ("behind", _behind),
    ("workload.method", _items),
    ("front", _http),
    ("services", _services),
    ("sidecar", _sidecar),
    ("fault", _fault),
    ("replicas.count", _least),
    ("limits.limit", _whole_processors),
    ("scaling", _scaling),
    ("replicas.count", _cpus),
    ("replicas.count", _memory),
)
