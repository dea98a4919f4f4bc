"""The compose project of a trial, as data: the whole experiment in one file that starts that very trial again. Pure."""

from dataclasses import dataclass
from typing import Any

from testbed.images import image_name
from testbed.plan import Trial

RUN_LABEL = "threadmill.run"
TRIAL_LABEL = "threadmill.trial"
SERVER_PORT = 8081
WEB_PORT = 8089

# A connection per request leaves its port waiting for a minute: the load containers' own network name space
# gets all ports and may reuse them.
LOAD_SYSCTLS = {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"}

# More tasks than this in one server container would only be a mistake; the limit keeps it from becoming the host's.
PIDS_LIMIT = 4096

_CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "restart": "no",
    # Bounded, and never a reason for a process to wait: what the log driver cannot take at once is dropped.
    "logging": {"driver": "json-file", "options": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}},
}


@dataclass(frozen=True)
class Run:
    """What all trials of a sweep share. `user` is `uid:gid` of the load containers, who write the results."""

    run_id: str
    project: str
    user: str
    workers: int


def _load(run: Run, load_directory: str, **extra: Any) -> dict[str, Any]:
    return {
        **_CONFINED,
        "image": image_name("locust"),
        "user": run.user,
        "tmpfs": ["/tmp"],
        "sysctls": LOAD_SYSCTLS,
        "labels": {RUN_LABEL: run.run_id},
        "volumes": [{"type": "bind", "source": load_directory, "target": "/results/load"}],
        **extra,
    }


def load_services(run: Run, load_directory: str, targets: str) -> dict[str, Any]:
    """Locust's master, its API on a free port of this machine only, and its workers."""
    master = _load(
        run,
        load_directory,
        command=["--master", "--web-port", str(WEB_PORT)],
        environment={"TARGETS": targets},
        ports=[f"127.0.0.1::{WEB_PORT}"],
    )
    worker = _load(
        run,
        load_directory,
        command=["--worker", "--master-host", "locust"],
        environment={"TARGETS": targets},
        scale=run.workers,
    )
    return {"locust": master, "worker": worker}


def server_service(run: Run, trial: Trial) -> dict[str, Any]:
    """The server under test with its limits: CPU quota, memory without swap, and nothing else inside its container."""
    cell = trial.cell
    return {
        **_CONFINED,
        "image": image_name(cell.model),
        "cpus": cell.cpus,
        "mem_limit": cell.memory_bytes,
        "memswap_limit": cell.memory_bytes,
        "pids_limit": PIDS_LIMIT,
        # Readiness is a real echo from outside: a check inside would spend the limit that is being measured.
        "healthcheck": {"disable": True},
        "labels": {RUN_LABEL: run.run_id, TRIAL_LABEL: trial.trial_id},
    }


def project(run: Run, load_directory: str, targets: str, trial: Trial | None) -> dict[str, Any]:
    """The compose project: load services, and the server of `trial` when one is given.

    `load_directory` is where results land, relative to the file this is written to.
    """
    services = load_services(run, load_directory, targets)
    if trial is not None:
        services[trial.cell.model] = server_service(run, trial)
    return {
        "name": run.project,
        "services": services,
        "networks": {"default": {"labels": {RUN_LABEL: run.run_id}}},
    }
