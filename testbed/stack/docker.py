"""The container engine: Docker, and its containers as a sweep asks for them.

`compose_run` starts services for it, `leftovers` removes what is left, `speaking` tells its errors in our own words.
"""

import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.models.containers import Container

from testbed.errors import UserError
from testbed.files import write_atomically
from testbed.interrupt import deferred
from testbed.stack import compose, cpus, leftovers, resizing
from testbed.stack.box import RunningBox, run_once
from testbed.stack.compose import compose_text
from testbed.stack.compose_run import ComposeRunner, compose_failure
from testbed.stack.cpus import CpuSets
from testbed.stack.engine import ContainerGone, LaidOut
from testbed.stack.leftovers import remove_container
from testbed.stack.naming import LOAD_STORE
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL, Stack
from testbed.stack.speaking import speaking, wait_until_back


def endpoint() -> str | None:
    """The engine that the `docker` command would use: DOCKER_HOST, else the current context's."""
    if "DOCKER_HOST" in os.environ:
        return os.environ["DOCKER_HOST"]
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def client_of(endpoint: str | None, timeout_s: float = 60.0) -> Any:
    """A client of the engine at an endpoint; over ssh by the `ssh` command, with the user's own settings."""
    by_ssh = (endpoint or "").startswith("ssh://")
    return docker.DockerClient(base_url=endpoint, timeout=timeout_s, use_ssh_client=by_ssh)


def connect() -> tuple[Any, dict[str, Any]]:
    """A client of that engine, and what `docker info` says of it. UserError where it does not answer."""
    try:
        client = client_of(endpoint())
        return client, client.info()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise UserError(
            f"Docker does not answer: {error}; `.venv/bin/python orchestrate.py doctor` says what helps"
        ) from None


class DockerEngine:
    """What a sweep asks of Docker. Touches only what carries this run's label."""

    def __init__(self) -> None:
        self._compose = ComposeRunner()
        self._client, self._info = connect()

    @speaking()
    def ping(self) -> None:
        """EngineGone unless the engine answers."""
        self._client.ping()

    def wait_until_back(self, patience_s: float) -> None:
        """Return as soon as the engine answers again, by this many seconds in any case."""
        wait_until_back(self.ping, patience_s)

    def keep_open(self, descriptor: int) -> None:
        """Let every command that is started inherit this descriptor: the lock of a sweep, held as long as they run."""
        self._compose.inherited = (descriptor,)

    @property
    def cpus(self) -> int:
        return int(self._info["NCPU"])

    @property
    def memory_bytes(self) -> int:
        return int(self._info["MemTotal"])

    @property
    def networks(self) -> tuple[str, ...]:
        """The kinds of network that there are, the usual one first. An overlay is made by whoever manages a Swarm."""
        manages = bool((self._info.get("Swarm") or {}).get("ControlAvailable"))
        return ("bridge", "shared", *(("overlay",) if manages else ()))

    @property
    def is_here(self) -> bool:
        """Whether the engine runs on this very kernel, and not on another machine or in a virtual one."""
        return bool(self._info["KernelVersion"] == os.uname().release)

    def facts(self) -> dict[str, Any]:
        """What the manifest records of the engine."""
        names = (
            "ServerVersion",
            "KernelVersion",
            "OperatingSystem",
            "Architecture",
            "CgroupVersion",
            "CgroupDriver",
            "Driver",
        )
        compose = subprocess.run(
            ["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False
        )
        return {**{name: self._info.get(name) for name in names}, "ComposeVersion": compose.stdout.strip()}

    def cpu_sets(self, server_cpus: float, load_workers: int) -> CpuSets:
        """Of this machine's topology; of one elsewhere only the number of CPUs is known."""
        there = cpus.read() if self.is_here else cpus.elsewhere(self.cpus)
        return cpus.partition(there, server_cpus, load_workers)

    def bring_images(self, images: Sequence[str], say: Callable[[str], None]) -> None:
        """Where they are built is where they run."""

    @speaking()
    def image_id(self, image: str) -> str | None:
        """The image's content id, or None when it does not exist here."""
        try:
            found: str = self._client.images.get(image).id
        except docker.errors.ImageNotFound:
            return None
        return found

    @speaking()
    def run_once(self, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
        return run_once(self._client, image, command, run_id, cpuset)

    def volume_files(self, volume: str, directory: str, image: str) -> Iterator[tuple[str, str]]:
        """Name and text of every file under `directory` of a volume; none where the volume is not there.

        Read through a container that is created and never started: what a volume holds is the engine's alone.
        """
        with speaking():
            yield from self._volume_files(volume, directory, image)

    def _volume_files(self, volume: str, directory: str, image: str) -> Iterator[tuple[str, str]]:
        reader: Container | None = None
        try:
            self._client.volumes.get(volume)
            # An interrupt that comes just now finds it named.
            with deferred():
                reader = self._client.containers.create(
                    image,
                    volumes={volume: {"bind": "/volume", "mode": "ro"}},
                    network_mode="none",
                    labels={RUN_LABEL: "reader"},
                )
            chunks, _ = reader.get_archive(f"/volume/{directory}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                for member in archive:
                    if member.isfile() and (file := archive.extractfile(member)) is not None:
                        yield member.name, file.read().decode()
        except docker.errors.NotFound:
            return
        finally:
            if reader is not None:
                remove_container(reader)

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:
        """As a compose file; `load` is mounted as it is."""
        file = directory / "compose.yaml"
        stores = {LOAD_STORE: os.path.relpath(load, directory)}
        if not stores[LOAD_STORE].startswith("."):
            # Without it Compose would take it for the name of a volume.
            stores[LOAD_STORE] = f"./{stores[LOAD_STORE]}"
        write_atomically(file, compose_text(compose.project(stack, stores)))
        return LaidOut(file, stack)

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        """Create and start these services of a compose file, and no other. UserError with Compose's reason if it fails,
        EngineError where the reason is the engine: it has gone, or its disk is full.
        """
        if (said := self._compose.up(laid.file, laid.stack.project, list(services))) is not None:
            self.ping()
            raise compose_failure(laid.file, said)

    def set_limits(self, container_id: str, cpus: float | None, memory_bytes: int | None) -> None:
        resizing.set_limits(container_id, cpus, memory_bytes)

    def clock_ahead_s(self, service: str) -> float:  # noqa: ARG002 - a cluster asks which machine
        """One machine, one clock."""
        return 0.0

    def hand_in(self, run_id: str, service: str, file: Path) -> None:
        """Containers share the directory."""

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None:
        """Containers share the directory."""

    def trouble(self, lost: Sequence[str] = ()) -> str:  # noqa: ARG002 - there is one machine
        return ""

    def cluster(self) -> dict[str, Any] | None:
        return None

    def _containers(self, run_id: str, *labels: str, stopped: bool = True) -> list[Container]:
        return leftovers.containers(self._client, run_id, *labels, stopped=stopped)

    @speaking()
    def server(self, run_id: str, service: str) -> RunningBox:
        """The container of a service of this run. ContainerGone if there is none."""
        found = self._containers(run_id, f"com.docker.compose.service={service}")
        if not found:
            raise ContainerGone(service)
        return RunningBox(found[0])

    @speaking()
    def pids(self, run_id: str) -> list[int]:
        """The first process of each of the run's containers that run, if they run on this machine."""
        running = self._containers(run_id, stopped=False) if self.is_here else []
        return [int(container.attrs["State"]["Pid"]) for container in running]

    @speaking()
    def published(self, run_id: str, service: str, port: int) -> tuple[str, int]:
        """On this machine alone, at a port that was free. ContainerGone if it does not run."""
        containers = self._containers(run_id, f"com.docker.compose.service={service}")
        bindings = containers[0].attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp") if containers else None
        if not bindings:
            raise ContainerGone(service)
        return "127.0.0.1", int(bindings[0]["HostPort"])

    @speaking()
    def ended(self, run_id: str) -> list[str]:
        """The names of the run's containers that do not run any more."""
        return [container.name for container in self._containers(run_id) if container.status in ("exited", "dead")]

    @speaking()
    def logs(self, run_id: str) -> dict[str, str]:
        """The logs of every container of the run, by container name."""
        logs: dict[str, str] = {}
        for container in self._containers(run_id):
            with contextlib.suppress(docker.errors.APIError):
                logs[container.name] = container.logs(timestamps=True).decode(errors="replace")
        return logs

    @speaking()
    def remove(self, run_id: str) -> None:
        """Remove every container and network that carries the run's label, and nothing else. Idempotent."""
        leftovers.remove_run(self._client, run_id, self._compose.settled_at)

    @speaking()
    def remove_trial(self, run_id: str, trial_id: str) -> None:
        """Remove whatever there is of a trial. Idempotent."""
        leftovers.remove_trial(self._client, run_id, trial_id)

    @speaking()
    def load_is_gone(self, run_id: str) -> bool:
        """Whether not one of the containers runs that are up across all trials: no trial ends those."""
        load = [container for container in self._containers(run_id) if TRIAL_LABEL not in container.labels]
        return all(container.status != "running" for container in load)

    @speaking()
    def runs(self) -> dict[str, int]:
        """The runs that have containers or networks here, with how many."""
        return leftovers.runs(self._client)
