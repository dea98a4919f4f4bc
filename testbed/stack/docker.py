"""The container engine, in one place: Docker and its Compose plugin. Nothing else in testbed knows which it is."""

import contextlib
import io
import os
import re
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.models.containers import Container

from testbed.errors import Breakdown, EngineError, EngineGone, UserError
from testbed.interrupt import deferred
from testbed.stack.compose import RUN_LABEL, TRIAL_LABEL

# How long a server may take to drain before it is killed: a second more than DRAIN_TIMEOUT's default.
STOP_TIMEOUT_S = 6
# A compose command that was interrupted is given this long to end its own requests to the engine.
INTERRUPT_TIMEOUT_S = 10
# For so long after such an interrupt the engine may still finish a request, and create what nobody waits for.
SETTLING_S = 2.0
REMOVAL_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.1

# What Compose says when the engine went away under it.
_CUT_OFF = re.compile(
    r"cannot connect to the docker daemon|failed to connect to the docker api|error during connect"
    r"|connection re(fused|set)|\bEOF$",
    re.IGNORECASE,
)
_NO_ROOM = "no space left on device"


class ContainerGone(Exception):
    """The container does not exist any more."""


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int
    oom_killed: bool

    def __str__(self) -> str:
        cause = ", out of memory" if self.oom_killed else ""
        if self.code > 128 and not cause:
            with contextlib.suppress(ValueError):
                cause = f", {signal.Signals(self.code - 128).name}"
        return f"exit code {self.code}{cause}"


def _endpoint() -> str | None:
    """The engine that the `docker` command would use: DOCKER_HOST, else the current context's."""
    if "DOCKER_HOST" in os.environ:
        return os.environ["DOCKER_HOST"]
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Around whatever talks to Docker: what its client raises becomes one EngineError. EngineGone: no answer at all."""
    try:
        yield
    except docker.errors.APIError as error:
        said = str(error.explanation or error).strip().splitlines()
        raise EngineError(f"Docker's engine reports: {said[-1] if said else type(error).__name__}") from error
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise EngineGone(f"Docker's engine does not answer any more: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The system's own word for it, which the client's exceptions have wrapped several times."""
    pending: list[BaseException] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, OSError) and isinstance(one.errno, int) and one.strerror:
            return one.strerror
        pending += [inner for inner in (*one.args, one.__cause__, one.__context__) if isinstance(inner, BaseException)]
    return " ".join(str(error).split()) or type(error).__name__


def compose_failure(compose_file: Path, output: str) -> UserError | EngineError:
    """What a failed `docker compose up` has printed, as what it is: a matter of the file, or of the engine. Pure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    why = f"docker compose up failed: {lines[-1]}"
    if _CUT_OFF.search(lines[-1]):
        return EngineGone(why)
    return EngineError(why) if _NO_ROOM in lines[-1] else UserError(f"{compose_file}: {why}")


class Server:
    """A running server container."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @speaking()
    def tasks(self) -> tuple[int, int]:
        """How many processes and how many threads in all it has now, counted from outside."""
        try:
            top = self.container.top(ps_args="-eLo pid,tid")
        except docker.errors.APIError:
            return 0, 0
        return len({pid for pid, _ in top["Processes"]}), len(top["Processes"])

    @property
    def pid(self) -> int:
        """The process id of its first process on the engine's machine, as of the last look at it."""
        return int(self.container.attrs["State"]["Pid"])

    @speaking()
    def exit(self) -> Exit | None:
        """How it ended, or None while it runs."""
        try:
            self.container.reload()
        except docker.errors.NotFound:
            return Exit(137, oom_killed=False)
        state = self.container.attrs["State"]
        return None if state["Running"] else Exit(state["ExitCode"], state["OOMKilled"])

    @speaking()
    def stop(self) -> str:
        """Stop it with SIGTERM (SIGKILL after STOP_TIMEOUT_S), remove it, and return its log."""
        try:
            self.container.stop(timeout=STOP_TIMEOUT_S)
            log: bytes = self.container.logs()
            self.container.remove(v=True, force=True)
        except docker.errors.NotFound:
            return ""
        return log.decode(errors="replace")


class Engine:
    """What a sweep asks of Docker. Touches only what carries this run's label."""

    def __init__(self) -> None:
        self._inherited: tuple[int, ...] = ()
        self._settled_at = 0.0
        try:
            self._client = docker.DockerClient(base_url=_endpoint(), timeout=60)
            self._info: dict[str, Any] = self._client.info()
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise UserError(
                f"Docker does not answer: {error}; `.venv/bin/python orchestrate.py doctor` says what helps"
            ) from None

    @speaking()
    def ping(self) -> None:
        """EngineGone unless the engine answers."""
        self._client.ping()

    def wait_until_back(self, patience_s: float) -> None:
        """Return as soon as the engine answers again, by this many seconds in any case."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                self.ping()
            except EngineError:
                time.sleep(POLL_INTERVAL_S)
            else:
                return

    def keep_open(self, descriptor: int) -> None:
        """Let every command that is started inherit this descriptor: the lock of a sweep, held as long as they run."""
        self._inherited = (descriptor,)

    @property
    def cpus(self) -> int:
        return int(self._info["NCPU"])

    @property
    def memory_bytes(self) -> int:
        return int(self._info["MemTotal"])

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
        """Run a short command in a fresh container without limits, on these processors, and return what it prints.

        UserError if it fails.
        """
        container: Container | None = None
        try:
            with deferred():
                container = self._client.containers.create(
                    image,
                    command,
                    entrypoint=[],
                    network_mode="none",
                    read_only=True,
                    cpuset_cpus=cpuset,
                    labels={RUN_LABEL: run_id},
                )
            container.start()
            code = container.wait()["StatusCode"]
            output: bytes = container.logs(stdout=code == 0, stderr=code != 0)
        finally:
            if container is not None:
                _remove_container(container)
        if code != 0:
            raise UserError(f"{image}: {' '.join(command)} failed: {output.decode(errors='replace').strip()}")
        return output.decode()

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
                _remove_container(reader)

    def up(self, compose_file: Path, project: str, services: list[str]) -> None:
        """Create and start these services of a compose file, and no other. UserError with Compose's reason if it fails,
        EngineError where the reason is the engine: it has gone, or its disk is full.

        Compose runs in a session of its own so that a Ctrl-C reaches it once, from here, and in order.
        """
        command = ["docker", "compose", "--project-name", project, "--file", str(compose_file)]
        command += ["--progress", "quiet", "up", "--detach", "--no-deps", "--no-build", "--pull", "never", *services]
        process: subprocess.Popen[str] | None = None
        try:
            with deferred():
                process = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                    pass_fds=self._inherited,
                )
            output, _ = process.communicate()
        except BaseException:
            if process is not None:
                self._end_command(process)
            raise
        if process.returncode != 0:
            self.ping()
            raise compose_failure(compose_file, output)

    def _end_command(self, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=INTERRUPT_TIMEOUT_S)
        process.kill()
        process.communicate()
        self._settled_at = time.monotonic() + SETTLING_S

    def _containers(self, run_id: str, *labels: str, stopped: bool = True) -> list[Container]:
        wanted = [f"{RUN_LABEL}={run_id}", *labels]
        found: list[Container] = self._client.containers.list(
            all=stopped, filters={"label": wanted}, ignore_removed=True
        )
        return found

    @speaking()
    def server(self, run_id: str, service: str) -> Server:
        """The container of a service of this run. ContainerGone if there is none."""
        found = self._containers(run_id, f"com.docker.compose.service={service}")
        if not found:
            raise ContainerGone(service)
        return Server(found[0])

    @speaking()
    def pids(self, run_id: str) -> list[int]:
        """The first process of each of the run's containers that run, if they run on this machine."""
        running = self._containers(run_id, stopped=False) if self.is_here else []
        return [int(container.attrs["State"]["Pid"]) for container in running]

    @speaking()
    def published_port(self, run_id: str, service: str, port: int) -> int:
        """The port of this machine at which a service's port is published. ContainerGone if it does not run."""
        containers = self._containers(run_id, f"com.docker.compose.service={service}")
        bindings = containers[0].attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp") if containers else None
        if not bindings:
            raise ContainerGone(service)
        return int(bindings[0]["HostPort"])

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
        """Remove every container and network that carries the run's label, and nothing else. Idempotent.

        A request under way when a command was interrupted may still create something: look until it cannot any more.
        """
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while time.monotonic() < deadline:
            containers = self._containers(run_id)
            networks = self._client.networks.list(filters={"label": f"{RUN_LABEL}={run_id}"})
            if not containers and not networks:
                if time.monotonic() > self._settled_at:
                    return
                time.sleep(0.1)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(_remove_container, containers))
            for network in networks:
                with contextlib.suppress(docker.errors.APIError):
                    network.remove()
        raise Breakdown(
            f"run {run_id}: some containers are left; run: docker rm -f $(docker ps -aq -f label={RUN_LABEL}={run_id})"
        )

    @speaking()
    def remove_trial(self, run_id: str, trial_id: str) -> None:
        """Remove whatever there is of a trial. Idempotent."""
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while containers := self._containers(run_id, f"{TRIAL_LABEL}={trial_id}"):
            if time.monotonic() > deadline:
                raise Breakdown(f"trial {trial_id}: its containers cannot be removed")
            for container in containers:
                _remove_container(container)

    @speaking()
    def load_is_gone(self, run_id: str) -> bool:
        """Whether not one of the containers runs that are up across all trials: no trial ends those."""
        load = [container for container in self._containers(run_id) if TRIAL_LABEL not in container.labels]
        return all(container.status != "running" for container in load)

    @speaking()
    def runs(self) -> dict[str, int]:
        """The runs that have containers or networks here, with how many."""
        found: dict[str, int] = {}
        everything = [
            *self._client.containers.list(all=True, filters={"label": RUN_LABEL}, ignore_removed=True),
            *self._client.networks.list(filters={"label": RUN_LABEL}),
        ]
        for item in everything:
            labels = item.labels if isinstance(item, Container) else item.attrs["Labels"]
            found[labels[RUN_LABEL]] = found.get(labels[RUN_LABEL], 0) + 1
        return found


def _remove_container(container: Container) -> None:
    with contextlib.suppress(docker.errors.APIError):
        container.remove(v=True, force=True)
