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
from testbed.errors import UserError, attempt, describe
from testbed.interrupt import undisturbed
from testbed.plan.cell import NO_SIDECAR
from testbed.plan.fields import Cpus, Machine, MemoryBytes
from testbed.stack import gateway_by_hand, http_by_hand, images, scale_by_hand
from testbed.stack.gateway_by_hand import Admission
from testbed.stack.naming import FRONT_PAGE_PORT, PROBE_PREFIX, SERVER_PORT, WEB_PORT
from testbed.stack.scale_by_hand import Scale
from testbed.units import format_bytes

PROJECT = Path(__file__).resolve().parent.parent.parent
# Of docker-compose.yml, too.
PROJECT_NAME = "threadmill"
MAX_WORKERS = 64
# HAProxy answers before the engine's DNS has told it of a server. A try takes as long as a container takes to start.
_TRIES = 10


@dataclass(frozen=True)
class ServerLimits:
    cpus: float
    memory_bytes: int


def check_limits(cpus: float | None, memory: str, machine: Machine, scale: Scale = Scale()) -> ServerLimits:  # noqa: B008 - frozen
    """The limits, bounded as in a sweep file. UserError names the flag, what was found and what is allowed."""
    if scale.is_proxied:
        _checked("--front-cpus", Cpus, scale.front_cpus, machine)
    wanted = scale_by_hand.default_cpus(scale, machine) if cpus is None else cpus
    limits = ServerLimits(check_cpus(wanted, machine), check_memory(memory, machine))
    scale_by_hand.check_sum(scale, limits.cpus, limits.memory_bytes, machine)
    return limits


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
    return compose_with(PROJECT / "docker-compose.yml", *arguments, environment=environment)


def compose_with(file: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """The same on another file of ours."""
    # With a service's name Compose starts it whatever its profile, but it stops and removes only those it is told of.
    command = ["docker", "compose", "--project-directory", str(file.parent), "--file", str(file), "--profile", "*"]
    done = subprocess.run(
        [*command, *arguments],
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


def up(
    models: list[str],
    limits: ServerLimits,
    workers: int,
    packet_log: bool,
    say: Callable[[str], None],
    scale: Scale = Scale(),  # noqa: B008 - frozen
    http: bool = False,
    admission: Admission = Admission(),  # noqa: B008 - frozen
) -> None:
    """Start these models and Locust, wait until they are healthy, and say where they answer. With a `scale` of several
    containers or with a front there is one model. `http`: those that speak it, each by the name of its image.
    `admission`: what a gateway lets through."""
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"--workers: found {workers}, allowed: a whole number from 1 to {MAX_WORKERS}")
    models = [names.http_name(model) for model in models] if http else models
    fronts = [scale.front] if scale.is_proxied else []
    sidecars = [scale.sidecar] if scale.sidecar != NO_SIDECAR else []
    images.build_missing((*models, *map(names.front_image, fronts), *sidecars, *names.COMPANIONS), say)
    environment = {
        "SERVER_CPUS": str(limits.cpus),
        "SERVER_MEMORY": str(limits.memory_bytes),
        "PACKET_LOG": "1" if packet_log else "",
        **scale_by_hand.variables(scale, models[0]),
        **gateway_by_hand.variables(admission),
        **({"MORE_TARGETS": ",".join(models), "PROTOCOL": "http"} if http else {}),
    }
    # Each with its probe, whose figures the page shows.
    probes = models if scale.is_single else scale_by_hand.probes(scale, models[0])
    beside = [scale_by_hand.SIDECAR_SERVICE] * len(sidecars)
    services = [*models, *beside, *fronts, *(f"{PROBE_PREFIX}{name}" for name in probes), "locust", "worker"]
    counts = ["--scale", f"worker={workers}"]
    if scale.replicas > 1:
        counts += ["--scale", f"{models[0]}={scale.replicas}"]
    running = _compose("ps", "--services").split()
    say(f"starting {', '.join(services)} ...")
    try:
        _compose("up", "--detach", "--wait", *counts, *services, environment=environment)
        if http:
            _until_all_answer(models, fronts, scale.replicas, admission.key)
        else:
            for front in fronts:
                _until_it_hands_on(front, models[0], environment)
    except BaseException:
        # Half of it would only be in the way of the next try, also after a Ctrl-C; what ran before goes on.
        with undisturbed():
            for error in attempt(partial(_remove_new, services, running)):
                say(f"warning: something is left: {describe(error)}; to remove it: orchestrate.py down")
        raise
    for model in models:
        size = f"{limits.cpus:g} CPUs, {format_bytes(limits.memory_bytes)}"
        for number in range(1, scale.replicas + 1):
            name = model if scale.replicas == 1 else f"{model}-{number}"
            say(f"{name}: {_address(model, SERVER_PORT, number)}, {size}")
    for sidecar in sidecars:
        say(f"{sidecar}: beside {models[0]}, takes all that comes for it")
    for front in fronts:
        page = f"http://{_address(front, FRONT_PAGE_PORT)}"
        say(f"{front}: {_address(front, SERVER_PORT)}, {scale.front_cpus:g} CPUs, before {models[0]}; its page: {page}")
    if http:
        for one in fronts or models:
            say(f"at work: {http_by_hand.curl(_address(one, SERVER_PORT), key=admission.key)}")
    if admission.key:
        say(f"without {http_by_hand.KEY_HEADER} it answers 401; Locust's page has a field for the key")
    if not scale.is_single or sidecars:
        say(f"the same without this: {_as_typed(environment, counts, services)}")
    say(f"Locust: http://{_compose('port', 'locust', str(WEB_PORT)).strip()}")
    say("to remove it: .venv/bin/python orchestrate.py down")


@dataclass(frozen=True)
class Containers:
    """Those of a model that run. `service`: what docker-compose.yml calls them."""

    service: str
    ids: tuple[tuple[str, str], ...] = ()
    """Id and name of each. Of several they are numbered, as `up` says them."""


def containers(model: str) -> Containers:
    """Those of this model that run; of one that speaks lines and HTTP side by side, those that speak lines."""
    lines = _compose("ps", "--status", "running", "--format", "{{.ID}} {{.Service}} {{.Name}}").splitlines()
    fields = [line.split() for line in lines]
    for wanted in (model, names.http_name(model)):
        mine = [(int(name.rpartition("-")[2]), container) for container, service, name in fields if service == wanted]
        if mine:
            called = ((one, f"{wanted}-{number}" if len(mine) > 1 else wanted) for number, one in sorted(mine))
            return Containers(wanted, tuple(called))
    return Containers(model)


def grow(service: str, count: int, companions: list[str], environment: dict[str, str]) -> None:
    """Have so many containers of this service, which is more than there are, and start `companions`, which look into
    them. What runs stays as it is. Returns once all are healthy; UserError, one line, where they do not come to it."""
    scale = ("--scale", f"{service}={count}")
    _compose("up", "--detach", "--wait", "--no-recreate", *scale, service, *companions, environment=environment)


def _address(service: str, port: int, number: int = 1) -> str:
    return _compose("port", "--index", str(number), service, str(port)).strip()


def _until_all_answer(services: list[str], fronts: list[str], replicas: int, key: str = "") -> None:
    """Have an HTTP request answered by each container, and through the front. UserError as of `_until_it_hands_on`."""
    for service in services:
        for number in range(1, replicas + 1):
            where = _address(service, SERVER_PORT, number)
            http_by_hand.until_it_answers(where, f"{service} answers no request; docker compose logs {service}")
    for front in fronts:
        where = _address(front, SERVER_PORT)
        http_by_hand.until_it_answers(
            where, f"{front} hands no request on to {services[0]}; docker compose logs {front}", key
        )


def _until_it_hands_on(front: str, model: str, environment: dict[str, str]) -> None:
    """Have a line echoed through it. UserError, one line, where none comes back."""
    for tries_left in reversed(range(_TRIES)):
        try:
            _compose("run", "--rm", "--no-deps", "-T", "client", front, "hello", environment=environment)
            return
        except UserError as error:
            if not tries_left:
                reason = str(error).rpartition("client: ")[2]
                raise UserError(f"{front} hands no line on to {model}: {reason}; docker compose logs {front}") from None


def _as_typed(environment: dict[str, str], counts: list[str], services: list[str]) -> str:
    """The command that a person types for it. With each variable, also an empty one: Compose makes a container anew for
    one that is empty and was not set."""
    said = [f"{name}={value}" for name, value in environment.items()]
    # Locust brings one worker along by itself.
    services = [name for name in services if name != "worker"]
    return " ".join([*said, "docker compose up --detach", *counts, *services])


def _remove_new(services: list[str], running: list[str]) -> None:
    """Remove these services but for those that ran before. At once: they have nothing to save, and a program that has
    just started may not know yet that it can be told to end."""
    if running:
        new = [service for service in services if service not in running]
        _compose("stop", "--timeout", "0", *new)
        _compose("rm", "--force", *new)
    else:
        _compose("down", "--timeout", "0")


def down() -> None:
    """Stop and remove the containers and the network of docker-compose.yml, and of what `up --behind` has made; the
    results volume stays."""
    _compose("down", "--remove-orphans")
