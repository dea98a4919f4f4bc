"""`orchestrate.py watch [MODEL]`: what a running server does."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.commands.given import completed_by, models, on_options, swarm_of

if TYPE_CHECKING:
    from rich.console import Console

HELP = "show what a running server does: processes, threads, switches, queues"


def options(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="or the name of a container or of a project; default: what runs"
    )
    completed_by(models, model)
    on_options(parser)
    parser.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between looks (default 1)")
    parser.add_argument("--once", action="store_true", help="one look, then end")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each look")
    parser.add_argument("--packets", action="store_true", help="show the packets that a server logs (up --packet-log)")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.stack import machine
    from testbed.watch.looks import Options, check_options, watch
    from testbed.watch.nodes import place_of

    asked = Options(arguments.model, arguments.interval, arguments.once, arguments.json, arguments.packets)
    check_options(asked)
    machine.require_docker()
    if (swarm := swarm_of(arguments)) is not None:
        # What runs on a node is looked at through that node's engine, as if it were the only one.
        place = place_of(swarm, arguments.model)
        os.environ["DOCKER_HOST"] = place.endpoint
        asked = replace(asked, page=place.page)
    return watch(asked, console)
