"""`orchestrate.py build [IMAGE...]`: the images, built where they are missing or of other code."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import checked_images, completed_by, images

if TYPE_CHECKING:
    from rich.console import Console

HELP = "build the images of these models and fronts (default: all), of Locust and of the probe"


def options(parser: argparse.ArgumentParser) -> None:
    told = "of a model, a front, Locust or the probe"
    completed_by(images, parser.add_argument("images", nargs="*", metavar="IMAGE", help=told))
    parser.add_argument("--force", action="store_true", help="also images that are there and of this code")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.stack import images as builder
    from testbed.stack import machine
    from testbed.terminal import plain

    names = checked_images(arguments.images)
    machine.require_docker()
    builder.build(names or None, plain(console), arguments.force)
    return exits.OK
