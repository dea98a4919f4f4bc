"""A Docker engine that dies, or is started afresh, under a sweep: one line, nothing left, nothing finished is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stack import PROJECT, TIMEOUT_S, Terminal, terminal
from tests.lab.engines import LabEngine
from tests.lab.sweeps import FIRST, SECOND, THIRD, finished, ids, rows_of, write_sweep

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tmp_path)


def kill(engine: LabEngine) -> None:
    engine.kill()


def kill_and_start(engine: LabEngine) -> None:
    engine.kill()
    engine.start()


def restart(engine: LabEngine) -> None:
    engine.stop()
    engine.start()


def broken_off(engine: LabEngine, path: Path, results: Path, moment: str, fault: Callable[[LabEngine], None]) -> str:
    """Run the sweep until `moment` is shown, do that to its engine, and return the one line with which it ends."""
    with terminal("sweep", path, "--results", results, via=engine.via, environment=engine.environment) as shown:
        shown.wait_for(moment)
        fault(engine)
        assert shown.end() == 3, shown.output
    return the_one_line(shown)


def the_one_line(shown: Terminal) -> str:
    assert "Traceback" not in shown.output
    lines = [line.strip() for line in shown.output.splitlines()]
    assert [line.startswith("orchestrate.py: ") for line in lines].count(True) == 1, shown.output
    assert lines[-1].startswith("orchestrate.py: the testbed failed: "), shown.output
    return lines[-1]


def go_on(engine: LabEngine, results: Path) -> list[dict[str, str]]:
    """Resume the one sweep there; its rows."""
    (directory,) = results.iterdir()
    command = [*engine.via, sys.executable, str(PROJECT / "orchestrate.py"), "sweep", "--resume", str(directory)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=PROJECT, env=engine.environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return rows_of(results)


def test_an_engine_killed_in_the_window_is_one_line_and_resume_completes_the_sweep(
    engine: LabEngine, sweep_file: Path, tmp_path: Path
) -> None:
    line = broken_off(engine, sweep_file, tmp_path / "results", f"{SECOND} window", kill)
    assert "Docker's engine does not answer any more: " in line
    assert "containers are left, which the next sweep removes" in line
    before = finished(tmp_path / "results")
    assert list(before) == [FIRST]
    engine.start()
    assert ids(go_on(engine, tmp_path / "results")) == [FIRST, SECOND, THIRD]
    assert finished(tmp_path / "results")[FIRST] == before[FIRST]
    assert (engine.containers(), engine.networks()) == ([], [])


def test_an_engine_that_comes_back_is_cleaned_at_once(engine: LabEngine, sweep_file: Path, tmp_path: Path) -> None:
    line = broken_off(engine, sweep_file, tmp_path / "results", f"{SECOND} window", kill_and_start)
    assert "containers are left" not in line
    assert (engine.containers(), engine.networks()) == ([], [])
    assert list(finished(tmp_path / "results")) == [FIRST]
    assert ids(go_on(engine, tmp_path / "results")) == [FIRST, SECOND, THIRD]


def test_an_engine_restarted_between_trials_makes_no_trial_invalid(
    engine: LabEngine, sweep_file: Path, tmp_path: Path
) -> None:
    broken_off(engine, sweep_file, tmp_path / "results", f"{FIRST}: ", restart)
    assert (engine.containers(), engine.networks()) == ([], [])
    assert list(finished(tmp_path / "results")) == [FIRST]
    assert ids(go_on(engine, tmp_path / "results")) == [FIRST, SECOND, THIRD]
