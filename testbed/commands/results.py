"""`orchestrate.py results`: the runs under results/, what came of them and how much room they take."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import results_option

if TYPE_CHECKING:
    from rich.console import Console

    from testbed.results.listing import Listed

HELP = "list the runs with their verdicts and sizes"
# 1 counted both a trial and its redo.
SCHEMA_VERSION = 2


def options(parser: argparse.ArgumentParser) -> None:
    results_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.results.listing import list_runs
    from testbed.terminal import plain

    found = list_runs(arguments.results)
    say = plain(console)
    if arguments.json:
        say(json.dumps({"schema_version": SCHEMA_VERSION, "runs": [asdict(one) for one in found]}, indent=2))
    elif not found:
        say(f"no runs in {arguments.results}; `make demo` runs a first sweep")
    else:
        _show(found, arguments, console)
    return exits.OK


def _show(found: list["Listed"], arguments: argparse.Namespace, console: "Console") -> None:
    from testbed.results.table import legend, new_table
    from testbed.terminal import plain
    from testbed.units import format_bytes

    table = new_table(f"{len(found)} run{'s' if len(found) > 1 else ''} in {arguments.results}")
    table.padding = (0, 1, 0, 0)
    table.add_column("run", overflow="fold")
    for heading in ("trials", "verdicts", "size", "state"):
        table.add_column(heading, justify="right" if heading in ("trials", "size") else "left", no_wrap=True)
    for one in found:
        table.add_row(one.name, _count(one), _verdicts(one.verdicts), format_bytes(one.bytes), one.state)
    console.print(table)
    say = plain(console)
    for line in legend({kind for one in found for kind in one.verdicts}):
        say(line)
    for one in found:
        if one.note:
            say(f"{one.name}: {one.note}")
        if one.state == "interrupted":
            say(f"to complete {one.name}: .venv/bin/python orchestrate.py sweep --resume {one.path}")


def _count(one: "Listed") -> str:
    """`12`, `4 of 12` where more were planned, `12 (3 redone)` where some were measured twice."""
    count = str(one.trials) if one.planned is None or one.planned <= one.trials else f"{one.trials} of {one.planned}"
    return f"{count} ({one.redone} redone)" if one.redone else count


def _verdicts(verdicts: dict[str, int]) -> str:
    """`12 S 3 n`, in the letters of the sweep's table."""
    from testbed.results.table import LETTERS

    return " ".join(f"{verdicts[kind]} {letter}" for kind, letter in LETTERS.items() if verdicts.get(kind)) or "-"
