"""`docker compose` with the project's own file, as a person types it, under a name and on ports of its own."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


# Free ones of the kernel's choice.
ANY_PORTS = dict.fromkeys(("SERVER_PORT", "FRONT_PORT", "FRONT_PAGE_PORT", "WEB_PORT"), "")


class Compose:
    """`docker compose` with this project's file, under a name and on ports that are nobody else's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = {**ANY_PORTS, "COMPOSE_PROJECT_NAME": name, "COMPOSE_PROGRESS": "quiet"}

    def __call__(self, *arguments: str, **environment: str) -> str:
        return self._run(["docker", "compose", *arguments], environment)

    def typed(self, line: str, **environment: str) -> str:
        """A line as a person types it into a shell in the project's directory."""
        return self._run(["sh", "-ec", line], environment)

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment, **environment},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def services(self) -> list[str]:
        return sorted(self("ps", "--all", "--format", "{{.Service}}").split())

    def address(self, service: str, port: int, number: int = 1) -> tuple[str, int]:
        """Of the container of this number."""
        host, _, published = self("port", "--index", str(number), service, str(port)).strip().partition(":")
        return host, int(published)

    def container(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(docker("inspect", self("ps", "--all", "--quiet", service).strip()))
        return dict(found)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def left_of(project: str, volumes: bool = True) -> list[str]:
    mine = ("--quiet", "--filter", f"label=com.docker.compose.project={project}")
    kinds = (("container", "ls", "--all"), ("network", "ls"), *([("volume", "ls")] if volumes else []))
    return [line for kind in kinds for line in docker(*kind, *mine).split()]


@contextmanager
def own_compose() -> Iterator[Compose]:
    """The compose file on free ports of the kernel's choice; everything it made is removed at the end of the block."""
    compose = Compose(f"threadmill-test-{secrets.token_hex(4)}")
    try:
        yield compose
    finally:
        compose("--profile", "*", "down", "--volumes", "--timeout", "10")
        assert left_of(compose.name) == []
