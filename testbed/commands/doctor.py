"""`orchestrate.py doctor`: what this machine has and lacks, and what helps."""

import argparse
import os
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import on_options, swarm_of

if TYPE_CHECKING:
    from rich.console import Console

HELP = "say what this machine has and lacks"


def options(parser: argparse.ArgumentParser) -> None:
    on_options(parser)


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.claims.catalogue import decidable
    from testbed.setup.doctor import doctor
    from testbed.terminal import plain

    say = plain(console)
    checks = doctor()
    if arguments.on == "swarm":
        from testbed.setup.swarm_doctor import cluster

        checks += cluster(lambda: swarm_of(arguments))
    for check in checks:
        mark, style = ("ok", "green") if check.ok else ("missing", "red") if check.required else ("lacks", "yellow")
        console.print(f"{mark:8}", style=style, end="")
        say(f"{check.name}: {check.found}")
        if check.help:
            say(f"        run: {check.help}")
    say(f"        {decidable(os.cpu_count() or 1)}")
    return exits.OK if all(check.ok or not check.required for check in checks) else exits.FAILED
