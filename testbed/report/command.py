"""`orchestrate.py report [DIR]`, and the report at the end of a sweep."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from testbed.errors import UserError
from testbed.results.reading import json_file
from testbed.terminal import plain

WEB = "web"


def command(given: str | None, root: Path, console: Console) -> int:
    """Write report.html again and say where it is. `given` is a directory, the name of one under `root`, `web` for the
    runs from the web page, or None for the newest sweep.
    """
    from testbed.report.build import write

    say = plain(console)
    directory = _directory(given, root, say)
    try:
        path = write(directory)
    except OSError as error:
        raise UserError(f"{directory}: report.html cannot be written: {error.strerror}") from None
    say(f"report: {path}")
    return 0


def _directory(given: str | None, root: Path, say: Callable[[str], None]) -> Path:
    if given is None:
        return newest(root)
    if given == WEB and not Path(given).is_dir():
        from testbed.results import web_runs
        from testbed.stack import machine

        machine.require_docker()
        return web_runs.collect(root, say)
    if not Path(given).is_dir() and (root / given).is_dir():
        return root / given
    return Path(given)


def newest(root: Path) -> Path:
    """The results of the sweep that began last; runs by hand are asked for by name. UserError when there are none."""
    began: dict[Path, str] = {}
    for manifest in root.glob("*/manifest.json"):
        facts = json_file(manifest)
        if facts is not None and not facts.get("by_hand"):
            began[manifest.parent] = str(facts.get("started_utc") or "")
    if not began:
        raise UserError(f"{root}: no results yet, so there is nothing to report; `make demo` runs a first sweep")
    return max(began, key=lambda path: (began[path], path.name))


def after_sweep(directory: Path, say: Callable[[str], None]) -> None:
    """The report of a sweep that has ended. Whatever goes wrong is said: the sweep's numbers are safe in its files."""
    from testbed.report.build import write

    try:
        say(f"report: {write(directory)}")
    except Exception as error:  # noqa: BLE001 - a report that fails must not fail the sweep
        say(f"warning: no report.html: {error or type(error).__name__}; the trials are in {directory} all the same")
