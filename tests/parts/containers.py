"""Containers of parts as a trial has them: hardened, limited, of any user, in a network of their own."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.names import image_name
from tests.e2e.compose import docker

PASSWORD = "secret-of-a-test"
# Nobody: neither of the image's /etc/passwd nor of this machine's.
SOMEBODY = "23456:34567"


class Containers:
    """Starts parts by name; each finds the others by that name."""

    def __init__(self, run: str) -> None:
        self.run = run

    def start(
        self, image: str, name: str = "", cpus: float = 1.0, memory: str = "256m", sysctl: str = "", **told: str
    ) -> str:
        """The id of a container of this image, told this; `name` is what others call it."""
        command = ["run", "--detach", "--network", self.run, "--network-alias", name or image, "--label", self.run]
        command += ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        command += ["--user", SOMEBODY, "--pids-limit", "1024"]
        command += ["--cpus", str(cpus), "--memory", memory, "--memory-swap", memory]
        command += ["--sysctl", sysctl] if sysctl else []
        everything = {"BEHIND_PASSWORD": PASSWORD, "CPUS": str(cpus), "MEMORY_BYTES": str(256 * 2**20), **told}
        command += [f"--env={key}={value}" for key, value in everything.items()]
        return docker(*command, image_name(image)).strip()

    def python(self, script: str, *arguments: str) -> str:
        """What a program says that has the drivers of brokers, in this network."""
        command = ["run", "--rm", "--network", self.run, "--label", self.run, "--entrypoint", "python3"]
        return docker(*command, image_name("consumer"), "-c", script, *arguments)


def address(container: str) -> str:
    (network,) = state(container)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def state(container: str) -> dict[str, Any]:
    (found,) = json.loads(docker("inspect", container))
    return dict(found)


def stop(container: str) -> int:
    """Its exit code."""
    docker("stop", "--time", "10", container)
    return int(state(container)["State"]["ExitCode"])


def said(container: str) -> list[str]:
    return docker("logs", container).splitlines()


def inside(container: str, path: str) -> list[str]:
    """The lines of a file in a running container; none where there is no such file."""
    done = subprocess.run(["docker", "exec", container, "cat", path], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


@contextmanager
def containers() -> Iterator[Containers]:
    """All of them are gone afterwards."""
    run = f"test-{secrets.token_hex(4)}"
    docker("network", "create", "--label", run, run)
    try:
        yield Containers(run)
    finally:
        left = docker("ps", "--all", "--quiet", "--filter", f"label={run}").split()
        if left:
            docker("rm", "--force", *left)
        docker("network", "rm", run)
