"""What a report of 500 trials costs: seconds to write it, its size, and how soon a browser shows its text.

    python -m benchmarks.report_size [--repeat N]

The trials are made up and the same each time; the file is read by a headless Chromium started once.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import Spread, Table, as_json, run
from testbed.report.build import write
from testbed.stack.machine import find_browser
from tests.e2e.browsing import chromium
from tests.made_results import large

TRIALS = 500
# What the report is held to.
MOST_BYTES, MOST_PAINT_S = 6_000_000, 2.0

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_READY = "document.documentElement.dataset.figures === 'ready'"


def measure(repeat: int = 5) -> dict[str, Any]:
    """One row a figure: median and range over `repeat` turns. RuntimeError without a browser."""
    if find_browser() is None:
        raise RuntimeError("no Chromium: run .venv/bin/python -m testbed.setup --browser")
    writing, painting, drawing = [], [], []
    with tempfile.TemporaryDirectory(prefix="threadmill-report-") as directory:
        run = large(Path(directory) / "run")
        count = len(list((run / "trials").iterdir()))
        if count != TRIALS:
            raise RuntimeError(f"{count} trials were made, not {TRIALS}")
        for _ in range(repeat):
            began = time.monotonic()
            report = write(run)
            writing.append(time.monotonic() - began)
        size = report.stat().st_size
        with chromium() as browser:
            for _ in range(repeat):
                # A context of its own for each, so that nothing comes from a cache.
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(report.as_uri())
                page.wait_for_function(_PAINT)
                painting.append(page.evaluate(_PAINT) / 1000)
                page.wait_for_function(_READY)
                drawing.append(page.evaluate("performance.now()") / 1000)
                page.close()
    rows = (
        ("writing (s)", Spread.of(writing), None),
        ("size (bytes)", size, MOST_BYTES),
        ("first contentful paint (s)", Spread.of(painting), MOST_PAINT_S),
        ("figures ready (s)", Spread.of(drawing), None),
    )
    notes = (
        f"{TRIALS} trials, {repeat} turns; paint and figures by the page's own clock, since navigation began",
        "the first writing of a process also packs Plotly",
    )
    command = f"python -m benchmarks.report_size --repeat {repeat}"
    return as_json(Table("report_size", command, "as said in the row", ("figure", "measured", "at most"), rows, notes))


if __name__ == "__main__":
    run(measure)
