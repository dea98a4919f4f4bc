"""One module per command: its help, its options, its body side by side. What is heavy is imported in the body only."""

import argparse
import importlib
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from rich.console import Console

# In the order in which `--help` lists them.
NAMES = (
    "build",
    "up",
    "scale",
    "autoscale",
    "down",
    "sweep",
    "claims",
    "manifests",
    "watch",
    "compare",
    "report",
    "results",
    "models",
    "doctor",
)


class Command(Protocol):
    """What a module of this package holds."""

    HELP: str

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add what the command takes, each with what completes it in a shell."""

    def run(self, arguments: argparse.Namespace, console: "Console") -> int:
        """Do it. Returns the exit code (testbed/exits.py).

        UserError for what has to be asked for otherwise, Breakdown when the testbed failed.
        """


def command(name: str) -> Command:
    """The module of a command. KeyError for a name that is none."""
    if name not in NAMES:
        raise KeyError(name)
    return cast("Command", importlib.import_module(f"testbed.commands.{name}"))


def parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    """The whole command line: `arguments.command` is one of NAMES."""
    whole = argparse.ArgumentParser(prog=prog, description=description)
    each = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in NAMES:
        one = command(name)
        one.options(each.add_parser(name, help=one.HELP))
    return whole
