"""The compose project of a trial, as data: the whole experiment in one file that starts that very trial again. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from testbed.names import image_name
from testbed.plan.cells import Cell, Trial
from testbed.stack import needs
from testbed.stack.cpus import CpuSets, format_cpu_list, parse_cpu_list

RUN_LABEL = "threadmill.run"
TRIAL_LABEL = "threadmill.trial"
SERVER_PORT = 8081
WEB_PORT = 8089

# A connection per request leaves its port waiting for a minute: the load containers' own network name space
# gets all ports and may reuse them.
LOAD_SYSCTLS = {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"}

# In a namespace that server and load share, a client's own port may not be one that somebody listens on: the server's,
# the web page's, or those by which Locust's master and workers talk.
SHARED_SYSCTLS = {"net.ipv4.ip_local_reserved_ports": f"5557,5558,{SERVER_PORT},{WEB_PORT}"}
# What the targets that are reached over loopback are called.
SHARED_SUFFIX = "-shared"
HOLDER = "holder"

PIDS_LIMIT = needs.LEAST_TASKS

_CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges=true"],
    "restart": "no",
    # Bounded, and never a reason for a process to wait: what the log driver cannot take at once is dropped.
    "logging": {"driver": "json-file", "options": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}},
}


UNPINNED = CpuSets(server=None, generator=None, rest=None, isolated=False, notes=("nothing is pinned: isolate is off",))


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

    @property
    def web_service(self) -> str:
        """The service whose port is the web page's."""
        return HOLDER if self.shared else "locust"

    @property
    def load_services(self) -> list[str]:
        """The services that are up across all trials, in the order in which they start."""
        return [*([HOLDER] if self.shared else []), "locust", "worker"]

    def image(self, name: str) -> str:
        """The image of a model, of `locust` or of `probe` in this run."""
        return self.images.get(name) or image_name(name)


def _pinned(cpus: str | None) -> dict[str, str]:
    return {} if cpus is None else {"cpuset": cpus}


def _load(run: Run, load_directory: str, **extra: Any) -> dict[str, Any]:
    return {
        **_CONFINED,
        "image": run.image("locust"),
        "user": run.user,
        "tmpfs": ["/tmp"],
        "labels": {RUN_LABEL: run.run_id},
        "volumes": [{"type": "bind", "source": load_directory, "target": "/results/load"}],
        **extra,
    }


def target(cell: Cell) -> str:
    """What the load generator calls the server of this cell."""
    return f"{cell.model}{SHARED_SUFFIX}" if cell.network == "shared" else cell.model


def _targets(run: Run, models: Sequence[str]) -> dict[str, str]:
    """Every model under its own name and, where the namespace is shared, under a second one over loopback."""
    over_loopback = ",".join(f"{model}{SHARED_SUFFIX}=127.0.0.1:{SERVER_PORT}" for model in models)
    return {"TARGETS": ",".join(models), **({"TARGET_ADDRESSES": over_loopback} if run.shared else {})}


def load_services(run: Run, load_directory: str, models: Sequence[str]) -> dict[str, Any]:
    """Locust's master, its API on a free port of this machine only, and its workers."""
    page = {"ports": [f"127.0.0.1::{WEB_PORT}"]}
    place: dict[str, Any] = {"network_mode": f"service:{HOLDER}"} if run.shared else {"sysctls": LOAD_SYSCTLS}
    master = _load(
        run,
        load_directory,
        command=["--master", "--web-port", str(WEB_PORT)],
        environment=_targets(run, models),
        **({} if run.shared else page),
        **place,
        **_pinned(run.cpu_sets.rest),
    )
    worker = _load(
        run,
        load_directory,
        command=["--worker", "--master-host", "127.0.0.1" if run.shared else "locust"],
        environment=_targets(run, models),
        scale=run.workers,
        **place,
        **_pinned(run.cpu_sets.generator),
        **({} if run.worker_cpus is None else {"cpus": run.worker_cpus}),
    )
    services = {"locust": master, "worker": worker}
    if run.shared:
        services[HOLDER] = {
            **_CONFINED,
            "image": run.image("locust"),
            "user": run.user,
            "entrypoint": ["sleep", "infinity"],
            "stop_signal": "SIGKILL",
            "sysctls": LOAD_SYSCTLS | SHARED_SYSCTLS,
            "labels": {RUN_LABEL: run.run_id},
            **page,
            **_pinned(run.cpu_sets.rest),
        }
    return services


def server_cpus(run: Run, cell: Cell) -> dict[str, Any]:
    """How the cell's CPU limit is enforced: a quota within the server's processors, fewer processors, or both."""
    server = run.cpu_sets.server
    if cell.limit == "quota":
        return {"cpus": cell.cpus, **_pinned(server)}
    processors = format_cpu_list(parse_cpu_list(server or f"0-{math.ceil(cell.cpus) - 1}")[: math.ceil(cell.cpus)])
    return {"cpuset": processors, **({"cpus": cell.cpus} if cell.limit == "both" else {})}


def server_service(run: Run, trial: Trial) -> dict[str, Any]:
    """The server under test with its limits: CPU, memory without swap, and nothing else inside its container."""
    cell = trial.cell
    return {
        **_CONFINED,
        "image": run.image(cell.model),
        "user": run.user,
        **server_cpus(run, cell),
        "environment": {
            "WORKERS": str(cell.workers or 1),
            "THREADS": str(cell.threads or 1),
            **needs.environment(cell),
        },
        "mem_limit": cell.memory_bytes,
        "memswap_limit": cell.memory_bytes,
        "pids_limit": needs.tasks_limit(cell),
        **({"network_mode": f"service:{HOLDER}"} if cell.network == "shared" else {}),
        # Readiness is a real echo from outside: a check inside would spend the limit that is being measured.
        "healthcheck": {"disable": True},
        "labels": {RUN_LABEL: run.run_id, TRIAL_LABEL: trial.trial_id},
    }


def probe_service(run: Run, load_directory: str, trial: Trial) -> dict[str, Any]:
    """The probe beside the server: it sees the server's processes, and has no network and no privileges."""
    return {
        **_CONFINED,
        "image": run.image("probe"),
        "user": run.user,
        "pid": f"service:{trial.cell.model}",
        "network_mode": "none",
        "command": ["--output", "/results/load", "--name", trial.trial_id],
        "labels": {RUN_LABEL: run.run_id, TRIAL_LABEL: trial.trial_id},
        "volumes": [{"type": "bind", "source": load_directory, "target": "/results/load"}],
        **_pinned(run.cpu_sets.rest),
    }


def project(run: Run, load_directory: str, models: Sequence[str], trial: Trial | None) -> dict[str, Any]:
    """The compose project: load services, and server and probe of `trial` when one is given.

    `load_directory` is where results land, relative to the file this is written to.
    """
    services = load_services(run, load_directory, models)
    if trial is not None:
        services[trial.cell.model] = server_service(run, trial)
        services["probe"] = probe_service(run, load_directory, trial)
    return {
        "name": run.project,
        "services": services,
        "networks": {"default": {"labels": {RUN_LABEL: run.run_id}}},
    }


def compose_text(project: dict[str, Any]) -> str:
    """The compose file."""
    return yaml.safe_dump(project, sort_keys=False)
