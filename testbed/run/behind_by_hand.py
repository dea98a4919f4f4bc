"""`up --behind`: a server, what stands behind it, a probe beside each, and Locust's page, without a sweep."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from testbed import names
from testbed.errors import UserError, attempt, describe
from testbed.files import write_atomically
from testbed.interrupt import undisturbed
from testbed.parts import behind
from testbed.parts.standing import Standing
from testbed.plan import sweepfile, trials
from testbed.plan.behind import Behind, written
from testbed.plan.behind_values import Stands, label, of_text
from testbed.plan.fields import Machine
from testbed.plan.trials import Trial
from testbed.run.preparation import load_user
from testbed.stack import by_hand, compose, face, http_by_hand, images, load_services, server_services, system
from testbed.stack.by_hand import MAX_WORKERS, ServerLimits
from testbed.stack.naming import LOAD_STORE, MASTER, SERVER_PORT, WEB_PORT
from testbed.stack.run import Run
from testbed.stack.secret import environment, password
from testbed.stack.services import DEFAULT_NETWORK, Network, Service, Stack
from testbed.units import format_bytes

FILE = "compose.yaml"
# Python under a small CPU limit takes seconds to start.
_ECHO_TIMEOUT_S = 30.0
_ECHO_INTERVAL_S = 0.2
_LOAD = "load"


def read(given: str, machine: Machine) -> str:
    """The canonical text of what was typed: a name such as `postgres`, or a mapping as in a sweep file. UserError names
    the flag, what was found and what is allowed."""
    try:
        value = yaml.safe_load(given)
    except yaml.YAMLError:
        raise UserError(f"--behind: found {given!r}, allowed: a name, or a mapping as in a sweep file") from None
    try:
        return TypeAdapter[str](Stands).validate_python(value, context={"machine": machine})
    except ValidationError as error:
        (details, *_) = error.errors()
        at = ".".join(str(part) for part in details.get("ctx", {}).get("at", ()))
        raise UserError(f"--behind{f' {at}' if at else ''}: found {given!r}, allowed: {details['msg']}") from None


def trial_of(model: str, limits: ServerLimits, stands: str, machine: Machine, http: bool = False) -> Trial:
    """A trial of this model with these limits and that behind it. UserError where all of it is more than there is."""
    asked = {
        "name": "up",
        "models": model,
        "limits": {"cpus": limits.cpus, "memory": f"{limits.memory_bytes}B"},
        "behind": written(stands),
        **({"workload": {"protocol": face.HTTP}} if http else {}),
    }
    (trial,) = trials.trials(sweepfile.parse(yaml.safe_dump(asked), Path("up"), machine))
    return trial


def stack_of(run: Run, trial: Trial) -> Stack:
    """Everything: what stands behind, the server under its model's name, probes that tell Locust's page, and Locust.
    Pure."""
    (server,) = (behind.with_behind(one, trial) for one in server_services.servers(run, trial))
    boxes = [*behind.services(run, trial), replace(server, published=(SERVER_PORT,))]
    master, *load = load_services.load_services(run, [trial.cell.model])
    load = [face.preset(master, trial.cell.protocol), *load]
    services = [*load, *boxes, *(_probe(run, trial, box) for box in boxes)]
    # Nothing of a sweep's: those remove what carries the label of a run.
    return Stack(run.project, tuple(replace(one, labels={}) for one in services), (Network(DEFAULT_NETWORK),))


def _probe(run: Run, trial: Trial, box: Service) -> Service:
    pushing = ("--push", f"http://{MASTER}:{WEB_PORT}/threadmill/samples", "--model", box.name)
    probe = system.probe(run, trial, box, box.name)
    return replace(probe, command=pushing, network=box.network, mounts=())


def up(
    model: str,
    limits: ServerLimits,
    workers: int,
    stands: str,
    machine: Machine,
    directory: Path,
    say: Callable[[str], None],
    http: bool = False,
) -> None:
    """Start all of it, wait until it works, and say where it answers. The Compose file goes to `directory`. UserError,
    one line, where it cannot be; then nothing of it is left."""
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"--workers: found {workers}, allowed: a whole number from 1 to {MAX_WORKERS}")
    found = of_text(stands)
    if found is None:
        raise UserError("--behind: found none, allowed: what is to stand behind the server, or no --behind")
    trial = trial_of(model, limits, stands, machine, http)
    images.build_missing((trial.cell.image, *found.images, *names.COMPANIONS), say)
    uid, gid = load_user()
    run = Run("by-hand", by_hand.PROJECT_NAME, f"{uid}:{gid}", workers)
    stack = stack_of(run, trial)
    file = _laid_out(stack, directory, (uid, gid))
    ask = partial(by_hand.compose_with, file, environment=environment())
    say(f"starting {', '.join(service.name for service in stack.services)} ...")
    try:
        ask("up", "--detach", "--remove-orphans")
        _until_it_works(found, ask, trial)
    except BaseException:
        with undisturbed():
            for error in attempt(partial(ask, "down", "--timeout", "0")):
                say(f"warning: something is left: {describe(error)}; to remove it: orchestrate.py down")
        raise
    _say_where(trial, found, stack, ask, file, say)


def _laid_out(stack: Stack, directory: Path, owner: tuple[int, int]) -> Path:
    load = directory / _LOAD
    load.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(load, *owner)
    file = directory / FILE
    write_atomically(file, compose.compose_text(compose.project(stack, {LOAD_STORE: f"./{_LOAD}"})))
    return file


def _published(ask: Callable[..., str], service: str, port: int) -> tuple[str, int]:
    host, _, number = ask("port", service, str(port)).strip().rpartition(":")
    return host, int(number)


def _until_it_works(found: Behind, ask: Callable[..., str], trial: Trial) -> None:
    standing = Standing.of(found, partial(_published, ask), password())
    lacking = standing.wait_until_ready(lambda: None)
    standing.close()
    if lacking:
        raise UserError(f"{lacking}; `docker logs {by_hand.PROJECT_NAME}-{lacking.split()[0]}-1` says why")
    model = trial.cell.model
    if trial.cell.protocol == face.HTTP:
        why = f"{model} answers no request; `docker logs {by_hand.PROJECT_NAME}-{model}-1` says why"
        http_by_hand.until_it_answers(ask("port", model, str(SERVER_PORT)).strip(), why)
        return
    deadline = time.monotonic() + _ECHO_TIMEOUT_S
    while not _echoes(*_published(ask, model, SERVER_PORT)):
        if time.monotonic() > deadline:
            raise UserError(f"{model} does not answer; `docker logs {by_hand.PROJECT_NAME}-{model}-1` says why")
        time.sleep(_ECHO_INTERVAL_S)


def _echoes(host: str, port: int) -> bool:
    """Whether a line comes back: the engine takes connections before the server does."""
    line = b"hello\n"
    try:
        with socket.create_connection((host, port), _ECHO_TIMEOUT_S) as connection:
            connection.sendall(line)
            return connection.recv(len(line)) == line
    except OSError:
        return False


def _say_where(
    trial: Trial, found: Behind, stack: Stack, ask: Callable[..., str], file: Path, say: Callable[[str], None]
) -> None:
    cell = trial.cell
    parts = [service.name for service in stack.of_role("store", "broker", "consumer")]
    host, port = _published(ask, cell.model, SERVER_PORT)
    say(f"{cell.model}: {host}:{port}, {cell.cpus:g} CPUs, {format_bytes(cell.memory_bytes)}")
    say(f"behind it: {label(cell.behind)}: {', '.join(parts)}")
    host_of_page, page = _published(ask, MASTER, WEB_PORT)
    say(f"Locust: http://{host_of_page}:{page}")
    for line in shown_at_work(found):
        if cell.protocol == face.HTTP:
            say(f"at work: {http_by_hand.curl(f'{host}:{port}', line.removeprefix('!'))}")
        else:
            say(f"at work: printf '{line}\\n' | nc -q 1 {host} {port}")
    say(f"the Compose file: {file}; it wants {', '.join(environment())} in its environment")
    say("to remove it: .venv/bin/python orchestrate.py down")


def shown_at_work(found: Behind) -> list[str]:
    """Lines that a person can send to see it work. Pure."""
    if found.kind == "broker":
        return ["!send=7"]
    every = ["!read=all"] if found.needs_all else []
    return ["!write=7", "!read=7", *every]
