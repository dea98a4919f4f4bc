"""One reader of results: of every version it reads, and with one answer to whatever is wrong with a file."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.compare.pairs import compare
from testbed.errors import UserError
from testbed.plan import sweepfile
from testbed.report.build import write
from testbed.report.source import read as read_for_report
from testbed.results import reading
from testbed.results.directory import SCHEMA_VERSION, ResultsDirectory, csv_text
from testbed.results.listing import list_runs
from testbed.run.course import Course
from tests.unit.testbed.made_runs import MACHINE, make_run

PROJECT = Path(__file__).parents[4]
# As f0f7ac4, 3a006ab and 571f583 wrote them, from made-up findings.
OLDER = Path(__file__).parent / "older"
SEARCH = "001-b1-spst-0.5cpu"


@pytest.fixture(params=["schema-2", "schema-3", "schema-4"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy."""
    return Path(shutil.copytree(OLDER / request.param, tmp_path / "results" / "older"))


def places(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["search_id"], row["step"], row["share"]) for row in rows]


PLACES = [(SEARCH, None, 0.5), *((SEARCH, step, None) for step in range(1, 10))]


def test_results_of_earlier_versions_are_read_and_what_they_lack_is_not_known(older: Path) -> None:
    run = reading.read(older)
    assert run.problems == ()
    assert places(run.rows) == PLACES
    assert [row["throughput_rps"] for row in run.rows[:3]] == [183.4, 100.0, 370.0]
    assert {row["voluntary_switches"] for row in run.rows} == ({4321} if older_version(older) >= 3 else {None})
    assert {row["server_steal_share"] for row in run.rows} == {None}
    assert {row[name] for row in run.rows for name in ("imbalance", "front_cpu_s", "front_connections")} == {None}
    (found,) = run.capacity
    assert (found["answered"], found["rate_rps"], found["fails_at_rps"]) == (True, 366.8, 383.0)


def older_version(path: Path) -> int:
    version: int = json.loads((path / "manifest.json").read_text())["schema_version"]
    return version


def test_results_of_earlier_versions_are_listed_reported_and_compared(older: Path) -> None:
    (listed,) = list_runs(older.parent, older / "no-lock")
    assert (listed.state, listed.trials, listed.note) == ("complete", 10, "")
    assert write(older).is_file()
    other = shutil.copytree(OLDER / "schema-3", older.parent / "other")
    (pair,) = compare([older, Path(other)], [], force=False)
    assert [cell.cell["share"] for cell in pair.joined.cells] == [0.5]
    assert len(pair.joined.searches) == 1


def test_a_sweep_of_an_earlier_version_is_gone_on_with(older: Path) -> None:
    shutil.rmtree(older / "trials" / f"{SEARCH}-s09")
    (older / "trials.csv").unlink()
    course = Course(sweepfile.load(older / "sweep.yaml", MACHINE), ResultsDirectory(older))
    assert course.take_up(reading.manifest(older)) == []
    assert sorted(places(course.rows), key=str) == sorted(PLACES[:-1], key=str)
    assert course.answers == []


def test_the_places_in_a_search_come_from_the_plan_and_are_said_to_be_lost_without_it(tmp_path: Path) -> None:
    path = Path(shutil.copytree(OLDER / "schema-2", tmp_path / "older"))
    (path / "sweep.yaml").unlink()
    run = reading.read(path)
    assert len(run.rows) == 10
    assert run.problems == (
        "sweep.yaml is missing or cannot be read: what was planned is not known",
        f"sweep.yaml does not tell of which search is {SEARCH}-at50, {SEARCH}-s01, {SEARCH}-s02 and 7 more trials",
    )


@pytest.mark.parametrize("version", [1, SCHEMA_VERSION + 1, 0, "3", True, None])
def test_what_no_reader_knows_is_refused_in_one_line_by_all(tmp_path: Path, version: object) -> None:
    path = make_run(tmp_path / "results" / "made", manifest={"schema_version": version})
    told = f"its schema_version is {'not known' if version is None else repr(version)}, allowed: 2 to {SCHEMA_VERSION};"
    for reads in (reading.read, read_for_report, reading.manifest, lambda one: compare([one, tmp_path], [], False)):
        with pytest.raises(UserError) as refused:
            reads(path)
        assert str(refused.value).startswith(f"{path}/manifest.json: {told}")
        assert len(str(refused.value).splitlines()) == 1
    (listed,) = list_runs(path.parent, tmp_path / "lock")
    assert listed.state == "unreadable"
    assert told in listed.note


def of_another(record: dict[str, Any]) -> str:
    return json.dumps(record | {"trial_id": "999-b9-other"})


def of_a_later_version(record: dict[str, Any]) -> str:
    return json.dumps(record | {"schema_version": SCHEMA_VERSION + 1})


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "empty": (lambda _: "", "cannot be read"),
    "torn": (lambda record: json.dumps(record)[:-5], "cannot be read"),
    "a list": (lambda _: "[]", "cannot be read"),
    "not text": (lambda _: "\x00", "cannot be read"),
    "unfinished": (lambda record: json.dumps(record | {"verdict": None}), "cannot be read: it has no verdict"),
    "another's": (of_another, "cannot be read: it is of another trial, '999-b9-other'"),
    "later": (of_a_later_version, f"cannot be read: its schema_version is {SCHEMA_VERSION + 1}"),
}


@pytest.mark.parametrize("listed", [False, True], ids=["unlisted", "listed"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_all_readers_have_one_answer_to_a_broken_record(tmp_path: Path, damage: str, listed: bool) -> None:
    path = make_run(tmp_path / "results" / "made", {"repeat": 1})
    whole = reading.read(path).rows
    if listed:
        (path / "trials.csv").write_text(csv_text(whole))
    victim = path / "trials" / whole[0]["trial_id"] / "trial.json"
    damaged, told = DAMAGES[damage]
    victim.write_text(damaged(json.loads(victim.read_text())))
    before = victim.read_text()

    run = reading.read(path)
    assert run.rows == (whole if listed else whole[1:])
    (problem,) = run.problems
    assert problem.startswith(f"trials/{victim.parent.name}/trial.json {told}")
    assert problem.endswith("; taken from trials.csv") == listed

    report = read_for_report(path)
    assert report.rows == run.rows
    assert problem in report.problems

    (one,) = list_runs(path.parent, tmp_path / "lock")
    assert (one.trials, one.note, one.state) == (len(run.rows), problem, "complete" if listed else "interrupted")

    other = make_run(tmp_path / "other", {"repeat": 1})
    (pair,) = compare([path, other], [], force=False)
    assert pair.base.rows == run.rows
    assert f"made: {problem}" in pair.conditions.warned

    course = Course(sweepfile.load(path / "sweep.yaml", MACHINE), ResultsDirectory(path))
    lines = course.take_up(run.manifest)
    assert sorted(row["trial_id"] for row in course.rows) == [row["trial_id"] for row in run.rows]
    assert lines[0] == problem
    assert lines[1:] == [f"{victim.parent}: stays; move it away to have it measured again"] * (not listed)
    assert victim.read_text() == before


def test_a_record_that_is_gone_comes_from_the_table_and_is_measured_again_by_who_goes_on(tmp_path: Path) -> None:
    path = make_run(tmp_path / "made")
    whole = reading.read(path).rows
    (path / "trials.csv").write_text(csv_text(whole))
    shutil.rmtree(path / "trials" / whole[0]["trial_id"])
    run = reading.read(path)
    assert run.rows == whole
    assert run.problems == (f"trial.json is missing for {whole[0]['trial_id']}: taken from trials.csv",)
    course = Course(sweepfile.load(path / "sweep.yaml", MACHINE), ResultsDirectory(path))
    assert course.take_up(run.manifest) == []
    assert len(course.rows) == len(whole) - 1


# A name may be made, and looked up, and compared.
_TAKEN_APART = re.compile(
    r"""trial_id["')\]]*\.(split|rsplit|partition|rpartition|removesuffix|removeprefix|endswith|startswith|find|rfind)\(
    |re\.\w+\([^\n]*trial_id|\.(fullmatch|match|search|findall)\([^\n]*trial_id|trial_id\[|-s\\d|-s0\d|-at\\d|-at\(|-s\(""",
    re.VERBOSE,
)


def test_no_code_takes_a_trials_name_apart() -> None:
    assert _TAKEN_APART.search("""_OF_SEARCH.fullmatch(str(row["trial_id"]))""")
    assert _TAKEN_APART.search("""row["trial_id"].rpartition("-s")""")
    found = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for folder in ("testbed", "loadtests", "benchmarks")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for line in path.read_text().splitlines()
        if _TAKEN_APART.search(line)
    ]
    assert found == []
