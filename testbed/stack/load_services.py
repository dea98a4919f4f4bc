"""The load generator as services: Locust's master and its workers, up across all trials of a run. Pure."""

from collections.abc import Sequence

from testbed.plan.cell import Cell
from testbed.stack.naming import HOLDER, LOAD_STORE, MASTER, RESULTS, SERVER_PORT, WEB_PORT, WORKER
from testbed.stack.run import Run, load_networks
from testbed.stack.services import RUN_LABEL, Limits, Mount, Service

# A connection per request leaves its port waiting for a minute: the load containers' own network name space
# gets all ports and may reuse them.
LOAD_KERNEL = {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"}

# In a namespace that server and load share, a client's own port may not be one that somebody listens on: the server's,
# the web page's, or those by which Locust's master and workers talk.
SHARED_KERNEL = {"net.ipv4.ip_local_reserved_ports": f"5557,5558,{SERVER_PORT},{WEB_PORT}"}

# What the targets that are reached over loopback are called.
SHARED_SUFFIX = "-shared"


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
    networks = {"network": None} if run.shared else load_networks(run)
    holder = Service(
        name=HOLDER,
        role="holder",
        image=run.image("locust"),
        user=run.user,
        entrypoint=("sleep", "infinity"),
        limits=Limits(processors=run.cpu_sets.beside_load),
        **load_networks(run),
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
