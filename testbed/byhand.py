"""`up` and `down`: the stack of docker-compose.yml with limits and results of the caller, started in one command."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from testbed import images
from testbed.errors import UserError
from testbed.fields import Cpus, Machine, MemoryBytes
from testbed.sweep import load_user

PROJECT = Path(__file__).resolve().parent.parent
MAX_WORKERS = 64


@dataclass(frozen=True)
class ServerLimits:
    cpus: float
    memory_bytes: int


def check_limits(cpus: float, memory: str, machine: Machine) -> ServerLimits:
    """The limits, bounded as in a sweep file. UserError names the flag, what was found and what is allowed."""
    return ServerLimits(_checked("--cpus", Cpus, cpus, machine), _checked("--memory", MemoryBytes, memory, machine))


def _checked(flag: str, kind: Any, value: object, machine: Machine) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, context={"machine": machine})
    except ValidationError as error:
        raise UserError(f"{flag}: found {value!r}, allowed: {error.errors()[0]['msg']}") from None


def _compose(*arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [
        "docker",
        "compose",
        "--project-directory",
        str(PROJECT),
        "--file",
        str(PROJECT / "docker-compose.yml"),
        *arguments,
    ]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
    if in_use := next((line for line in lines if "already allocated" in line or "already in use" in line), None):
        raise UserError(f"a port is in use: {in_use}; stop what uses it, or see `docker ps`")
    raise UserError(f"docker compose {arguments[0]} failed: {lines[-1]}")


def up(models: list[str], limits: ServerLimits, workers: int, packet_log: bool, say: Callable[[str], None]) -> None:
    """Start these models and Locust, wait until they are healthy, and say where they answer."""
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"--workers: found {workers}, allowed: a whole number from 1 to {MAX_WORKERS}")
    images.build_missing((*models, "locust"), say)
    uid, gid = load_user()
    environment = {
        "SERVER_CPUS": str(limits.cpus),
        "SERVER_MEMORY": str(limits.memory_bytes),
        "LOAD_USER": f"{uid}:{gid}",
        "PACKET_LOG": "1" if packet_log else "",
    }
    _compose(
        "up", "--detach", "--wait", "--scale", f"worker={workers}", *models, "locust", "worker", environment=environment
    )


def down() -> None:
    """Stop and remove the containers and the network of docker-compose.yml; the results volume stays."""
    _compose("down")
