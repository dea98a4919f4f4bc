"""A dozen rows on real Docker: every server, mode, engine, network, limit, kind of connection and interruption.

All pairs of these are planned in tests/unit/test_matrix.py.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.e2e.stack import orchestrate, terminal
from tests.matrix import DOZEN, Row, document
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]

# A search takes a dozen trials.
TIMEOUT_S = 150


def rows_of(results: Path) -> list[dict[str, str]]:
    with (results / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def finished(results: Path) -> dict[str, bytes]:
    """Every file of every trial that has a record."""
    whole = [path.parent for path in results.glob("trials/*/trial.json")]
    return {str(file.relative_to(results)): file.read_bytes() for trial in whole for file in trial.iterdir()}


def cut_off(path: Path, root: Path, interruption: str) -> Path:
    """Begin the sweep and end it in the window of its second trial. Returns the results directory."""
    with terminal("sweep", path, "--results", root) as shown:

        def in_second_trial() -> bool:
            return len(list(root.glob("*/trials/*"))) == 2 and bool(list(root.glob("*/load/*.window.json")))

        wait_until(lambda: in_second_trial() or shown.process.poll() is not None, "the second trial's load", 60)
        assert in_second_trial(), shown.output
        if interruption == "kill":
            shown.process.kill()
            shown.process.wait()
        else:
            shown.interrupt()
            assert shown.end() == 130, shown.output
    (results,) = root.iterdir()
    return results


def assert_as_asked(rows: Sequence[Row], results: Path) -> None:
    found = rows_of(results)
    assert len({row["trial_id"] for row in found}) == len(found)
    assert {row["trial_id"] for row in found} == {one.name for one in (results / "trials").iterdir()}
    assert [row for row in found if row["status"] != "ok"] == []
    asked = [(row.server, row.engine, row.network, row.limit, str(row.connection)) for row in rows]
    names = ("model", "engine", "network", "limit", "connection")
    assert list(dict.fromkeys(tuple(row[name] for name in names) for row in found)) == asked
    if rows[0].mode in ("capacity", "relative"):
        with (results / "capacity.csv").open() as file:
            (answer,) = csv.DictReader(file)
        assert answer["answered"] == "True"
        assert (float(answer["rate_rps"]) > 0) == (rows[0].mode == "relative")
        steps = int(answer["steps"]) + int(answer["invalid"])
        assert [row["step"] for row in found if row["step"]] == [str(n + 1) for n in range(steps)]
        assert any("-at50" in row["trial_id"] for row in found) == (rows[0].mode == "relative")
    else:
        assert len(found) == len(rows)


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("group", DOZEN)
def test_rows_are_measured_and_completed_after_an_interruption(tmp_path: Path, name: str, group: str) -> None:
    rows, path, root = DOZEN[group], tmp_path / "sweep.yaml", tmp_path / "results"
    path.write_text(yaml.safe_dump(document(name, rows)))
    interruption = rows[0].interruption
    if interruption == "none":
        done = orchestrate("sweep", path, "--results", root)
        (results,) = root.iterdir()
    else:
        root.mkdir()
        results = cut_off(path, root, interruption)
        before = finished(results)
        assert before and len(rows_of(results)) == 1
        done = orchestrate("sweep", "--resume", results)
        after = finished(results)
        assert {file: after.get(file) for file in before} == before
    assert done.returncode == 0, done.stdout + done.stderr
    assert_as_asked(rows, results)
