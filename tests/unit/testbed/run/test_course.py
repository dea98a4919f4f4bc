"""A sweep of every mode that is cut off at any moment goes on with exactly what is missing, and loses nothing."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import UserError
from testbed.files import write_json
from testbed.plan import sweepfile, trials
from testbed.plan.schema import Sweep
from testbed.plan.trials import Trial
from testbed.results.directory import ResultsDirectory, row_of
from testbed.run.course import Course
from tests.unit.testbed.made_runs import MACHINE, manifest, record

FACTS = manifest(host={"cpus": MACHINE.cpus, "memory_bytes": MACHINE.memory_bytes})
SLO = {"p99": "50ms"}
LOADS: dict[str, dict[str, Any]] = {
    "closed": {"mode": "closed", "users": [2, 4]},
    "open": {"mode": "open", "rate": [100, 200]},
    "capacity": {"mode": "capacity", "slo": SLO},
    "relative": {"mode": "relative", "slo": SLO, "at": [0.5, 0.9, 1.0]},
}


class Killed(BaseException):
    """As SIGKILL: nothing after it is done."""


def sweep_of(load: dict[str, Any], models: Sequence[str] = ("spst", "spmt")) -> Sweep:
    fields = {"name": "made", "models": list(models), "load": load, "repeat": 2, "order": {"canary": True}}
    return sweepfile.parse(yaml.dump(fields, Dumper=yaml.CSafeDumper), Path("made.yaml"), MACHINE)


class Machine:
    """Measures trials as servers that hold up to 740 and 370 requests/s; dies at a given moment of its work."""

    most_rps = 740.0

    def __init__(self, path: Path, sweep: Sweep, verdict: Callable[[Trial], str] = lambda _: "server-bound") -> None:
        self.directory = ResultsDirectory(path)
        self.sweep = sweep
        self.course = Course(sweep, self.directory)
        self.measured: list[str] = []
        self.moments = 0
        self.dies_at: int | None = None
        self.looked_at: Callable[[], None] = lambda: None
        self._verdict = verdict

    def _moment(self) -> None:
        self.moments += 1
        self.looked_at()
        if self.moments == self.dies_at:
            raise Killed

    def measure(self, trial: Trial) -> dict[str, Any]:
        self._moment()
        directory = self.directory.begin_trial(trial.trial_id)
        (directory / "compose.yaml").write_text("services: {}\n")
        self._moment()
        rate, most = trial.cell.rate_rps or 0.0, self.most_rps / (1 if trial.cell.model == "spmt" else 2)
        over = rate > most * (1 + trial.block / 10)
        verdict = self._verdict(trial)
        about = {"achieved_over_offered": 1.0, "latency_p99_us": 400_000 if over else 9_000, "verdict": verdict}
        written = record(trial, **about, status="failed" if verdict == "invalid" else "ok")
        (directory / "load.json").write_text(json.dumps({"moment": self.moments}))
        write_json(directory / "trial.json", written)
        self.measured.append(trial.trial_id)
        self._moment()
        row = row_of(written)
        self.course.keep(row)
        self._moment()
        return row

    def begin(self) -> None:
        self.directory.create((10001, 10001))
        (self.directory.path / "sweep.yaml").write_text(sweepfile.dump(self.sweep))
        self.course.write_rows()
        self.course.run(trials.trials(self.sweep), self.measure)

    def go_on(self) -> list[str]:
        """What is said of broken records."""
        self.directory.reopen((10001, 10001))
        said = self.course.take_up(FACTS)
        complete, before = self.course.is_complete, len(self.measured)
        self.course.run(trials.trials(self.sweep), self.measure)
        # It decides whether a load generator is started at all.
        assert complete == (len(self.measured) == before)
        assert self.course.is_complete or said
        return said


def files(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def trials_in(path: Path) -> list[str]:
    with (path / "trials.csv").open() as file:
        return [row["trial_id"] for row in csv.DictReader(file)]


@pytest.fixture(params=list(LOADS))
def sweep(request: pytest.FixtureRequest) -> Sweep:
    return sweep_of(LOADS[request.param], ["spmt"])


def moments_of(sweep: Sweep, path: Path) -> tuple[int, Machine]:
    whole = Machine(path, sweep)
    whole.begin()
    return whole.moments, whole


class Weak(Machine):
    """Searches find what it holds after few trials."""

    most_rps = 130.0


def test_a_sweep_killed_at_any_moment_is_completed_with_exactly_what_is_missing(sweep: Sweep, tmp_path: Path) -> None:
    whole = Weak(tmp_path / "whole", sweep)
    killed: list[tuple[Path, list[str]]] = []

    def left_by_a_kill() -> None:
        # What is on disk at this moment. Links do: a file is written once, or replaced by another.
        path = tmp_path / f"killed-{whole.moments}"
        shutil.copytree(whole.directory.path, path, copy_function=os.link)
        killed.append((path, [*whole.measured]))

    whole.looked_at = left_by_a_kill
    whole.begin()
    assert len(killed) == whole.moments == 4 * len(whole.measured)
    wanted = trials_in(whole.directory.path)
    capacity = whole.directory.path / "capacity.csv"
    assert capacity.exists() == bool(sweep.load.slo)
    for path, measured in killed:
        kept = {name: text for name, text in files(path / "trials").items() if name.split("/")[0] in measured}
        second = Weak(path, sweep)
        second.go_on()
        assert measured + second.measured == whole.measured
        assert trials_in(path) == wanted
        assert files(path / "trials").items() >= kept.items()
        if capacity.exists():
            assert (path / "capacity.csv").read_text() == capacity.read_text()
        shutil.rmtree(path)


def test_what_was_finished_stays_when_the_sweep_is_killed_again_and_again(tmp_path: Path) -> None:
    sweep = sweep_of(LOADS["relative"])
    _, whole = moments_of(sweep, tmp_path / "whole")
    measured: list[str] = []
    for attempt in range(1000):
        machine = Machine(tmp_path / "killed", sweep)
        machine.dies_at = 7
        try:
            machine.go_on() if attempt else machine.begin()
        except Killed:
            measured += machine.measured
            assert set(trials_in(tmp_path / "killed")) >= set(measured[:-1])
        else:
            measured += machine.measured
            break
    assert measured == whole.measured


def test_a_trial_that_has_its_record_counts_although_the_sweep_was_stopped_before_it_was_listed(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "a", sweep_of(LOADS["capacity"]))
    machine.dies_at = 7
    with pytest.raises(Killed):
        machine.begin()
    finished = machine.measured[-1]
    assert finished not in trials_in(tmp_path / "a")
    machine.course.settle(finished)
    assert trials_in(tmp_path / "a") == machine.measured
    machine.directory.trial("half").mkdir()
    machine.course.settle("half")
    assert not machine.directory.trial("half").exists()


def test_a_search_of_which_trials_are_gone_has_no_answer_until_they_are_measured_again(tmp_path: Path) -> None:
    sweep = sweep_of(LOADS["relative"])
    _, whole = moments_of(sweep, tmp_path / "a")
    first = trials.searches(sweep)[0].trial_id
    gone = whole.directory.trial(f"{first}-at50")
    before = (tmp_path / "a" / "capacity.csv").read_text()
    gone.rename(tmp_path / "elsewhere")
    again = Machine(tmp_path / "a", sweep)
    again.directory.reopen((10001, 10001))
    assert again.course.take_up(FACTS) == []
    assert [answer.trial.trial_id for answer in again.course.answers] == [
        one.trial_id for one in trials.searches(sweep) if one.trial_id != first
    ]
    again.course.run(trials.trials(sweep), again.measure)
    assert again.measured == [gone.name]
    assert (tmp_path / "a" / "capacity.csv").read_text() == before


def test_a_rate_that_cannot_be_measured_leaves_the_search_without_an_answer_and_the_sweep_goes_on(
    tmp_path: Path,
) -> None:
    sweep = sweep_of(LOADS["relative"])
    machine = Machine(
        tmp_path / "a", sweep, lambda trial: "invalid" if (trial.cell.rate_rps or 0) > 500 else "server-bound"
    )
    machine.begin()
    (reason,) = {answer.capacity.reason for answer in machine.course.unanswered if answer.trial.cell.model == "spmt"}
    assert reason.startswith("3 invalid trials in a row, the last at ")
    assert len(machine.course.answers) == 4
    assert not [name for name in machine.measured if "-at" in name and "spmt" in name]
    with (tmp_path / "a" / "capacity.csv").open() as file:
        spmt = [row for row in csv.DictReader(file) if row["model"] == "spmt"]
    assert [(row["answered"], row["rate_rps"], row["fails_at_rps"], row["client_bound"]) for row in spmt] == [
        ("False", "", "", "")
    ] * 2
    again = Machine(tmp_path / "a", sweep)
    again.go_on()
    assert again.measured == []


def test_a_search_of_another_version_is_refused_and_nothing_of_it_is_touched(tmp_path: Path) -> None:
    sweep = sweep_of(LOADS["capacity"])
    _, whole = moments_of(sweep, tmp_path / "a")
    path = whole.directory.trial(f"{trials.searches(sweep)[0].trial_id}-s02") / "trial.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rate_rps": 123.0}))
    before = files(tmp_path / "a" / "trials")
    with pytest.raises(UserError, match=r"-s02: measured at 123.0 requests/s, asked for now is 400.0"):
        Machine(tmp_path / "a", sweep).go_on()
    assert files(tmp_path / "a" / "trials") == before


def test_searches_of_results_from_before_their_columns_are_gone_on_with(tmp_path: Path) -> None:
    sweep = sweep_of(LOADS["relative"])
    _, whole = moments_of(sweep, tmp_path / "a")
    for path in (tmp_path / "a" / "trials").glob("*/trial.json"):
        old = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in old.items() if k not in ("search_id", "step", "share")}))
    (tmp_path / "a" / "trials.csv").unlink()
    again = Machine(tmp_path / "a", sweep)
    again.go_on()
    assert again.measured == []
    assert trials_in(tmp_path / "a") == whole.measured
    assert again.course.rows == whole.course.rows


def test_a_finished_trial_is_neither_removed_nor_measured_over(tmp_path: Path) -> None:
    directory = ResultsDirectory(tmp_path / "a")
    directory.create((10001, 10001))
    directory.begin_trial("t1")
    (directory.trial("t1") / "trial.json").write_text("{")
    with pytest.raises(UserError, match="t1"):
        directory.begin_trial("t1")
    directory.discard("t1")
    directory.reopen((10001, 10001))
    assert (directory.trial("t1") / "trial.json").read_text() == "{"
    directory.begin_trial("t2")
    (directory.begin_trial("t2") / "compose.yaml").write_text("x")
    assert list(directory.begin_trial("t2").iterdir()) == []


def test_what_is_still_to_come_is_told_before_each_entry_and_ends_with_the_last(tmp_path: Path) -> None:
    sweep = sweep_of(LOADS["closed"])
    machine = Machine(tmp_path / "a", sweep)
    machine.directory.create((10001, 10001))
    told: list[int] = []
    machine.course.run(trials.trials(sweep), machine.measure, told.append)
    count = len(trials.trials(sweep))
    assert told == list(range(count, 0, -1))
    told.clear()
    machine.course.run(trials.trials(sweep), machine.measure, told.append)
    assert told == [0] * count


def test_a_sweep_that_owes_a_redo_is_not_complete(tmp_path: Path) -> None:
    fields = {"name": "made", "models": ["spmt"], "order": {"redo": "disturbed"}}
    wants = sweepfile.parse(yaml.safe_dump(fields), Path("made.yaml"), MACHINE)
    for sweep, complete in ((wants, False), (sweepfile.parse("name: made\nmodels: [spmt]", Path("a"), MACHINE), True)):
        machine = Machine(tmp_path / str(complete), sweep)
        machine.begin()
        assert machine.course.is_complete
        machine.course.rows[0]["disturbed"] = True
        assert machine.course.is_complete is complete
