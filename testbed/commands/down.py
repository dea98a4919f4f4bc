"""`orchestrate.py down`: what `up` started is removed; with --runs also what killed sweeps have left."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits

if TYPE_CHECKING:
    from rich.console import Console

HELP = "stop and remove what `up` started"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", action="store_true", help="also remove the containers and networks that sweeps left behind"
    )


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.stack import by_hand, machine
    from testbed.stack.docker import DockerEngine
    from testbed.stack.lock import only_sweep
    from testbed.terminal import plain

    machine.require_docker()
    by_hand.down()
    engine = DockerEngine()
    say = plain(console)
    if arguments.runs:
        with only_sweep("down --runs", patience_s=0.0):
            for run_id in engine.runs():
                engine.remove(run_id)
                say(f"removed what the sweep {run_id} had left")
    for run_id, count in engine.runs().items():
        say(f"the sweep {run_id} has {count} containers and networks here; `down --runs` removes them if it was killed")
    return exits.OK
