"""A sweep file gives the plan that it gave before: the fixtures were written by the code before the table of axes.

`python -m tests.unit.testbed.plan.test_golden` writes them anew, for a change of the plan that is meant.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from testbed.plan import cells, sweepfile, trials
from testbed.plan.calibration import work
from testbed.plan.cell import Cell
from testbed.plan.estimate import expected_trials
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.plan.trials import Trial
from testbed.report.view import axis_text, axis_title
from testbed.results.table import add_cell_columns, cell_texts, new_table, telling_fields
from testbed.run.sweep import print_plan
from testbed.stack import locust_api

GOLDEN = Path(__file__).parent / "golden"
SWEEPS = sorted([*Path(__file__).parents[4].glob("sweeps/*.yaml"), *GOLDEN.glob("*.yaml")])
MACHINE = Machine(cpus=8, memory_bytes=2**35)
CALIBRATION = {"spin_units_per_ms": 1_700.0, "hash_rounds_per_ms": 4_000.0}

Json = dict[str, Any]


def plan(sweep: Sweep) -> Json:
    """What a sweep comes to: everything that is made of its axes, with only what differs from the first cell."""
    planned = trials.trials(sweep)
    first = asdict(planned[0].cell)
    return {
        "resolved": yaml.safe_load(sweepfile.dump(sweep)),
        "expected_trials": expected_trials(sweep),
        "searches": len(trials.searches(sweep)),
        "first": first,
        "trials": {one.trial_id: [one.block, one.canary, _unlike(first, asdict(one.cell))] for one in planned},
        "dry_run": _dry_run(sweep),
        "forms": _forms(sweep, planned),
        "shown": list(_shown(cells.cells(sweep))),
        "in_the_report": _in_the_report(cells.cells(sweep)),
    }


def _unlike(first: Json, other: Json) -> Json:
    return {name: value for name, value in other.items() if value != first[name]}


def _dry_run(sweep: Sweep) -> list[str]:
    text = io.StringIO()
    print_plan(sweep, Console(file=text, width=1_000, no_color=True))
    return text.getvalue().splitlines()


def _forms(sweep: Sweep, planned: list[Trial]) -> list[Json]:
    """What Locust is asked for: the first whole, of the others what differs."""
    every = [
        locust_api.form(one, work(one.cell, CALIBRATION), sweep.warmup / 1e6, sweep.duration / 1e6) for one in planned
    ]
    for one in every:
        # The trial's, not the cell's.
        one.pop("seed", None)
    return [every[0], *(_unlike(every[0], one) for one in every[1:])]


def _shown(these: list[Cell]) -> Iterator[list[str]]:
    """The cells in the table of results."""
    names = telling_fields(these)
    table = new_table("")
    add_cell_columns(table, names, these)
    yield [f"{column.header} ({column.justify})" for column in table.columns]
    for cell in these:
        yield cell_texts(cell, names)


def _in_the_report(these: list[Cell]) -> Json:
    """How the report calls what varies, and its values."""
    return {
        axis_title(name): list(dict.fromkeys(axis_text(name, getattr(cell, name)) for cell in these))
        for name in cells.varying_fields(these)
    }


def _fixture(path: Path) -> Path:
    return GOLDEN / f"{path.stem}.json"


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_file_gives_the_plan_that_it_gave(path: Path) -> None:
    found = json.loads(json.dumps(plan(sweepfile.load(path, MACHINE))))
    assert found == json.loads(_fixture(path).read_text())


def _write() -> None:
    for path in SWEEPS:
        found = plan(sweepfile.load(path, MACHINE))
        lines = [f"{json.dumps(name)}: {_lines(value)}" for name, value in found.items()]
        _fixture(path).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _lines(value: Any) -> str:
    """One entry a line, so that a change shows where it is."""
    if isinstance(value, list):
        return "[\n " + ",\n ".join(json.dumps(one) for one in value) + "\n]"
    if isinstance(value, dict):
        return "{\n " + ",\n ".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in value.items()) + "\n}"
    return json.dumps(value)


if __name__ == "__main__":
    _write()
