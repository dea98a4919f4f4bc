"""`orchestrate.py autoscale MODEL`: replicas or CPUs of a server by its load, while it runs, by hand."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import checked_models, completed_by, models

if TYPE_CHECKING:
    from rich.console import Console

HELP = "scale a server that `up` started by its load, until Ctrl-C"
_LAW = ("change", "on", "target", "min", "max", "every", "tolerance", "up_after", "down_after")
_FORECAST = ("forecast", "season", "ahead")


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(models, parser.add_argument("model", metavar="MODEL"))
    parser.add_argument("--on", required=True, metavar="WHAT", help="what is read: cpu, memory or queue")
    parser.add_argument("--target", type=_number, required=True, metavar="N", help="what that is to be, such as 0.6")
    parser.add_argument("--change", default="replicas", metavar="WHAT", help="replicas or cpus (default %(default)s)")
    parser.add_argument("--min", type=_number, metavar="N", help="replicas, or CPUs of each (default 1 or 0.05)")
    parser.add_argument("--max", type=_number, required=True, metavar="N", help="replicas, or CPUs of each")
    parser.add_argument("--every", metavar="TIME", help="between decisions (default 2s)")
    parser.add_argument("--tolerance", type=_number, metavar="SHARE", help="so near to the target is good (0.1)")
    parser.add_argument("--up-after", metavar="TIME", help="more once all in so long asked for it (default 0s)")
    parser.add_argument("--down-after", metavar="TIME", help="less once nothing in so long asked for more (20s)")
    parser.add_argument("--forecast", metavar="METHOD", help="linear or holt-winters, of the CPU that all use together")
    parser.add_argument("--season", metavar="TIME", help="the period that holt-winters looks for")
    parser.add_argument("--ahead", metavar="TIME", help="how far ahead a forecast looks")
    parser.add_argument("--verbose", action="store_true", help="a line also for a decision that changes nothing")


def _number(text: str) -> int | float | str:
    """What is no number is refused where it is known what is allowed."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def run(arguments: argparse.Namespace, console: "Console") -> int:
    (model,) = checked_models([arguments.model])

    from testbed.run import autoscaling
    from testbed.stack import machine
    from testbed.terminal import plain

    machine.require_docker()
    given = {name: getattr(arguments, name) for name in (*_LAW, *_FORECAST)}
    autoscaling.autoscale(model, given, arguments.verbose, plain(console))
    return exits.OK
