"""`orchestrate.py claims [NAME ...]`: what the classic text says, tried on this machine."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import engine_of, on_options, results_option
from testbed.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

HELP = "try claims of the field as experiments"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="claims, as --list has them (default: all)")
    parser.add_argument("--list", action="store_true", help="print the claims, run nothing")
    parser.add_argument("--dry-run", action="store_true", help="print the sweeps and their expected time, run nothing")
    parser.add_argument("--quick", action="store_true", help="shorter windows and fewer repeats: wider intervals")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="run what is missing of claims that were begun")
    parser.add_argument("--judge", type=Path, metavar="DIR", help="judge what is there, run nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    results_option(parser, "where results go (default results/)")
    on_options(parser)


def run(arguments: argparse.Namespace, console: "Console") -> int:
    """OK when all ran, whatever they said."""
    from testbed.claims.catalogue import CLAIMS
    from testbed.claims.store import Store
    from testbed.plan.fields import NETWORKS, Machine
    from testbed.run import claiming
    from testbed.stack import machine
    from testbed.terminal import plain

    _check(arguments)
    names = claiming.named(arguments.names)
    if arguments.list:
        for name in names:
            plain(console)(f"{name}: {CLAIMS[name].statement}")
        return exits.OK
    if arguments.dry_run:
        import psutil

        here = Machine(os.cpu_count() or 1, psutil.virtual_memory().total, NETWORKS)
        claiming.print_plan(names, arguments.quick, here, console)
        return exits.OK
    code = exits.OK
    if arguments.judge is not None:
        store = Store.read(arguments.judge)
    else:
        machine.require_docker()
        engine = engine_of(arguments)
        if arguments.resume is not None:
            store = Store.read(arguments.resume)
            code = claiming.go_on(store, console, engine)
        else:
            code, store = claiming.begin(names, arguments.quick, arguments.results, console, engine)
    findings = store.write()
    if arguments.json:
        print(json.dumps(claiming.as_json(store, findings), indent=2))
    else:
        claiming.show(store, findings, console)
    return code


def _check(arguments: argparse.Namespace) -> None:
    given = [f"--{name}" for name in ("resume", "judge") if getattr(arguments, name) is not None]
    if len(given) > 1 or (given and (arguments.names or arguments.quick)):
        more = " ".join(arguments.names) or ("--quick" if arguments.quick else given[1])
        raise UserError(f"claims: found {given[0]} with {more}, allowed: {given[0]} DIR alone, which knows its claims")
