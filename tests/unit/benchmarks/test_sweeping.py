"""A benchmark or a proof takes no figure from a sweep that broke down, and none from a trial that is not valid."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sweeping, trial_overhead
from benchmarks.common import from_json
from benchmarks.proofs import __main__ as proofs
from servers.models import MODELS
from testbed.interrupt import interruptible
from testbed.results.directory import csv_text
from tests.waiting import wait_until

HEADER = ("trial_id", "model", "verdict", "reasons", "overhead_s")


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every sweep end with this exit code and these rows."""

    def ends(code: int, rows: list[dict[str, Any]]) -> None:
        def run(command: list[str], _: object) -> subprocess.CompletedProcess[str]:
            results = Path(command[command.index("--results") + 1]) / "made"
            results.mkdir(parents=True)
            (results / "trials.csv").write_text(csv_text(rows, HEADER))
            return subprocess.CompletedProcess(command, code, "", "orchestrate.py: the testbed failed: it burns\n")

        monkeypatch.setattr(sweeping, "finish", run)

    return ends


def row(model: str, verdict: str, overhead_s: float) -> dict[str, Any]:
    reasons = "completed: no load result" if verdict == "invalid" else ""
    return dict(zip(HEADER, (f"001-{model}", model, verdict, reasons, overhead_s), strict=True))


def test_the_overhead_is_that_of_valid_trials(sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = MODELS
    rows = [row(model, "server-bound", 1.0) for model in others]
    sweep(1, [row(first, "invalid", 40.0), *rows])
    cells = {line[0]: line[1:] for line in from_json(trial_overhead.measure()).rows}
    assert cells[first] == (0, None)
    assert cells["all"][0] == len(others) and cells["all"][1].high == 1.0
    assert capsys.readouterr().err == f"001-{first} is not valid: completed: no load result\n"


@pytest.mark.parametrize("code", [2, 3, 130])
def test_a_sweep_that_broke_down_gives_no_rows_although_some_are_there(sweep: Any, code: int) -> None:
    sweep(code, [row("spst", "server-bound", 1.0)])
    with pytest.raises(sweeping.NotMeasured, match=r"the sweep made could not be run: .*it burns"):
        sweeping.rows(name="made")


def test_a_claim_that_could_not_be_tried_does_not_hold_and_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_tried(_: Path) -> bool:
        raise sweeping.NotMeasured("Docker died")

    monkeypatch.setattr(proofs, "PROOFS", {"one": not_tried, "two": lambda _: True})
    monkeypatch.setattr("sys.argv", ["proofs"])
    assert proofs.main() == 1
    shown = capsys.readouterr().out
    assert "not tried: Docker died" in shown and "one: DID NOT HOLD" in shown and "two: held" in shown


TIDIES = """
import pathlib, signal, sys, time
def tidy(*_):
    time.sleep(0.6)  # longer than subprocess.run lets it live
    pathlib.Path(sys.argv[1]).rename(sys.argv[2])
    sys.exit(130)
signal.signal(signal.SIGTERM, tidy)
pathlib.Path(sys.argv[1]).touch()
signal.pause()
"""


def test_a_sweep_of_an_interrupted_benchmark_is_given_the_time_to_tidy_up(tmp_path: Path) -> None:
    started, tidied = tmp_path / "started", tmp_path / "tidied"

    def interrupt() -> None:
        wait_until(started.exists, "the sweep has started")
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with interruptible(), pytest.raises(KeyboardInterrupt):
        sweeping.finish([sys.executable, "-c", TIDIES, str(started), str(tidied)])
    interrupter.join()
    assert tidied.exists() and not started.exists()
