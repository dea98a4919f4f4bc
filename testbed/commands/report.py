"""`orchestrate.py report [DIR]`: a run's report.html, written again from its files."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from argcomplete.completers import DirectoriesCompleter

from testbed import exits
from testbed.commands.given import completed_by, results_option, runs
from testbed.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

HELP = "write a run's report.html again from its files"
WEB = "web"


def options(parser: argparse.ArgumentParser) -> None:
    directory = parser.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="results of a sweep, or `web`: runs from the web page (default newest)",
    )
    completed_by(_directories, directory)
    source = parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="DIR",
        help="with `web`: results of Locust that were copied here, not those of this machine's volume",
    )
    completed_by(DirectoriesCompleter(), source)
    results_option(parser)


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.terminal import plain

    say = plain(console)
    if arguments.source is not None and arguments.directory != WEB:
        raise UserError("--from: found without `web`, allowed: report web --from DIR")
    directory = _directory(arguments.directory, arguments.results, say, arguments.source)

    from testbed.report.build import write

    try:
        path = write(directory)
    except OSError as error:
        raise UserError(f"{directory}: report.html cannot be written: {error.strerror}") from None
    say(f"report: {path}")
    return exits.OK


def _directories(prefix: str, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    return [WEB, *runs(prefix, parsed_args)]


def _directory(given: str | None, root: Path, say: Callable[[str], None], source: Path | None) -> Path:
    """A directory as given, the one of that name under `root`, the runs from the web page, or the newest sweep's."""
    if given is None:
        return newest(root)
    if given == WEB and (source is not None or not Path(given).is_dir()):
        from testbed.results import web_runs
        from testbed.stack import machine

        if source is None:
            machine.require_docker()
        return web_runs.collect(root, say, source)
    if not Path(given).is_dir() and (root / given).is_dir():
        return root / given
    return Path(given)


def newest(root: Path) -> Path:
    """The results of the sweep that began last; runs by hand are asked for by name. UserError when there are none."""
    from testbed.results.reading import json_file

    began: dict[Path, str] = {}
    for manifest in root.glob("*/manifest.json"):
        facts = json_file(manifest)
        if facts is not None and not facts.get("by_hand"):
            began[manifest.parent] = str(facts.get("started_utc") or "")
    if not began:
        raise UserError(f"{root}: no results yet, so there is nothing to report; `make demo` runs a first sweep")
    return max(began, key=lambda path: (began[path], path.name))
