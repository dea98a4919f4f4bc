"""`orchestrate.py doctor`: what this machine has and lacks, and what helps."""

import argparse
import os
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import on_options, swarm_of

if TYPE_CHECKING:
    from rich.console import Console

    from testbed.stack.machine import Check

HELP = "say what this machine has and lacks"


def options(parser: argparse.ArgumentParser) -> None:
    on_options(parser)


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.claims.catalogue import decidable
    from testbed.setup.doctor import doctor
    from testbed.terminal import plain

    say = plain(console)
    checks = [*doctor(), claims(os.cpu_count() or 1)]
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


def claims(processors: int) -> "Check":
    """Which claims a machine with so many can decide."""
    from testbed.claims.catalogue import CLAIMS
    from testbed.stack.machine import Check

    lacking = {name: claim.processors for name, claim in CLAIMS.items() if claim.processors > processors}
    found = f"{len(CLAIMS) - len(lacking)} of {len(CLAIMS)} can be decided here"
    for needed in sorted(set(lacking.values())):
        names = ", ".join(name for name, count in lacking.items() if count == needed)
        found += f"; {needed} processors are needed for {names}"
    return Check("claims", not lacking, found, required=False)
