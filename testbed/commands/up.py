"""`orchestrate.py up MODEL...`: servers and Locust's web page, by hand."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import checked_models, completed_by, models

if TYPE_CHECKING:
    from rich.console import Console

HELP = "start a server and Locust's web page, by hand"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(models, parser.add_argument("models", nargs="+", metavar="MODEL"))
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="containers of the server (default %(default)s)"
    )
    parser.add_argument("--front", metavar="FRONT", help="what is before them: none, dns, haproxy or nginx")
    parser.add_argument("--front-cpus", type=float, metavar="CPUS", help="CPU limit of haproxy or nginx (default 0.5)")
    parser.add_argument(
        "--cpus", type=float, help="CPU limit of each server (default 1, less where several share the machine)"
    )
    parser.add_argument("--memory", default="128MiB", help="memory limit of each server (default %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="Locust workers (default %(default)s)")
    parser.add_argument("--packet-log", action="store_true", help="log every packet in hex and ASCII")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    names = checked_models(arguments.models)

    from testbed.plan.fields import Machine
    from testbed.stack import by_hand, machine, scale_by_hand
    from testbed.stack.docker import DockerEngine
    from testbed.terminal import plain

    scale = scale_by_hand.check_scale(names, arguments.replicas, arguments.front, arguments.front_cpus)
    machine.require_docker()
    engine = DockerEngine()
    here = Machine(engine.cpus, engine.memory_bytes)
    limits = by_hand.check_limits(arguments.cpus, arguments.memory, here, scale)
    by_hand.up(names, limits, arguments.workers, arguments.packet_log, plain(console), scale)
    return exits.OK
