"""`orchestrate.py down`: what `up` started is removed; with --runs also what killed sweeps have left."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import on_options, swarm_of

if TYPE_CHECKING:
    from rich.console import Console

HELP = "stop and remove what `up` started"


def options(parser: argparse.ArgumentParser) -> None:
    on_options(parser)
    parser.add_argument(
        "--runs", action="store_true", help="also remove the containers and networks that sweeps left behind"
    )


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.stack import by_hand, machine
    from testbed.stack.docker import DockerEngine
    from testbed.stack.engine import Engine
    from testbed.stack.lock import only_sweep
    from testbed.stack.swarm.labelled import BY_HAND
    from testbed.terminal import plain

    machine.require_docker()
    say = plain(console)
    swarm = swarm_of(arguments)
    engine: Engine
    if swarm is not None:
        swarm.remove(BY_HAND)
        engine, remove = swarm, swarm.remove_whosever
    else:
        by_hand.down()
        engine = DockerEngine()
        remove = engine.remove
    if arguments.runs:
        with only_sweep("down --runs", patience_s=0.0):
            for run_id in engine.runs():
                remove(run_id)
                say(f"removed what the sweep {run_id} had left")
    for run_id, count in engine.runs().items():
        say(f"the sweep {run_id} has {count} containers and networks here; `down --runs` removes them if it was killed")
    return exits.OK
