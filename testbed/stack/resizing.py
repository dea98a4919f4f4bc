"""Setting the limits of running containers anew.

By Docker's command line: docker-py's `update_container` knows no NanoCpus, in which Compose has set the limit, and the
engine takes no quota beside it ("Conflicting options").
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from testbed.errors import EngineError, EngineGone, UserError
from testbed.plan.fields import Machine
from testbed.plan.pools import has_workers
from testbed.stack import by_hand
from testbed.units import format_bytes

# The engine does it in a tenth of a second.
TIMEOUT_S = 30


@dataclass(frozen=True)
class InForce:
    """The limits of a container. None: it has none."""

    cpus: float | None
    memory_bytes: int | None

    def __str__(self) -> str:
        cpus = "no limit of CPUs" if self.cpus is None else f"{self.cpus:g} CPU{'' if self.cpus == 1 else 's'}"
        return f"{cpus}, {'no limit of memory' if self.memory_bytes is None else format_bytes(self.memory_bytes)}"


def _docker(*arguments: str, endpoint: str | None = None) -> str:
    """What a `docker` command prints. UserError with its last line if it fails, EngineError where the engine is why.
    `endpoint`: of another engine than the one that the command uses by itself."""
    elsewhere = () if endpoint is None else ("--host", endpoint)
    try:
        done = subprocess.run(
            ["docker", *elsewhere, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"docker {arguments[0]} did not end within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise _failure(arguments[0], done.stderr)
    return done.stdout


def _failure(command: str, errors: str) -> UserError | EngineGone:
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["no reason given"]
    if re.search("cannot connect to the docker daemon|failed to connect to the docker api", lines[-1], re.IGNORECASE):
        return EngineGone(f"docker {command}: {lines[-1]}")
    return UserError(f"docker {command} failed: {lines[-1].removeprefix('Error response from daemon: ')}")


def in_force(container_id: str, endpoint: str | None = None) -> InForce:
    """The limits of a container as the engine has them. UserError where there is no such container."""
    (found,) = json.loads(_docker("container", "inspect", container_id, endpoint=endpoint))
    host: dict[str, Any] = found["HostConfig"]
    cpus = host["NanoCpus"] / 1e9 or (host["CpuQuota"] / (host["CpuPeriod"] or 100_000) if host["CpuQuota"] > 0 else 0)
    return InForce(cpus or None, host["Memory"] or None)


def set_limits(
    container_id: str, cpus: float | None = None, memory_bytes: int | None = None, endpoint: str | None = None
) -> None:
    """Set the limits of a running container; None leaves one as it is. Memory is without swap, as it was.

    UserError where the engine refuses, and for less memory than is in use: version 1 of control groups refuses that,
    and version 2 would end the container for it.
    """
    options: list[str] = []
    if cpus is not None:
        options += ["--cpus", f"{cpus:g}"]
    if memory_bytes is not None:
        _refuse_less_than_used(container_id, memory_bytes, endpoint)
        # One of them alone would leave the other below or above it.
        options += ["--memory", str(memory_bytes), "--memory-swap", str(memory_bytes)]
    if not options:
        return
    try:
        _docker("update", *options, container_id, endpoint=endpoint)
    except UserError as error:
        used = re.search(r"unable to set memory limit to \d+ \(current usage: (\d+)", str(error))
        raise (error if used is None else _too_little(memory_bytes or 0, int(used[1]))) from None


def _refuse_less_than_used(container_id: str, memory_bytes: int, endpoint: str | None) -> None:
    limit = in_force(container_id, endpoint).memory_bytes
    if limit is not None and memory_bytes >= limit:
        return
    used = _used_bytes(container_id, endpoint)
    if used >= memory_bytes:
        raise _too_little(memory_bytes, used)


def _too_little(memory_bytes: int, used: int) -> UserError:
    return UserError(
        f"memory: found {format_bytes(memory_bytes)}, allowed: more than is in use, {format_bytes(used)} (memory that "
        "is in use cannot be taken from a running server)"
    )


def _used_bytes(container_id: str, endpoint: str | None = None) -> int:
    """What a container uses of its memory, without what of its files the kernel can drop."""
    told = _docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container_id, endpoint=endpoint)
    shown = told.split("/")[0].strip()
    number = re.fullmatch(r"([\d.]+)([KMGT]?i?B)", shown)
    sizes = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
    if number is None or number[2] not in sizes:
        raise EngineError(f"docker stats: found {shown!r} for the memory in use")
    return int(float(number[1]) * sizes[number[2]])


# --- by hand ---


def scale(model: str, cpus: float | None, memory: str | None, machine: Machine, say: Callable[[str], None]) -> None:
    """Set the limits of each container of a server that `up` or Compose has started, and say what was and what is.

    UserError names the flag or the model, what was found and what is allowed.
    """
    if cpus is None and memory is None:
        raise UserError("scale: found neither --cpus nor --memory, allowed: at least one of them")
    wanted_cpus = None if cpus is None else by_hand.check_cpus(cpus, machine)
    wanted_memory = None if memory is None else by_hand.check_memory(memory, machine)
    containers = by_hand.containers(model).ids
    if not containers:
        raise UserError(f"{model}: found none that runs, allowed: what `orchestrate.py up {model}` has started")
    _refuse_more_than_there_is(len(containers), wanted_cpus, wanted_memory, machine)
    for container_id, name in containers:
        was = in_force(container_id)
        set_limits(container_id, wanted_cpus, wanted_memory)
        say(f"{name}: was {was}; is {in_force(container_id)}")
    if wanted_cpus is not None and has_workers(model):
        say(f"{model} keeps the processes of its pool: their number was decided at its start")


def _refuse_more_than_there_is(count: int, cpus: float | None, memory_bytes: int | None, machine: Machine) -> None:
    if cpus is not None and cpus * count > machine.cpus:
        raise UserError(
            f"--cpus: found {cpus:g} for each of {count}, {cpus * count:g} in all, allowed: at most the {machine.cpus} "
            "CPUs of this machine"
        )
    if memory_bytes is not None and memory_bytes * count > machine.memory_bytes:
        raise UserError(
            f"--memory: found {format_bytes(memory_bytes)} for each of {count}, allowed: at most the "
            f"{format_bytes(machine.memory_bytes)} of this machine together"
        )
