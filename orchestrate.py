#!/usr/bin/env python3
"""Threadmill's command line: build images, bring servers up with limits, sweep across them, read what came out."""

import argparse
import os
import sys
from pathlib import Path

try:
    import psutil
    from rich.console import Console

    from servers.models import SERVERS, describe
    from testbed.compare import command as compare_command
    from testbed.errors import Breakdown, UserError
    from testbed.failures import describe as describe_failure
    from testbed.interrupt import interruptible
    from testbed.lock import only_sweep
    from testbed.names import image_name
    from testbed.plan import sweepfile
    from testbed.report import command as report_command
    from testbed.results import listing
    from testbed.run import sweep
    from testbed.setup.doctor import doctor
    from testbed.stack import by_hand, images, machine
    from testbed.stack.docker import Engine
    from testbed.terminal import plain
    from testbed.watch import command as watch_command
except ModuleNotFoundError as missing:
    sys.exit(
        f"orchestrate.py: the package {missing.name} is missing: run `make setup`, then .venv/bin/python orchestrate.py"
    )

PROJECT = Path(__file__).resolve().parent


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 100, soft_wrap=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestrate.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="build the images of these models (default: all) and of Locust")
    build.add_argument("models", nargs="*", metavar="MODEL")
    build.add_argument("--force", action="store_true", help="also images that are there and of this code")

    up = commands.add_parser("up", help="start a server and Locust's web page, by hand")
    up.add_argument("models", nargs="+", metavar="MODEL")
    up.add_argument("--cpus", type=float, default=1.0, help="CPU limit of each server (default %(default)s)")
    up.add_argument("--memory", default="128MiB", help="memory limit of each server (default %(default)s)")
    up.add_argument("--workers", type=int, default=1, help="Locust workers (default %(default)s)")
    up.add_argument("--packet-log", action="store_true", help="log every packet in hex and ASCII")

    down = commands.add_parser("down", help="stop and remove what `up` started")
    down.add_argument(
        "--runs", action="store_true", help="also remove the containers and networks that sweeps left behind"
    )

    run = commands.add_parser("sweep", help="run a sweep file")
    run.add_argument("file", type=Path, metavar="FILE", nargs="?")
    run.add_argument("--resume", type=Path, metavar="DIR", help="complete the sweep whose results are in DIR")
    run.add_argument("--force", action="store_true", help="with --resume: even on another machine or version")
    run.add_argument(
        "--results", type=Path, default=PROJECT / "results", metavar="DIR", help="where results go (default results/)"
    )
    run.add_argument("--dry-run", action="store_true", help="print the plan and its expected time, start nothing")

    watch = commands.add_parser("watch", help="show what a running server does: processes, threads, switches, queues")
    watch.add_argument("model", nargs="?", metavar="MODEL", help="or a container's name; default: the one that runs")
    watch.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between looks (default 1)")
    watch.add_argument("--once", action="store_true", help="one look, then end")
    watch.add_argument("--json", action="store_true", help="print one line of JSON for each look")
    watch.add_argument("--packets", action="store_true", help="show the packets that a server logs (up --packet-log)")

    compare = commands.add_parser("compare", help="compare runs on equal cells; the first is the base")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR")
    compare.add_argument("--json", action="store_true", help="print JSON instead of tables")
    compare.add_argument("--html", type=Path, metavar="FILE", help="also write a self-contained page")
    compare.add_argument("--force", action="store_true", help="even if the machines or engines differ")
    compare.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit with 1 where this is shown, such as "p99 > 1.10" or "throughput < 0.95"; with 3 where it cannot be '
        "judged; may be given more than once",
    )

    report = commands.add_parser("report", help="write a run's report.html again from its files")
    report.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="results of a sweep, or `web`: runs from the web page (default newest)",
    )
    report.add_argument("--results", type=Path, default=PROJECT / "results", metavar="DIR", help="default results/")

    results = commands.add_parser("results", help="list the runs with their verdicts and sizes")
    results.add_argument("--results", type=Path, default=PROJECT / "results", metavar="DIR", help="default results/")
    results.add_argument("--json", action="store_true", help="print JSON instead of a table")

    commands.add_parser("models", help="list the concurrency models")
    commands.add_parser("doctor", help="say what this machine has and lacks")
    return parser


def _checked_models(names: list[str]) -> list[str]:
    for name in names:
        if name not in SERVERS:
            raise UserError(f"MODEL: found {name!r}, allowed: {', '.join(SERVERS)}")
    return names


def _build(arguments: argparse.Namespace, console: Console) -> int:
    models = _checked_models(arguments.models)
    machine.require_docker()
    images.build(models or None, plain(console), arguments.force)
    return 0


def _up(arguments: argparse.Namespace, console: Console) -> int:
    models = _checked_models(arguments.models)
    machine.require_docker()
    engine = Engine()
    limits = by_hand.check_limits(arguments.cpus, arguments.memory, sweepfile.Machine(engine.cpus, engine.memory_bytes))
    by_hand.up(
        models,
        limits,
        arguments.workers,
        arguments.packet_log,
        plain(console),
    )
    return 0


def _down(arguments: argparse.Namespace, console: Console) -> int:
    machine.require_docker()
    by_hand.down()
    engine = Engine()
    say = plain(console)
    if arguments.runs:
        with only_sweep("down --runs", patience_s=0.0):
            for run_id in engine.runs():
                engine.remove(run_id)
                say(f"removed what the sweep {run_id} had left")
    for run_id, count in engine.runs().items():
        say(f"the sweep {run_id} has {count} containers and networks here; `down --runs` removes them if it was killed")
    return 0


def _sweep(arguments: argparse.Namespace, console: Console) -> int:
    if (arguments.file is None) == (arguments.resume is None):
        raise UserError("sweep: give a sweep FILE, or --resume DIR to complete one")
    if arguments.resume is not None:
        machine.require_docker()
        return sweep.resume(arguments.resume, arguments.force, console, Engine())
    if arguments.dry_run:
        parsed = sweepfile.load(arguments.file, sweepfile.Machine(os.cpu_count() or 1, psutil.virtual_memory().total))
        sweep.print_plan(parsed, console)
        return 0
    machine.require_docker()
    engine = Engine()
    parsed = sweepfile.load(arguments.file, sweepfile.Machine(engine.cpus, engine.memory_bytes))
    return sweep.run(parsed, arguments.file.read_text(encoding="utf-8"), arguments.results, console, engine)


def _watch(arguments: argparse.Namespace, console: Console) -> int:
    options = watch_command.Options(
        arguments.model, arguments.interval, arguments.once, arguments.json, arguments.packets
    )
    watch_command.check_options(options)
    machine.require_docker()
    return watch_command.command(options, console)


def _compare(arguments: argparse.Namespace, console: Console) -> int:
    return compare_command.command(
        arguments.runs, arguments.fail_if, arguments.force, arguments.json, arguments.html, console
    )


def _report(arguments: argparse.Namespace, console: Console) -> int:
    return report_command.command(arguments.directory, arguments.results, console)


def _results(arguments: argparse.Namespace, console: Console) -> int:
    return listing.command(arguments.results, arguments.json, console)


def _models(_arguments: argparse.Namespace, console: Console) -> int:
    say = plain(console)
    for name in SERVERS:
        say(f"{name:25} {describe(name)}")
    say(f"\nimages: {image_name('MODEL')}; code: servers/models/")
    return 0


def _doctor(_arguments: argparse.Namespace, console: Console) -> int:
    checks = doctor()
    for check in checks:
        mark, style = ("ok", "green") if check.ok else ("missing", "red") if check.required else ("lacks", "yellow")
        console.print(f"{mark:8}", style=style, end="")
        plain(console)(f"{check.name}: {check.found}")
        if check.help:
            plain(console)(f"        run: {check.help}")
    return 0 if all(check.ok or not check.required for check in checks) else 1


COMMANDS = {
    "build": _build,
    "up": _up,
    "down": _down,
    "sweep": _sweep,
    "watch": _watch,
    "compare": _compare,
    "report": _report,
    "results": _results,
    "models": _models,
    "doctor": _doctor,
}


def main() -> int:
    arguments = _parser().parse_args()
    try:
        with interruptible():
            return COMMANDS[arguments.command](arguments, _console())
    except UserError as error:
        _tell(str(error))
        return sweep.EXIT_USAGE
    except KeyboardInterrupt:
        _tell("interrupted")
        return sweep.EXIT_INTERRUPTED
    except Breakdown as error:
        _tell(str(error))
        return sweep.EXIT_BROKEN
    except Exception as error:  # noqa: BLE001 - one line for whoever uses it; the traceback is where the line says
        _tell(f"{arguments.command} failed: {describe_failure(error)}")
        return sweep.EXIT_BROKEN


def _tell(lines: str) -> None:
    for line in lines.splitlines():
        print(f"orchestrate.py: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
