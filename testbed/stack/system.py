"""What a run and its trials consist of: load generator, servers, and a probe beside each measured one. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.names import image_name
from testbed.plan import scaling
from testbed.plan.cell import Cell
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import Trial
from testbed.stack import face, needs
from testbed.stack.cpus import UNPINNED, CpuSets, format_cpu_list, parse_cpu_list
from testbed.stack.services import (
    DEFAULT_NETWORK,
    RUN_LABEL,
    TRIAL_LABEL,
    Limits,
    Mount,
    Network,
    Service,
    Stack,
)

SERVER_PORT = 8081
# Of a server whose sidecar has that one.
BEHIND_SIDECAR_PORT = 8082
WEB_PORT = 8089
# Where a front tells a person how it is doing.
FRONT_PAGE_PORT = 8404

# A connection per request leaves its port waiting for a minute: the load containers' own network name space
# gets all ports and may reuse them.
LOAD_KERNEL = {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"}

# In a namespace that server and load share, a client's own port may not be one that somebody listens on: the server's,
# the web page's, or those by which Locust's master and workers talk.
SHARED_KERNEL = {"net.ipv4.ip_local_reserved_ports": f"5557,5558,{SERVER_PORT},{WEB_PORT}"}
# The network that servers of each kind are in.
_NETWORKS = {"bridge": DEFAULT_NETWORK, "overlay": "overlay"}

# What the targets that are reached over loopback are called.
SHARED_SUFFIX = "-shared"

# How many containers there may be over the time for each replica of the most there may be at once.
LIVES = 3

MASTER = "locust"
WORKER = "worker"
HOLDER = "holder"
# Of a sidecar's service, after the name of its server.
SIDECAR_SUFFIX = "-sidecar"
# Of a probe's service, before the name of what it watches.
PROBE_PREFIX = "probe-"

# Where load and probe write, and where they find it.
LOAD_STORE = "load"
RESULTS = "/results/load"


@dataclass(frozen=True)
class Run:
    """What all trials of a sweep share. `user` is `uid:gid` of every container: load and probe write the results, and
    the probe may only look at processes of its own user. `cpu_sets` without sets pins nothing; `worker_cpus` limits
    each load worker; `images` stand in for ours, by name. `shared`: some trial's server is to share the load's network
    namespace, so a container that does nothing else holds it across all trials."""

    run_id: str
    project: str
    user: str
    workers: int
    cpu_sets: CpuSets = UNPINNED
    worker_cpus: float | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    networks: tuple[str, ...] = ("bridge",)
    """The kinds that servers are in which are not in the load's: `bridge`, `overlay`."""

    def image(self, name: str) -> str:
        """The image of a model, of `locust` or of `probe` in this run."""
        return self.images.get(name) or image_name(name)

    def server_image(self, cell: Cell) -> str:
        """The image of a cell's servers: what stands in for the model's does so whatever they speak."""
        return self.images.get(cell.image) or self.images.get(cell.model) or image_name(cell.image)


def target(cell: Cell) -> str:
    """What the load generator calls the server of this cell."""
    return f"{cell.model}{SHARED_SUFFIX}" if cell.network == "shared" else cell.model


def _targets(run: Run, models: Sequence[str]) -> dict[str, str]:
    """Every model under its own name and, where the namespace is shared, under a second one over loopback."""
    over_loopback = ",".join(f"{model}{SHARED_SUFFIX}=127.0.0.1:{SERVER_PORT}" for model in models)
    return {"TARGETS": ",".join(models), **({"TARGET_ADDRESSES": over_loopback} if run.shared else {})}


def load_services(run: Run, models: Sequence[str]) -> tuple[Service, ...]:
    """What is up across all trials: Locust's master, its API published, and its workers, which reach these models."""
    page = (WEB_PORT,)
    networks = {"network": None} if run.shared else _load_networks(run)
    holder = Service(
        name=HOLDER,
        role="holder",
        image=run.image("locust"),
        user=run.user,
        entrypoint=("sleep", "infinity"),
        limits=Limits(processors=run.cpu_sets.beside_load),
        **_load_networks(run),
        published=page,
        kernel=LOAD_KERNEL | SHARED_KERNEL,
        labels={RUN_LABEL: run.run_id},
        stop_signal="SIGKILL",
    )
    master = Service(
        name=MASTER,
        role="load master",
        image=run.image("locust"),
        user=run.user,
        command=("--master", "--web-port", str(WEB_PORT)),
        environment=_targets(run, models),
        limits=Limits(processors=run.cpu_sets.beside_load),
        **networks,
        in_network_of=HOLDER if run.shared else None,
        published=() if run.shared else page,
        mounts=(Mount(LOAD_STORE, RESULTS),),
        scratch=("/tmp",),
        kernel={} if run.shared else LOAD_KERNEL,
        labels={RUN_LABEL: run.run_id},
    )
    worker = Service(
        name=WORKER,
        role="load worker",
        image=run.image("locust"),
        user=run.user,
        command=("--worker", "--master-host", "127.0.0.1" if run.shared else MASTER),
        environment=_targets(run, models),
        limits=Limits(cpus=run.worker_cpus, processors=run.cpu_sets.generator),
        **networks,
        in_network_of=HOLDER if run.shared else None,
        mounts=(Mount(LOAD_STORE, RESULTS),),
        scratch=("/tmp",),
        copies=run.workers,
        kernel={} if run.shared else LOAD_KERNEL,
        labels={RUN_LABEL: run.run_id},
    )
    return (*([holder] if run.shared else []), master, worker)


def _load_networks(run: Run) -> dict[str, Any]:
    """Of what the load runs in: every network in which a server can be."""
    first, *further = (_NETWORKS[kind] for kind in run.networks)
    return {"network": first, "further_networks": tuple(further)}


def first_network(run: Run) -> str:
    """The one that the load's network namespace is in, too."""
    return _NETWORKS[run.networks[0]]


def network_of(cell: Cell) -> str | None:
    """The network that the cell's servers are in; None where they are in the load's namespace."""
    return None if cell.network == "shared" else _NETWORKS[cell.network]


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
            labels=labels(run, trial),
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


def labels(run: Run, trial: Trial) -> dict[str, str]:
    """Of what is made for one trial and goes with it."""
    return {RUN_LABEL: run.run_id, TRIAL_LABEL: trial.trial_id}


def probe(run: Run, trial: Trial, box: Service, output: str) -> Service:
    """The probe beside a measured service: it sees its processes, and has no network and no privileges. What it writes
    is called `output`."""
    # Of several that listen in one network namespace each probe looks at its own.
    port = ("--port", box.environment["PORT"]) if "PORT" in box.environment else ()
    live = ("--live",) if trial.cell.scaling != scaling.NONE else ()
    return Service(
        name=f"{PROBE_PREFIX}{box.name}",
        role="probe",
        image=run.image("probe"),
        user=run.user,
        command=("--output", RESULTS, "--name", output, *port, *live),
        limits=Limits(processors=run.cpu_sets.rest),
        network=None,
        sees_processes_of=box.name,
        mounts=(Mount(LOAD_STORE, RESULTS),),
        labels=labels(run, trial),
        joins_later=box.joins_later,
    )


def load_stack(run: Run, models: Sequence[str]) -> Stack:
    """The load generator of a run, without a server."""
    return _stack(run, load_services(run, models))


def stack_of(run: Run, models: Sequence[str], trial: Trial, boxes: Sequence[Service]) -> Stack:
    """The load generator, these services of a trial, and a probe beside each."""
    outputs = output_names(trial, boxes)
    probes = [probe(run, trial, box, outputs[box.name]) for box in boxes]
    return _stack(run, (*load_services(run, models), *boxes, *probes))


def _stack(run: Run, services: tuple[Service, ...]) -> Stack:
    labels = {RUN_LABEL: run.run_id}
    networks = tuple(Network(_NETWORKS[kind], labels, kind == "overlay") for kind in run.networks)
    return Stack(run.project, services, networks)


def is_alone(trial: Trial, boxes: Sequence[Service]) -> bool:
    """Whether nothing but one server is measured, under the name of its model."""
    return trial.cell.is_single and len(boxes) == 1


def output_names(trial: Trial, boxes: Sequence[Service]) -> dict[str, str]:
    """What the files of each box's probe are called, before `.probe.json` and so on, by the box's name: after the
    trial alone where nothing else is measured."""
    alone = is_alone(trial, boxes)
    return {box.name: trial.trial_id if alone else f"{trial.trial_id}.{box.name}" for box in boxes}


def of_trial(stack: Stack) -> tuple[Service, ...]:
    """The services that are made for one trial and go with it."""
    return tuple(service for service in stack.services if TRIAL_LABEL in service.labels)


def measured(stack: Stack) -> tuple[Service, ...]:
    """The services that a probe looks into, in the order in which they start."""
    seen = {one.sees_processes_of for one in stack.of_role("probe")}
    return tuple(service for service in stack.services if service.name in seen)
