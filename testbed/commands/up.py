"""`orchestrate.py up MODEL...`: servers and Locust's web page, by hand."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import RESULTS, checked_models, completed_by, models, on_options, swarm_of

if TYPE_CHECKING:
    from rich.console import Console

    from testbed.plan.fields import Machine
    from testbed.stack.swarm.engine import SwarmEngine

# Of a server with something behind it, which shares the machine with that.
_DEFAULT_CPUS = 0.5

HELP = "start a server and Locust's web page, by hand"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(models, parser.add_argument("models", nargs="+", metavar="MODEL"))
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="containers of the server (default %(default)s)"
    )
    parser.add_argument(
        "--front",
        metavar="FRONT",
        help="what is before them: none, dns, haproxy, nginx; with --http nginx-cache, varnish, haproxy-http or envoy",
    )
    parser.add_argument("--front-cpus", type=float, metavar="CPUS", help="CPU limit of a proxy or cache (default 0.5)")
    parser.add_argument(
        "--rate-limit",
        type=float,
        metavar="RPS",
        help="requests per second that a gateway (haproxy-http, envoy) lets through; more are answered 429",
    )
    parser.add_argument("--auth", metavar="HOW", help="key: such a gateway answers 401 to a request without X-Api-Key")
    parser.add_argument(
        "--sidecar",
        metavar="SIDECAR",
        help="with --http, what is beside the server and takes its requests: none, envoy",
    )
    parser.add_argument(
        "--behind",
        metavar="WHAT",
        help="what stands behind it: postgres, valkey, nats, rabbitmq, or as in a sweep file, such as "
        "'{postgres: {standbys: 1, reads: standby}}'",
    )
    parser.add_argument("--http", action="store_true", help="servers that speak HTTP/1.1, of the images MODEL-http")
    parser.add_argument(
        "--cpus", type=float, help="CPU limit of each server (default 1, less where several share the machine)"
    )
    parser.add_argument("--memory", default="128MiB", help="memory limit of each server (default %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="Locust workers (default %(default)s)")
    on_options(parser)
    parser.add_argument("--packet-log", action="store_true", help="log every packet in hex and ASCII")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    names = checked_models(arguments.models)

    from testbed.plan.fields import Machine
    from testbed.stack import by_hand, gateway_by_hand, machine, scale_by_hand
    from testbed.stack.docker import DockerEngine
    from testbed.terminal import plain

    scale = scale_by_hand.check_scale(names, arguments.replicas, arguments.front, arguments.front_cpus)
    scale_by_hand.check_front(scale, arguments.http)
    admission = gateway_by_hand.check_admission(scale.front, arguments.rate_limit, arguments.auth)
    scale = scale_by_hand.with_sidecar(scale, arguments.sidecar, names, arguments.http)
    machine.require_docker()
    if (swarm := swarm_of(arguments)) is not None:
        return _on_swarm(arguments, names, swarm, plain(console))
    engine = DockerEngine()
    here = Machine(engine.cpus, engine.memory_bytes)
    if arguments.behind is not None:
        return _with_behind(arguments, names, here, plain(console))
    limits = by_hand.check_limits(arguments.cpus, arguments.memory, here, scale)
    by_hand.up(names, limits, arguments.workers, arguments.packet_log, plain(console), scale, arguments.http, admission)
    return exits.OK


def _of_several(arguments: argparse.Namespace) -> dict[str, bool]:
    """The flags of more than one server by itself, and whether they are given."""
    names = {"replicas": 1, "front": None, "sidecar": None}
    return {name: getattr(arguments, name) != usual for name, usual in names.items()}


def _with_behind(
    arguments: argparse.Namespace, models: list[str], machine: "Machine", say: Callable[[str], None]
) -> int:
    from testbed.errors import UserError
    from testbed.run import behind_by_hand
    from testbed.stack import by_hand

    if len(models) > 1:
        raise UserError(f"--behind: found with {len(models)} models ({', '.join(models)}), allowed: with one")
    for flag, given in _of_several(arguments).items():
        if given:
            raise UserError(
                f"--{flag}: found {getattr(arguments, flag)}, allowed with --behind: none; a sweep has them"
            )
    if arguments.packet_log:
        raise UserError("--packet-log: found, allowed without --behind")
    stands = behind_by_hand.read(arguments.behind, machine)
    limits = by_hand.check_limits(
        _DEFAULT_CPUS if arguments.cpus is None else arguments.cpus, arguments.memory, machine
    )
    behind_by_hand.up(models[0], limits, arguments.workers, stands, machine, RESULTS / "by-hand", say, arguments.http)
    return exits.OK


def _on_swarm(
    arguments: argparse.Namespace, models: list[str], engine: "SwarmEngine", say: Callable[[str], None]
) -> int:
    from testbed.errors import UserError
    from testbed.plan.fields import Machine
    from testbed.run import swarm_by_hand
    from testbed.run.preparation import load_user
    from testbed.stack import by_hand

    for flag, given in _of_several(arguments).items():
        if given:
            raise UserError(
                f"--{flag}: found {getattr(arguments, flag)}, allowed with --on swarm: none; a sweep has them"
            )
    if arguments.packet_log:
        raise UserError("--packet-log: found, allowed on one engine alone")
    here = Machine(engine.cpus, engine.memory_bytes, engine.networks)
    limits = by_hand.check_limits(arguments.cpus, arguments.memory, here)
    user = ":".join(map(str, load_user()))
    swarm_by_hand.up(engine, models, limits, arguments.workers, user, RESULTS / "by-hand", say, arguments.http)
    return exits.OK
