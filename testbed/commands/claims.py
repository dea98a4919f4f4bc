"""`orchestrate.py claims [NAME ...]`: what the classic text says, tried on this machine."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argcomplete.completers import DirectoriesCompleter

from testbed import exits
from testbed.commands.given import completed_by, engine_of, on_options, results_option
from testbed.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from testbed.claims.store import Store

HELP = "try claims of the field as experiments"


def options(parser: argparse.ArgumentParser) -> None:
    name = parser.add_argument("names", nargs="*", metavar="NAME", help="claims, as --list has them (default: all)")
    completed_by(_names, name)
    parser.add_argument("--list", action="store_true", help="print the claims, run nothing")
    parser.add_argument("--dry-run", action="store_true", help="print the sweeps and their expected time, run nothing")
    parser.add_argument("--quick", action="store_true", help="shorter windows and fewer repeats: wider intervals")
    for flag, told in (
        ("--resume", "run what is missing of the claims begun in DIR, and of further ones"),
        ("--judge", "judge what is in DIR, run nothing"),
    ):
        completed_by(DirectoriesCompleter(), parser.add_argument(flag, type=Path, metavar="DIR", help=told))
    parser.add_argument("--force", action="store_true", help="with --resume: even on another machine or version")
    parser.add_argument("--json", action="store_true", help="print JSON; progress goes to standard error")
    results_option(parser, "where results go (default results/)")
    on_options(parser)


def run(arguments: argparse.Namespace, console: "Console") -> int:
    """OK when all ran, whatever they said; otherwise as of a sweep."""
    _check(arguments)

    from testbed.claims.catalogue import CLAIMS
    from testbed.claims.store import facts_of
    from testbed.plan.fields import NETWORKS, Machine
    from testbed.run import claiming
    from testbed.terminal import plain

    names = claiming.named(arguments.names)
    if arguments.list:
        told = [facts_of(CLAIMS[name]) for name in names]
        lines = (
            [json.dumps(told, indent=2)] if arguments.json else [f"{one['name']}: {one['statement']}" for one in told]
        )
        for line in lines:
            plain(console)(line)
        return exits.OK
    if arguments.dry_run:
        import psutil

        here = Machine(os.cpu_count() or 1, psutil.virtual_memory().total, NETWORKS)
        claiming.print_plan(names, arguments.quick, here, console)
        return exits.OK
    return _try(arguments, names, console)


def _try(arguments: argparse.Namespace, names: tuple[str, ...], console: "Console") -> int:
    from rich.console import Console

    from testbed.claims.store import Store
    from testbed.run import claiming
    from testbed.stack import machine
    from testbed.terminal import plain

    progress = Console(stderr=True, width=None if sys.stderr.isatty() else 100) if arguments.json else console
    code = exits.OK
    if arguments.judge is not None:
        store = Store.read(arguments.judge)
    else:
        machine.require_docker()
        if arguments.resume is not None:
            store = Store.read(arguments.resume)
            store.add(arguments.names)
            engine = engine_of(arguments, store.manifest().get("cluster"))
        else:
            engine = engine_of(arguments)
            store = claiming.begin(names, arguments.quick, arguments.results, engine)
        code = claiming.go_on(store, arguments.force, progress, engine)
    _tell(store, arguments, console, plain(progress))
    return code


def _tell(store: "Store", arguments: argparse.Namespace, console: "Console", say: Any) -> None:
    from testbed.run import claiming
    from testbed.terminal import plain

    findings = store.write()
    if arguments.json:
        plain(console)(json.dumps(store.told(findings), indent=2))
    else:
        claiming.show(store, findings, console)
    say(f"page: {claiming.write_page(store, findings)}")
    say(f"results: {store.path}")


def _check(arguments: argparse.Namespace) -> None:
    """UserError for what says twice what is to be done."""
    every = ("list", "dry_run", "resume", "judge")
    modes = [f"--{name.replace('_', '-')}" for name in every if getattr(arguments, name) not in (None, False)]
    if len(modes) > 1:
        raise UserError(f"claims: found {' and '.join(modes)}, allowed: one of them")
    if modes == ["--judge"] and (arguments.names or arguments.quick):
        more = " ".join(arguments.names) or "--quick"
        raise UserError(f"claims: found --judge with {more}, allowed: --judge DIR alone, which knows its claims")
    if modes == ["--resume"] and arguments.quick:
        raise UserError("claims: found --resume with --quick, allowed: what was begun goes on as it was begun")
    if modes == ["--dry-run"] and arguments.json:
        raise UserError("claims: found --dry-run and --json, allowed: one of them")
    if arguments.force and arguments.resume is None:
        raise UserError("--force: found without --resume, allowed: beside it")


def _names(**_: object) -> Iterable[str]:
    """Every claim."""
    from testbed.claims.catalogue import CLAIMS

    return CLAIMS
