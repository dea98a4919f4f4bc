"""`orchestrate.py scale MODEL`: other limits for a server that runs, by hand."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import checked_models, completed_by, models

if TYPE_CHECKING:
    from rich.console import Console

HELP = "change the limits of a server that `up` started, while it runs"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(models, parser.add_argument("model", metavar="MODEL"))
    parser.add_argument("--cpus", type=float, help="CPU limit of each of its containers from now on")
    parser.add_argument("--memory", help="their memory limit from now on, such as 256MiB")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    (model,) = checked_models([arguments.model])

    from testbed.plan.fields import Machine
    from testbed.stack import machine, resizing
    from testbed.stack.docker import DockerEngine
    from testbed.terminal import plain

    machine.require_docker()
    engine = DockerEngine()
    there = Machine(engine.cpus, engine.memory_bytes)
    resizing.scale(model, arguments.cpus, arguments.memory, there, plain(console))
    return exits.OK
