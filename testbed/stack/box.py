"""A container that runs, seen through the engine that runs it."""

import contextlib
from typing import Any

import docker.errors
from docker.models.containers import Container

from testbed.errors import UserError
from testbed.interrupt import deferred
from testbed.stack.engine import Exit
from testbed.stack.leftovers import remove_container
from testbed.stack.services import RUN_LABEL
from testbed.stack.speaking import speaking

# How long a server may take to drain before it is killed: a second more than DRAIN_TIMEOUT's default.
STOP_TIMEOUT_S = 6


class RunningBox:
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

    @property
    def id(self) -> str:
        return str(self.container.id)

    @property
    def address(self) -> str:
        """Its address in the network it is in, as of the last look at it; empty where it is in none."""
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        return next((str(one["IPAddress"]) for one in networks.values()), "")

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
    def kill(self) -> None:
        """End it by SIGKILL, and leave it where it is."""
        with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):
            self.container.kill()

    @speaking()
    def freeze(self) -> None:
        """From now on none of its processes runs; their connections stay. UserError where the engine refuses."""
        try:
            self.container.pause()
        except docker.errors.APIError as error:
            raise UserError(f"cannot be paused: {error.explanation or error}") from None

    @speaking()
    def thaw(self) -> None:
        """They run again."""
        with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):
            self.container.unpause()

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


def run_once(client: Any, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
    """Run a short command in a fresh container without limits, on these processors, and return what it prints.

    UserError if it fails.
    """
    container: Container | None = None
    try:
        with deferred():
            container = client.containers.create(
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
            remove_container(container)
    if code != 0:
        raise UserError(f"{image}: {' '.join(command)} failed: {output.decode(errors='replace').strip()}")
    return output.decode()
