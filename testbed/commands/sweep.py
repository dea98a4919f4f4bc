"""`orchestrate.py sweep FILE`: every trial of a sweep file, or with --resume those that are missing."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import exits
from testbed.commands.given import completed_by, engine_of, on_options, results_option, runs, sweep_files
from testbed.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

HELP = "run a sweep file"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(sweep_files, parser.add_argument("file", type=Path, metavar="FILE", nargs="?"))
    completed_by(
        runs,
        parser.add_argument("--resume", type=Path, metavar="DIR", help="complete the sweep whose results are in DIR"),
    )
    parser.add_argument("--force", action="store_true", help="with --resume: even on another machine or version")
    results_option(parser, "where results go (default results/)")
    on_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its expected time, start nothing")


def run(arguments: argparse.Namespace, console: "Console") -> int:
    if (arguments.file is None) == (arguments.resume is None):
        raise UserError("sweep: give a sweep FILE, or --resume DIR to complete one")

    from testbed.plan import sweepfile
    from testbed.plan.fields import NETWORKS, Machine
    from testbed.run import sweep
    from testbed.stack import machine

    if arguments.resume is not None:
        machine.require_docker()
        begun = sweep.begun(arguments.resume)
        engine = engine_of(arguments, begun.get("cluster"))
        return sweep.resume(arguments.resume, arguments.force, console, engine)
    if arguments.dry_run and arguments.on != "swarm":
        import psutil

        here = Machine(os.cpu_count() or 1, psutil.virtual_memory().total, NETWORKS)
        parsed = sweepfile.load(arguments.file, here)
        sweep.print_plan(parsed, console)
        return exits.OK
    machine.require_docker()
    engine = engine_of(arguments)
    parsed = sweepfile.load(arguments.file, Machine(engine.cpus, engine.memory_bytes, engine.networks))
    if arguments.dry_run:
        sweep.print_plan(parsed, console)
        return exits.OK
    return sweep.run(parsed, arguments.file.read_text(encoding="utf-8"), arguments.results, console, engine)
