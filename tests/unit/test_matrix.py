"""Every pair of features is planned, rendered, asked for and recognised again, without Docker."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers.models import SERVERS
from testbed.errors import UserError
from testbed.files import write_json
from testbed.judge import shape
from testbed.parts import trial as parts
from testbed.plan.schema import Sweep
from testbed.plan.steps import Answer, program
from testbed.plan.sweepfile import Machine, dump, parse
from testbed.plan.trials import Trial, trials
from testbed.results import reading
from testbed.results.columns import COLUMNS
from testbed.results.directory import SCHEMA_VERSION, ResultsDirectory, row_of
from testbed.stack import compose
from testbed.stack.compose import compose_text
from testbed.stack.cpus import CpuSets
from testbed.stack.naming import HOLDER
from testbed.stack.run import Run
from tests.matrix import DOZEN, FACTORS, MODES, Row, document, make, pairs
from tests.unit.testbed.accepted import refusal

MACHINE = Machine(cpus=2, memory_bytes=8 * 2**30)
RUN = Run("m-1-a", "threadmill-m", "1:1", 1, CpuSets("1", "0", "0", isolated=True, notes=()))
PAIRS = pairs()

every_row = pytest.mark.parametrize("row", PAIRS, ids=str)


def sweep_of(*rows: Row) -> Sweep:
    return parse(yaml.dump(document("m", rows), Dumper=yaml.CSafeDumper), Path("m.yaml"), MACHINE)


def test_every_pair_of_values_is_in_a_row_and_every_value_in_the_dozen() -> None:
    for (one, values), (other, others) in itertools.combinations(FACTORS.items(), 2):
        found = {(getattr(row, one), getattr(row, other)) for row in PAIRS}
        assert found == set(itertools.product(values, others)), (one, other)
    dozen = [row for rows in DOZEN.values() for row in rows]
    assert len(dozen) == 12
    for name, values in FACTORS.items():
        assert {getattr(row, name) for row in dozen} == set(values) or name == "server", name
    assert {make(row.server) for row in dozen} == {make(server) for server in SERVERS}


@pytest.mark.parametrize("group", DOZEN)
def test_a_group_of_rows_is_one_sweep_of_these_rows_alone(group: str) -> None:
    rows = DOZEN[group]
    assert len({row.interruption for row in rows}) == 1
    planned = trials(sweep_of(*rows))
    assert [
        (one.cell.model, one.cell.engine, one.cell.network, one.cell.limit, one.cell.connection) for one in planned
    ] == [(row.server, row.engine, row.network, row.limit, str(row.connection)) for row in rows]
    assert [one.cell.arrivals for one in planned] == [MODES[row.mode].get("arrivals", "constant") for row in rows]


@every_row
def test_a_row_is_planned_as_one_trial_of_its_values(row: Row) -> None:
    (trial,) = trials(sweep_of(row))
    cell = trial.cell
    assert (cell.model, cell.engine, cell.network, cell.limit) == (row.server, row.engine, row.network, row.limit)
    assert cell.connection == str(row.connection)
    assert cell.mode == MODES[row.mode]["mode"]
    # The server will be started with these, and has to look like it.
    assert shape.expected(cell.model, 3, cell.workers, cell.threads).processes >= 1


@every_row
def test_a_rows_project_has_its_limit_its_network_and_its_server(row: Row) -> None:
    (trial,) = trials(sweep_of(row))
    run = Run(RUN.run_id, RUN.project, RUN.user, RUN.workers, RUN.cpu_sets, shared=row.network == "shared")
    project = compose.project(parts.stack(run, [row.server], trial), {"load": "../../load"})
    assert yaml.load(compose_text(project), Loader=yaml.CSafeLoader) == project
    server = project["services"][row.server]
    assert ("cpus" in server) == (row.limit != "cpuset")
    assert server["cpuset"] == "1"
    assert ("network_mode" in server) == (row.network == "shared")
    assert (HOLDER in project["services"]) == (row.network == "shared")
    assert project["services"][f"probe-{row.server}"]["pid"] == f"service:{row.server}"


def latency_us(trial: Trial) -> int:
    """A server that answers in 20 ms up to 37 requests/s, and in a minute beyond."""
    return 20_000 if (trial.cell.rate_rps or 0) <= 37 else 60_000_000


def record_of(trial: Trial) -> dict[str, Any]:
    """What a trial of such a server leaves in trial.json."""
    p99 = latency_us(trial)
    cell = {name: getattr(trial.cell, name) for name in type(trial.cell).__annotations__}
    measured = {"latency_p99_us": p99, "latency_max_us": p99, "failed": 0, "achieved_over_offered": 1.0, "ok": 40}
    judged = {"status": "ok", "verdict": "not-saturated", "unsteady": False, "reasons": []}
    head = {"schema_version": SCHEMA_VERSION, "trial_id": trial.trial_id, "block": trial.block, "canary": trial.canary}
    return dict.fromkeys(COLUMNS) | head | cell | measured | judged


def carried_out(sweep: Sweep, there: dict[str, dict[str, Any]]) -> tuple[list[Trial], list[Answer | None]]:
    """The trials that are measured where those in `there` are taken as they are, and what searches answer."""
    measured, answers = [], []
    for entry in trials(sweep):
        steps = program(entry, sweep)
        trial = next(steps)
        while True:
            if trial.trial_id not in there:
                measured.append(trial)
            try:
                trial = steps.send(there.get(trial.trial_id) or row_of(record_of(trial)))
            except StopIteration as end:
                answers.append(end.value)
                break
    return measured, answers


@every_row
def test_load_generator_and_server_take_every_trial_of_a_row(row: Row) -> None:
    sweep = sweep_of(row)
    measured, _ = carried_out(sweep, {})
    assert measured
    assert [refusal(trial, sweep, None) for trial in measured] == [""] * len(measured)


@every_row
def test_a_row_that_was_cut_off_anywhere_is_completed_by_what_is_missing(row: Row, tmp_path: Path) -> None:
    sweep = sweep_of(row)
    again = parse(dump(sweep), tmp_path / "sweep.yaml", MACHINE)
    assert again == sweep
    every, answers = carried_out(sweep, {})
    ids = [trial.trial_id for trial in every]
    assert len(set(ids)) == len(ids)
    directory = ResultsDirectory(tmp_path)
    (tmp_path / "trials").mkdir()
    for cut in range(len(every) + 1):
        finished = {one["trial_id"]: one for one in reading.trials(tmp_path, {}).rows}
        assert finished.keys() == set(ids[:cut])
        there = {name: finished[name] for name in ids[:cut]}
        rest, found = carried_out(again, there)
        assert [trial.trial_id for trial in rest] == ids[cut:]
        assert found == answers
        if cut < len(every):
            directory.trial(ids[cut]).mkdir()
            write_json(directory.trial(ids[cut]) / "trial.json", record_of(every[cut]))


def test_a_processor_that_is_divided_is_refused_in_one_line_whatever_it_meets() -> None:
    refused = 0
    for row in PAIRS:
        asked = document("m", [row]) | {"limits": {"cpus": 0.5, "limit": row.limit}}
        text = yaml.dump(asked, Dumper=yaml.CSafeDumper)
        try:
            parse(text, Path("m.yaml"), MACHINE)
            assert row.limit != "cpuset"
        except UserError as error:
            refused += 1
            (line,) = str(error).splitlines()
            assert row.limit == "cpuset"
            assert "allowed: whole cpus with limit cpuset" in line
    assert 0 < refused < len(PAIRS)
