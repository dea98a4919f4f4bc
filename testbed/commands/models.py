"""`orchestrate.py models`: every concurrency model in a line."""

import argparse
from typing import TYPE_CHECKING

from testbed import exits

if TYPE_CHECKING:
    from rich.console import Console

HELP = "list the concurrency models"


def options(_parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_arguments: argparse.Namespace, console: "Console") -> int:
    from servers.models import SERVERS, describe
    from testbed.names import image_name
    from testbed.terminal import plain

    say = plain(console)
    for name in SERVERS:
        say(f"{name:25} {describe(name)}")
    say(f"\nimages: {image_name('MODEL')}; code: servers/models/")
    return exits.OK
