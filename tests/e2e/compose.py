"""`docker compose` with the project's own file, as a person types it, under a name and on ports of its own."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers.models import SERVERS
from testbed.names import FRONTS

PROJECT = Path(__file__).parents[2]


class Compose:
    """`docker compose` with this project's file, under a name and on ports that are nobody else's."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self._file = file
        self._command = ["docker", "compose", "--project-name", name, "--project-directory", str(PROJECT)]
        self._command += ["--file", str(file), "--progress", "quiet"]

    def __call__(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def typed(self, line: str) -> str:
        """A line as a person types it into a shell in the project's directory."""
        environment = {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_FILE": str(self._file), "COMPOSE_PROGRESS": "quiet"}
        done = subprocess.run(
            ["sh", "-ec", line],
            env={**os.environ, **environment},
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
def own_compose(directory: Path) -> Iterator[Compose]:
    """The compose file on free ports of the kernel's choice; everything it made is removed at the end of the block."""
    text = (PROJECT / "docker-compose.yml").read_text()
    text, of_models = re.subn(r'"127\.0\.0\.1:\$\{SERVER_PORT-\d+\}:', '"127.0.0.1:${SERVER_PORT-}:', text)
    assert of_models == len(SERVERS)
    text, of_others = re.subn(r'"127\.0\.0\.1:\d+:(\d+)"', r'"127.0.0.1::\1"', text)
    assert of_others == 1 + 2 * len(FRONTS)
    file = directory / "docker-compose.yml"
    file.write_text(text)
    compose = Compose(f"threadmill-test-{secrets.token_hex(4)}", file)
    try:
        yield compose
    finally:
        compose("--profile", "*", "down", "--volumes", "--timeout", "10")
        assert left_of(compose.name) == []
