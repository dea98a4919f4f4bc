"""What a watcher asks of Docker: which servers run, and a probe of its own beside one of them.

The probe's container carries no run's label: it belongs to no sweep, is counted by none, and is removed by its watcher,
by Docker as soon as it has ended, and it ends with the server and with whoever reads it.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, get_args

import docker.errors
from docker.models.containers import Container
from docker.types import LogConfig
from docker.utils.socket import frames_iter

from servers.models import SERVERS
from testbed.errors import UserError
from testbed.interrupt import deferred
from testbed.names import image_name, model_of
from testbed.stack import cpus
from testbed.stack.docker import DockerEngine
from testbed.stack.engine import ContainerGone
from testbed.stack.naming import HOLDER, MASTER, WEB_PORT
from testbed.stack.services import ROLE_LABEL, RUN_LABEL, TRIAL_LABEL
from testbed.stack.swarm.labelled import BY_HAND
from testbed.watch.target import Role, Target

WATCH_LABEL = "threadmill.watch"
MODEL_LABEL = "threadmill.model"
_TITLE_LABEL = "org.opencontainers.image.title"
# In which variables a front is told of its servers.
_BEHIND = ("SERVERS", "SPARE_SERVERS", "SERVERS_DNS")
_PROJECT_LABEL = "com.docker.compose.project"
_SERVICE_LABEL = "com.docker.compose.service"
_STDOUT = 1
# Docker removes what has ended within milliseconds; a daemon that is busy takes longer.
REMOVAL_TIMEOUT_S = 10.0
# The probe and what it reads take 20 MiB with 300 processes.
_MEMORY_BYTES = 128 * 2**20
_PIDS = 16

Line = dict[str, Any]


class Beside(DockerEngine):
    """The engine, as far as watching needs it. Changes nothing but the containers it makes itself."""

    def targets(self) -> list[Target]:
        """The servers and fronts that run now, and what stands behind servers, by hand or in a sweep."""
        found: list[Container] = []
        for role in get_args(Role):
            found += self._client.containers.list(filters={"label": f"{ROLE_LABEL}={role}"}, ignore_removed=True)
        return [target for container in found if (target := _target(container.attrs)) is not None]

    def runs_under_way(self) -> list[str]:
        """The sweeps whose load generator is up."""
        found = self._client.containers.list(filters={"label": RUN_LABEL}, ignore_removed=True)
        return sorted({one.labels[RUN_LABEL] for one in found if one.labels.get(_SERVICE_LABEL) == MASTER})

    def is_running(self, target: Target) -> bool:
        try:
            return bool(self._client.containers.get(target.container_id).status == "running")
        except docker.errors.NotFound:
            return False

    def web_port(self, target: Target) -> int | None:
        """The port of this machine at which the Locust beside this server answers; None where there is none."""
        for container in self._companions(target):
            if (port := page_port(container.attrs)) is not None:
                return port
        return None

    def rest_cpuset(self, target: Target) -> str | None:
        """Processors that are neither the server's nor the generator's, as far as there are such."""
        for container in self._companions(target) if target.run_id else ():
            if container.labels.get(_SERVICE_LABEL) in (MASTER, HOLDER):
                return container.attrs["HostConfig"]["CpusetCpus"] or None
        if not self.is_here:
            return None
        return cpus.partition(cpus.read(), target.cpus or 1.0, 1).rest

    def _companions(self, target: Target) -> list[Container]:
        if target.project is None:
            return []
        label = f"{_PROJECT_LABEL}={target.project}"
        found: list[Container] = self._client.containers.list(filters={"label": label}, ignore_removed=True)
        return found

    def log(self, target: Target, follow: bool) -> Iterator[bytes]:
        """The server's log as it is written, a line at a time; with `follow`, until the server ends."""
        try:
            container = self._client.containers.get(target.container_id)
            rest = b""
            for piece in container.logs(stream=True, follow=follow):
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
        except docker.errors.NotFound:
            raise ContainerGone(target.name) from None

    @contextmanager
    def probe(self, target: Target, interval_s: float, cpuset: str | None) -> Iterator[Iterator[Line]]:
        """A probe in the server's namespaces; its lines, until the server ends. Removed at the end of the block.

        ContainerGone when the server has ended already, UserError when the probe cannot be started.
        """
        port = [] if target.port is None else ["--port", str(target.port)]
        name = f"threadmill-watch-{secrets.token_hex(4)}"
        try:
            try:
                with deferred():
                    container = self._client.containers.create(
                        image_name("probe"),
                        ["--watch", "--until-eof", "--interval", f"{interval_s:g}", *port],
                        name=name,
                        labels={WATCH_LABEL: target.name},
                        **_confined(target, cpuset),
                    )
                # Before it starts, so that nothing is missed; its end, also by kill -9, ends the probe.
                attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
                attached._sock.settimeout(None)  # noqa: SLF001 - docker-py's own way to the socket
                container.start()
            except docker.errors.ImageNotFound:
                raise UserError(
                    f"the image {image_name('probe')} is not here: run `.venv/bin/python orchestrate.py build`"
                ) from None
            except docker.errors.APIError as error:
                if not self.is_running(target):
                    raise ContainerGone(target.name) from None
                raise UserError(f"the probe beside {target} does not start: {error.explanation or error}") from None
            yield self._lines(attached, target)
        finally:
            self._remove(name)

    def _lines(self, attached: Any, target: Target) -> Iterator[Line]:
        text, errors = b"", b""
        for stream, piece in frames_iter(attached, tty=False):
            if stream != _STDOUT:
                errors += piece
                continue
            *lines, text = (text + piece).split(b"\n")
            for line in lines:
                yield json.loads(line)
        if self.is_running(target):
            said = errors.decode(errors="replace").strip().splitlines()
            raise UserError(f"the probe beside {target} has ended: {said[-1] if said else 'no reason given'}")

    def _remove(self, name: str) -> None:
        """See to it that this container is gone, whoever else is removing it."""
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self._client.containers.get(name).remove(v=True, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError:  # its removal is under way
                time.sleep(0.05)


def _confined(target: Target, cpuset: str | None) -> dict[str, Any]:
    beside = f"container:{target.container_id}"
    return {
        "pid_mode": beside,
        # Only there does the kernel tell the accept queue's limit; the probe opens no connection.
        "network_mode": beside,
        # The kernel shows a process's root directory to its own user alone; root looks at nothing here.
        **({"user": target.user} if target.user.split(":")[0] not in ("", "0", "root") else {}),
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges=true"],
        "mem_limit": _MEMORY_BYTES,
        "memswap_limit": _MEMORY_BYTES,
        "pids_limit": _PIDS,
        "auto_remove": True,
        "stdin_open": True,
        "log_config": LogConfig(type="none"),
        **({} if cpuset is None else {"cpuset_cpus": cpuset}),
    }


def _target(attributes: dict[str, Any]) -> Target | None:
    """A running server, front or part out of what Docker tells of a container; None for anything else.

    The same image also runs the command-line client, and a sweep's calibration.
    """
    labels, host = attributes["Config"]["Labels"], attributes["HostConfig"]
    service = labels.get(_SERVICE_LABEL)
    # On a Swarm what `up` has started carries the labels of a run, too.
    in_a_sweep = labels.get(RUN_LABEL, BY_HAND) != BY_HAND
    if in_a_sweep and TRIAL_LABEL not in labels:
        return None
    # In a sweep's trial whatever has a server's image is one, also one of several that are not called by their model.
    role: Role = labels.get(ROLE_LABEL, "server")
    of_a_model = service is None or model_of(service) in SERVERS
    if not of_a_model and not in_a_sweep and role == "server":
        return None
    environment = dict(line.partition("=")[::2] for line in attributes["Config"]["Env"] or ())
    return Target(
        container_id=attributes["Id"],
        name=attributes["Name"].removeprefix("/"),
        model=_title(labels) if role != "server" else _model(service, labels),
        user=attributes["Config"]["User"],
        started_unix=_unix(attributes["State"]["StartedAt"]),
        cpus=cpu_quota(host),
        cpuset=host["CpusetCpus"] or None,
        memory_bytes=host["Memory"] or None,
        project=labels.get(_PROJECT_LABEL),
        run_id=labels.get(RUN_LABEL) if in_a_sweep else None,
        trial_id=labels.get(TRIAL_LABEL) if in_a_sweep else None,
        packet_log=environment.get("PACKET_LOG") == "1",
        role=role,
        port=int(environment["PORT"]) if environment.get("PORT", "").isdecimal() else None,
        behind=tuple(" ".join(environment.get(name, "") for name in _BEHIND).split()),
    )


def _model(service: str | None, labels: dict[str, str]) -> str:
    named = "" if service is None else model_of(service)
    return named if named in SERVERS else labels.get(MODEL_LABEL, "unknown")


def _title(labels: dict[str, str]) -> str:
    """What a front or a part is, out of `threadmill/haproxy`."""
    return labels.get(_TITLE_LABEL, "unknown").rpartition("/")[2]


def page_port(attributes: dict[str, Any]) -> int | None:
    """The port of its machine at which a container's Locust answers; None where it has none. Pure."""
    bindings = attributes["NetworkSettings"]["Ports"].get(f"{WEB_PORT}/tcp")
    return int(bindings[0]["HostPort"]) if bindings else None


def cpu_quota(host: dict[str, Any]) -> float | None:
    """CPUs that a container may use by what Docker tells of its limits; None without a quota."""
    if host["NanoCpus"]:
        return float(host["NanoCpus"]) / 1e9
    # The kernel's and Docker's default period, in microseconds.
    return host["CpuQuota"] / (host["CpuPeriod"] or 100_000) if host["CpuQuota"] > 0 else None


def _unix(text: str) -> float:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return time.time()
