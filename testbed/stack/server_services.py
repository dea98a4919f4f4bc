"""The servers under test as services: what each is called, where it runs, and how its limits are enforced. Pure."""

import math

from testbed.plan.cell import Cell
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import Trial
from testbed.stack import face, needs
from testbed.stack.cpus import format_cpu_list, parse_cpu_list
from testbed.stack.naming import HOLDER
from testbed.stack.run import Run, network_of, trial_labels
from testbed.stack.services import Limits, Service

# How many containers there may be over the time for each replica of the most there may be at once.
LIVES = 3


def server_limits(run: Run, cell: Cell, place: int = 0) -> Limits:
    """How the cell's limits are enforced on the replica at this place, from 0; that of CPUs by a quota within the
    servers' processors, by processors of its own, or by both."""
    cpus, memory_bytes, tasks = cell.cpus_of_each, cell.memory_bytes, needs.tasks_limit(cell)
    if cell.limit == "quota":
        return Limits(cpus, run.cpu_sets.server, memory_bytes, tasks)
    each = math.ceil(cpus)
    every = parse_cpu_list(run.cpu_sets.server or f"0-{each * cell.replicas - 1}")
    processors = every[place * each : (place + 1) * each] or every[:each]
    return Limits(cpus if cell.limit == "both" else None, format_cpu_list(processors), memory_bytes, tasks)


def beside_servers(run: Run, cell: Cell, servers: int) -> str | None:
    """The processors of what stands before or behind so many servers: those of the servers' set, and of that what they
    leave where each has its own."""
    processors = run.cpu_sets.server
    if cell.limit == "quota" or processors is None:
        return processors
    taken = math.ceil(cell.cpus_of_each) * servers
    return format_cpu_list(parse_cpu_list(processors)[taken:]) or processors


def server_names(cell: Cell) -> tuple[str, ...]:
    """The services of the servers, those that may join included: after the model where there is but one and nothing
    before it, else numbered."""
    if cell.is_single:
        return (cell.model,)
    if parts := service_cells(cell):
        return tuple(f"{one.model}-{place + 1}" for place, one in enumerate(parts.values()))
    # A container that was taken out does not come back: what it has counted is its own. Its place takes another.
    count = cell.replicas if cell.most_replicas == cell.replicas else cell.most_replicas * LIVES
    return tuple(f"{cell.model}-{n + 1}" for n in range(count))


def cell_of(cell: Cell, name: str) -> Cell:
    """What the server of this name is: of several services its own, else the cell."""
    return dict(zip(server_names(cell), service_cells(cell).values(), strict=False)).get(name, cell)


def servers(run: Run, trial: Trial) -> tuple[Service, ...]:
    """The servers under test with their limits, and nothing else inside their containers.

    All are alike. With `front: dns` the model's name is that of all of them, and has all their addresses.
    """
    cell = trial.cell
    shares = cell.network == "shared"
    return tuple(
        Service(
            name=name,
            role="server",
            image=run.server_image(cell_of(cell, name)),
            user=run.user,
            environment={
                "WORKERS": str(cell_of(cell, name).workers or 1),
                "THREADS": str(cell_of(cell, name).threads or 1),
                **needs.environment(cell),
                **face.of_server(cell),
            },
            limits=server_limits(run, cell_of(cell, name), place),
            network=network_of(cell),
            aliases=_aliases(cell, place),
            in_network_of=HOLDER if shares else None,
            labels=trial_labels(run, trial),
            # Readiness is a real echo from outside: a check inside would spend the limit that is being measured.
            checked_inside=False,
            joins_later=not cell.has_services and place >= cell.replicas,
        )
        for place, name in enumerate(server_names(cell))
    )


def _aliases(cell: Cell, place: int) -> tuple[str, ...]:
    """What else the server at this place is called in its network: by its service, or as all of them."""
    if cell.has_services:
        return (tuple(service_cells(cell))[place],)
    return (cell.model,) if cell.front == "dns" else ()
