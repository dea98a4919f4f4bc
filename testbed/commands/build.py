"""`orchestrate.py build [MODEL...]`: the images, built where they are missing or of other code."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import checked_models, completed_by, models

if TYPE_CHECKING:
    from rich.console import Console

HELP = "build the images of these models (default: all) and of Locust"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(models, parser.add_argument("models", nargs="*", metavar="MODEL"))
    parser.add_argument("--force", action="store_true", help="also images that are there and of this code")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.stack import images, machine
    from testbed.terminal import plain

    names = checked_models(arguments.models)
    machine.require_docker()
    images.build(names or None, plain(console), arguments.force)
    return exits.OK
