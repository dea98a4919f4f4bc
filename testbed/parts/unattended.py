"""What one cell of a sweep consists of where nobody drives it: it starts, runs once, and its load ends by itself. Pure.

The same servers, front and load as in a trial, in the names of the stack by hand: the model's name has the addresses of
all its servers, a front goes by its own. Each probe tells Locust's master of what it sees, as by hand, so that
everything there is to bring home is in one place.
"""

from dataclasses import replace

from testbed.parts import front
from testbed.parts.front import FRONTS
from testbed.plan import cells
from testbed.plan.calibration import Work
from testbed.plan.cell import Cell
from testbed.plan.scaling_values import of_text
from testbed.plan.schema import Sweep
from testbed.plan.trials import SEARCHES, Trial, arrivals_seed
from testbed.stack import locust_api, server_services
from testbed.stack.load_services import LOAD_KERNEL
from testbed.stack.naming import LOAD_STORE, MASTER, PROBE_PREFIX, SERVER_PORT, WEB_PORT, WORKER
from testbed.stack.run import Run, trial_labels
from testbed.stack.services import DEFAULT_NETWORK, RUN_LABEL, Limits, Mount, Network, Service, Stack

SERVER_COMMAND = "python3 -m servers"
"""In the command line of the first process of every server's image."""

# Where Locust's workers meet their master: its default.
MASTER_PORT = 5557
# In a sweep a probe has no limit. Here all containers of a pod need one, for the server to be given its own for sure:
# several times of what a probe uses beside a server of some hundred processes.
PROBE_LIMITS = Limits(cpus=0.1, memory_bytes=64 * 2**20)

COLLECTOR = "collect"
_RESULTS = "/results/load"


def stack(run: Run, trial: Trial, sweep: Sweep, domain: str = "") -> Stack:
    """All of it. `domain` is what stands behind a service's name for who asks DNS without a list of domains to try.

    ValueError for a cell whose server is in the load's own network namespace, and for one of several services.
    """
    cell = trial.cell
    if cell.network == "shared":
        raise ValueError(f"{trial.trial_id}: server and load in one network namespace")
    if cell.has_services:
        raise ValueError(f"{trial.trial_id}: several services behind a gateway")
    server = _server(run, trial)
    boxes = (server, _front(run, trial, server, domain)) if cell.is_proxied else (server,)
    commands = {server.name: SERVER_COMMAND, cell.front: FRONTS[cell.front].command if cell.is_proxied else ""}
    probes = (_probe(run, trial, box, commands[box.name]) for box in boxes)
    load = _load(run, trial, sweep, boxes)
    return Stack(run.project, (*boxes, *probes, *load), (Network(DEFAULT_NETWORK, {RUN_LABEL: run.run_id}),))


def collector(run: Run, trial: Trial) -> Stack:
    """What does nothing but have the results at hand once the load has ended, to copy them out of it."""
    service = Service(
        name=COLLECTOR,
        role="holder",
        image=run.image("locust"),
        user=run.user,
        entrypoint=("sleep", "infinity"),
        mounts=(Mount(LOAD_STORE, _RESULTS),),
        labels=trial_labels(run, trial),
    )
    return Stack(run.project, (service,), (Network(DEFAULT_NETWORK, {RUN_LABEL: run.run_id}),))


def waits_for_a_person(cell: Cell) -> bool:
    """Whether its load begins at the page: the next rate of a search follows from what the one before has held."""
    return cell.mode in SEARCHES


def _server(run: Run, trial: Trial) -> Service:
    """Its replicas, which are alike, under the model's name."""
    return replace(
        server_services.servers(run, trial)[0],
        name=trial.cell.model,
        # A cluster has one network.
        network=DEFAULT_NETWORK,
        aliases=(),
        copies=trial.cell.replicas,
        listens=(SERVER_PORT,),
        changes=of_text(trial.cell.scaling),
    )


def _front(run: Run, trial: Trial, server: Service, domain: str) -> Service:
    cell = trial.cell
    kind = FRONTS[cell.front]
    alone = replace(trial, cell=replace(cell, scaling="none"))
    told = front.environment(cell, (server.name,))
    if kind.follows_a_name:
        del told["SERVERS"]
        name = f"{server.name}.{domain}" if domain else server.name
        told |= {"SERVERS_DNS": name, "SLOTS": str(cell.most_replicas)}
    return replace(
        front.service(run, alone, (server,)),
        name=kind.name,
        environment=told,
        network=DEFAULT_NETWORK,
        further_networks=(),
        aliases=(),
        published=(),
        listens=(SERVER_PORT, kind.counters, *kind.pages),
    )


def _probe(run: Run, trial: Trial, box: Service, command: str) -> Service:
    """The probe beside each copy of a box. It has to reach the master, so it shares the box's network as well."""
    url = f"http://{MASTER}:{WEB_PORT}/threadmill/samples"
    return Service(
        name=f"{PROBE_PREFIX}{box.name}",
        role="probe",
        image=run.image("probe"),
        user=run.user,
        command=("--push", url, "--model", box.name, "--first-process", command),
        limits=PROBE_LIMITS,
        network=None,
        in_network_of=box.name,
        sees_processes_of=box.name,
        copies=box.copies,
        labels=trial_labels(run, trial),
    )


def _load(run: Run, trial: Trial, sweep: Sweep, boxes: tuple[Service, ...]) -> tuple[Service, Service]:
    """Locust's master, which starts by itself once all is there, and its workers."""
    cell = trial.cell
    ends = not waits_for_a_person(cell)
    environment = {"TARGETS": cell.model, **({"FRONTS": f"{cell.front}={cell.model}"} if cell.is_proxied else {})}
    by_itself = ("--autostart", "--autoquit", "0", "--expect-workers", str(run.workers)) if ends else ()
    master = Service(
        name=MASTER,
        role="load master",
        image=run.image("locust"),
        user=run.user,
        command=("--master", "--web-port", str(WEB_PORT), *by_itself, *load_options(trial, sweep)),
        environment=environment,
        mounts=(Mount(LOAD_STORE, _RESULTS),),
        scratch=("/tmp",),
        kernel=LOAD_KERNEL,
        labels=trial_labels(run, trial),
        listens=(WEB_PORT, MASTER_PORT),
        after=tuple(box.name for box in boxes),
        ends=ends,
    )
    worker = Service(
        name=WORKER,
        role="load worker",
        image=run.image("locust"),
        user=run.user,
        # A request that failed is a result, and no failure of the worker's.
        command=("--worker", "--master-host", MASTER, "--exit-code-on-error", "0"),
        environment=environment,
        limits=Limits(cpus=run.worker_cpus),
        scratch=("/tmp",),
        copies=run.workers,
        kernel=LOAD_KERNEL,
        labels=trial_labels(run, trial),
        ends=ends,
    )
    return master, worker


def load_options(trial: Trial, sweep: Sweep) -> tuple[str, ...]:
    """What the cell asks of the load, as options of its command line. Work is asked for in time: no unit is known."""
    cell = trial.cell
    asked = locust_api.form(trial, Work(0, 0), sweep.warmup / 1e6, sweep.duration / 1e6)
    for name in ("user_count", "spin_units", "hash_rounds", "trial_id"):
        del asked[name]
    asked |= {"target": cell.front if cell.is_proxied else cell.model, "users": cell.users}
    asked |= {"spin_us": cell.spin_us, "hash_us": cell.hash_us}
    return tuple(
        word
        for name, value in asked.items()
        if value != ""
        for word in (f"--{name.replace('_', '-')}", f"{value:.12g}" if isinstance(value, float) else str(value))
    )


def trials(sweep: Sweep) -> list[Trial]:
    """One for each cell, in the order of the file, named as the trials of its first block are."""
    seed = arrivals_seed(sweep.order.seed, 1)
    every = enumerate(cells.cells(sweep), 1)
    return [Trial(f"{number:03d}-{cell.model}-{cell.cpus:g}cpu", 1, cell, seed=seed) for number, cell in every]


def not_done(sweep: Sweep) -> list[str]:
    """What the sweep asks for beside its cells, and nobody does who only starts one of them."""
    lines = []
    if sweep.repeat > 1:
        lines.append(f"repeat: {sweep.repeat} blocks: each start of a cell is one trial")
    if sweep.order.canary or sweep.order.redo:
        lines.append("order: no canary, and nothing that was disturbed is measured again")
    if sweep.isolate:
        lines.append(
            "isolate: no processors are kept for server, load and the rest; they are kept off each other's nodes"
        )
    if "overlay" in sweep.network:
        lines.append("network overlay: there is the cluster's own network alone, as for bridge")
    if sweep.load.slo:
        at = f", and shares of it ({', '.join(f'{share:g}' for share in sweep.load.at)})" if sweep.load.at else ""
        lines.append(
            f"load.mode {sweep.load.mode}: no search for the highest rate with a p99 of {sweep.load.slo.p99 / 1e3:g} ms"
            f"{at}: Locust waits at its page for the rate of each run"
        )
    if sweep.load.objective:
        lines.append("load.objective: nothing is held against it: it is of a sweep's report")
    return lines
