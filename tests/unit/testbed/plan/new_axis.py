"""Where an axis that only the table knows arrives. Run by test_axes.py in a copy of the tree that has `load.grace`."""

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from testbed.compare import view as compare_view
from testbed.compare.pairs import compare
from testbed.plan import cells, keys, sweepfile, trials
from testbed.plan.calibration import Work
from testbed.plan.fields import Machine
from testbed.report import source, view, words
from testbed.results import searches, web_record
from testbed.results.columns import COLUMNS, TEXT_COLUMNS
from testbed.results.directory import csv_text
from testbed.results.table import results_table
from testbed.run.sweep import print_plan
from testbed.stack import locust_api
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.results.test_web_runs import lines, load
from tests.unit.testbed.rows import row

MACHINE = Machine(2, 2**33)
SWEEP = "name: a\nmodels: [spst, spmt]\nload: {grace: [0, 20ms]}\n"


def _sweep(more: str = "") -> sweepfile.Sweep:
    return sweepfile.parse(SWEEP + more, Path("a.yaml"), MACHINE)


def _text(*printed: Any) -> str:
    text = io.StringIO()
    Console(file=text, width=200, no_color=True).print(*printed)
    return text.getvalue()


def _dry_run() -> str:
    text = io.StringIO()
    print_plan(_sweep(), Console(file=text, width=200, no_color=True))
    return text.getvalue()


def _without(path: Path, field: str) -> None:
    """Make of a run one from before there was this column."""
    for trial in path.glob("trials/*/trial.json"):
        record = json.loads(trial.read_text())
        del record[field]
        trial.write_text(json.dumps(record))


def arrivals() -> dict[str, Any]:
    """By place, what is seen of it there."""
    planned = cells.cells(_sweep())
    rows = [row(cell, trial_id=str(index)) for index, cell in enumerate(planned)]
    with TemporaryDirectory() as place:
        sweep = {"models": ["spst"], "load": {"grace": ["0", "1s"]}}
        first, second, old = (make_run(Path(place) / name, sweep) for name in ("first", "second", "old"))
        _without(old, "grace_us")
        (pair, with_old) = compare([first, second, old], [], force=False)
        report = view.view(source.read(first))
        name = compare_view.cell_name(pair.joined)
        found = {
            "compared": [name(one) for one in pair.joined.cells],
            "compared_with_earlier": [one.cell["grace_us"] for one in with_old.joined.cells],
            "report": {one.title: [view.axis_text(one.name, value) for value in one.values] for one in report.axes},
            "report_words": "Also varied" in words.lead(report) and "time for what is in flight" in words.lead(report),
        }
    trial = trials.trials(_sweep())[-1]
    form = locust_api.form(trial, Work(0, 0), 1.0, 2.0)
    return found | {
        "plan": [[cell.model, cell.grace_us] for cell in planned],
        "default": cells.cells(sweepfile.parse("name: a\n", Path("a.yaml"), MACHINE))[0].grace_us,
        "excluded": [
            [cell.model, cell.grace_us] for cell in cells.cells(_sweep("exclude: [{model: spst, grace: 20ms}]\n"))
        ],
        "resolved": sweepfile.dump(_sweep("exclude: [{grace: 20ms}]\n")),
        "read_again": sweepfile.parse(sweepfile.dump(_sweep()), Path("a.yaml"), MACHINE) == _sweep(),
        "dry_run": _dry_run(),
        "column": [COLUMNS.get("grace_us"), "grace_us" in TEXT_COLUMNS, csv_text(rows[:1]).count("grace_us")],
        "table": _text(results_table("title", planned, rows)),
        "form": [form["stop_grace_s"], trial.cell.grace_us],
        "web_run": [
            web_record.record("web-1", load(**options), lines(), 2)["grace_us"]
            for options in ({"stop_grace_s": 0.25}, {})
        ],
        "search_of_earlier": searches.cell_of_search(
            {name: value for name, value in rows[0].items() if name != "grace_us"}
        ).grace_us,
        "key": [[one.key, one.allowed, one.default, one.meaning] for one in keys.rows() if one.key == "load.grace"],
    }


if __name__ == "__main__":
    print(json.dumps(arrivals()))
