"""The report at the end of a sweep."""

from collections.abc import Callable
from pathlib import Path


def after_sweep(directory: Path, say: Callable[[str], None]) -> None:
    """The report of a sweep that has ended. Whatever goes wrong is said: the sweep's numbers are safe in its files."""
    try:
        # Plotly and the rest of it take a while to import, and a sweep starts without them.
        from testbed.report.build import write

        say(f"report: {write(directory)}")
    except Exception as error:  # noqa: BLE001 - a report that fails must not fail the sweep
        say(f"warning: no report.html: {error or type(error).__name__}; the trials are in {directory} all the same")
