"""`up` and `down`: the stack of docker-compose.yml with limits and results of the caller, started in one command."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from testbed import names
from testbed.errors import UserError
from testbed.failures import attempt, describe
from testbed.interrupt import undisturbed
from testbed.plan.fields import Cpus, Machine, MemoryBytes
from testbed.stack import images
from testbed.stack.system import PROBE_PREFIX, SERVER_PORT, WEB_PORT
from testbed.units import format_bytes

PROJECT = Path(__file__).resolve().parent.parent.parent
MAX_WORKERS = 64


@dataclass(frozen=True)
class ServerLimits:
    cpus: float
    memory_bytes: int


def check_limits(cpus: float, memory: str, machine: Machine) -> ServerLimits:
    """The limits, bounded as in a sweep file. UserError names the flag, what was found and what is allowed."""
    return ServerLimits(check_cpus(cpus, machine), check_memory(memory, machine))


def check_cpus(cpus: float, machine: Machine) -> float:
    """CPUs of a server. UserError as of `check_limits`."""
    return float(_checked("--cpus", Cpus, cpus, machine))


def check_memory(memory: str, machine: Machine) -> int:
    """Bytes of a server's memory. UserError as of `check_limits`."""
    return int(_checked("--memory", MemoryBytes, memory, machine))


def _checked(flag: str, kind: Any, value: object, machine: Machine) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, context={"machine": machine})
    except ValidationError as error:
        raise UserError(f"{flag}: found {value!r}, allowed: {error.errors()[0]['msg']}") from None


def _compose(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a `docker compose` command on this project's file prints. UserError, one line, if it fails."""
    file = PROJECT / "docker-compose.yml"
    # With a service's name Compose starts it whatever its profile, but it stops and removes only those it is told of.
    done = subprocess.run(
        ["docker", "compose", "--project-directory", str(PROJECT), "--file", str(file), "--profile", "*", *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UserError(explain(arguments[0], done.stderr))
    return done.stdout


def explain(command: str, errors: str) -> str:
    """One line out of what a failed `docker compose` command has printed. Pure."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["no reason given"]
    for line in lines:
        if "already allocated" in line or "already in use" in line:
            port = re.search(r"(?<=127\.0\.0\.1:)\d+", line)
            which = f"port {port[0]} of 127.0.0.1" if port else "a port"
            return f"{which} is in use: stop what uses it (`docker ps` shows containers), then try again"
    return f"docker compose {command} failed: {lines[-1]}"


def up(models: list[str], limits: ServerLimits, workers: int, packet_log: bool, say: Callable[[str], None]) -> None:
    """Start these models and Locust, wait until they are healthy, and say where they answer."""
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"--workers: found {workers}, allowed: a whole number from 1 to {MAX_WORKERS}")
    images.build_missing((*models, *names.COMPANIONS), say)
    environment = {
        "SERVER_CPUS": str(limits.cpus),
        "SERVER_MEMORY": str(limits.memory_bytes),
        "PACKET_LOG": "1" if packet_log else "",
    }
    # Each with its probe, whose figures the page shows.
    services = [*models, *(f"{PROBE_PREFIX}{model}" for model in models), "locust", "worker"]
    running = _compose("ps", "--services").split()
    say(f"starting {', '.join(services)} ...")
    try:
        _compose("up", "--detach", "--wait", "--scale", f"worker={workers}", *services, environment=environment)
    except BaseException:
        # Half of it would only be in the way of the next try, also after a Ctrl-C; what ran before goes on.
        with undisturbed():
            for error in attempt(partial(_remove_new, services, running)):
                say(f"warning: something is left: {describe(error)}; to remove it: orchestrate.py down")
        raise
    for model in models:
        address = _compose("port", model, str(SERVER_PORT)).strip()
        say(f"{model}: {address}, {limits.cpus:g} CPUs, {format_bytes(limits.memory_bytes)}")
    say(f"Locust: http://{_compose('port', 'locust', str(WEB_PORT)).strip()}")
    say("to remove it: .venv/bin/python orchestrate.py down")


def containers(model: str) -> list[tuple[str, str]]:
    """Id and service of each container that runs of this model: the one of its name, or the numbered ones."""
    lines = _compose("ps", "--status", "running", "--format", "{{.ID}} {{.Service}}").splitlines()
    pairs = (line.split() for line in lines)
    mine = [(container_id, service) for container_id, service in pairs if re.fullmatch(rf"{model}(-\d+)?", service)]
    return sorted(mine, key=lambda one: (len(one[1]), one[1]))


def _remove_new(services: list[str], running: list[str]) -> None:
    """Remove these services but for those that ran before."""
    if running:
        _compose("rm", "--stop", "--force", *(service for service in services if service not in running))
    else:
        down()


def down() -> None:
    """Stop and remove the containers and the network of docker-compose.yml; the results volume stays."""
    _compose("down")
