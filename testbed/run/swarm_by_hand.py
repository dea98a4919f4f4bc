"""`up` and `down` on a Swarm: servers, probes and Locust's page over its nodes, without a sweep."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from testbed import names
from testbed.errors import UserError
from testbed.interrupt import undisturbed
from testbed.plan import sweepfile, trials
from testbed.plan.fields import Machine
from testbed.stack import face, http_by_hand, images, load_services, server_services, system
from testbed.stack.by_hand import MAX_WORKERS, ServerLimits
from testbed.stack.naming import MASTER, PROBE_PREFIX, SERVER_PORT, WEB_PORT
from testbed.stack.run import Run
from testbed.stack.services import RUN_LABEL, Network, Service, Stack
from testbed.stack.swarm.engine import SwarmEngine
from testbed.stack.swarm.labelled import BY_HAND
from testbed.units import format_bytes


def stack_of(
    models: Sequence[str], limits: ServerLimits, workers: int, user: str, machine: Machine, http: bool = False
) -> Stack:
    """What `up` starts: Locust, each model with these limits, and a probe beside it that tells Locust's page. Pure."""
    run = Run(BY_HAND, f"threadmill-{BY_HAND}", user, workers, networks=machine.networks)
    protocol = face.HTTP if http else "line"
    master, *load = load_services.load_services(run, models)
    servers: list[Service] = []
    probes: list[Service] = []
    for model in models:
        asked = f"name: up\nmodels: {model}\nlimits: {{cpus: {limits.cpus:g}, memory: {limits.memory_bytes}B}}\n"
        asked += f"workload: {{protocol: {protocol}}}\n"
        (trial,) = trials.trials(sweepfile.parse(asked, Path("up"), machine))
        (server,) = server_services.servers(run, trial)
        # What `up` says answers has to: a task with a check of its own runs once it is healthy.
        servers.append(replace(server, published=(SERVER_PORT,), checked_inside=True))
        pushing = ("--push", f"http://{MASTER}:{WEB_PORT}/threadmill/samples", "--model", model)
        probe = system.probe(run, trial, server, model)
        probes.append(replace(probe, command=pushing, network=server.network, mounts=()))
    networks = (Network(servers[0].network or "", {RUN_LABEL: BY_HAND}, spans_machines=True),)
    return Stack(run.project, (face.preset(master, protocol), *load, *servers, *probes), networks)


def up(
    engine: SwarmEngine,
    models: Sequence[str],
    limits: ServerLimits,
    workers: int,
    user: str,
    directory: Path,
    say: Callable[[str], None],
    http: bool = False,
) -> None:
    """Start these models and Locust on the nodes of a Swarm, and say where they answer. The stack file goes to
    `directory`. UserError, one line, where it cannot be; then nothing of it is left."""
    if not 1 <= workers <= MAX_WORKERS:
        raise UserError(f"--workers: found {workers}, allowed: a whole number from 1 to {MAX_WORKERS}")
    needed = (*(names.http_name(model) if http else model for model in models), *names.COMPANIONS)
    images.build_missing(needed, say)
    engine.bring_images([names.image_name(name) for name in needed], say)
    machine = Machine(engine.cpus, engine.memory_bytes, engine.networks)
    stack = stack_of(models, limits, workers, user, machine, http)
    # It takes the place of an earlier one; that of another caller is refused.
    engine.remove(BY_HAND)
    directory.mkdir(parents=True, exist_ok=True)
    laid = engine.lay_out(stack, directory, directory)
    say(f"starting {', '.join(service.name for service in stack.services)} ...")
    try:
        engine.up(laid, [service.name for service in stack.services])
    except BaseException:
        with undisturbed():
            engine.remove_whosever(BY_HAND)
        raise
    for model in models:
        size = f"{limits.cpus:g} CPUs, {format_bytes(limits.memory_bytes)}"
        where = _where(engine, model, SERVER_PORT)
        say(f"{model}: {where}, {size}, on node {engine.node_of(model)}")
        if http:
            say(f"at work: {http_by_hand.curl(where)}")
    say(f"Locust: http://{_where(engine, MASTER, WEB_PORT)}, on node {engine.node_of(MASTER)}")
    say(f"the stack file: {laid.file}; probes are beside: {', '.join(f'{PROBE_PREFIX}{model}' for model in models)}")
    say("to remove it: .venv/bin/python orchestrate.py down --on swarm")


def _where(engine: SwarmEngine, service: str, port: int) -> str:
    host, its_port = engine.published(BY_HAND, service, port)
    return f"{host}:{its_port}"
