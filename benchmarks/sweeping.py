"""Running a sweep from a benchmark: its rows, without what it prints."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from testbed import exits

PROJECT = Path(__file__).resolve().parent.parent

Row = dict[str, str]


def rows(**fields: Any) -> list[Row]:
    """The rows of trials.csv of a sweep with these fields, run to its end. RuntimeError if it could not be.

    Rows of trials that are not valid are among them, and named on standard error: they give no figure.
    """
    with tempfile.TemporaryDirectory(prefix="threadmill-bench-") as place:
        directory = Path(place)
        file = directory / "sweep.yaml"
        file.write_text(yaml.safe_dump(fields))
        command = [sys.executable, str(PROJECT / "orchestrate.py"), "sweep", str(file)]
        command += ["--results", str(directory / "results")]
        done = finish(command)
        if done.returncode not in (exits.OK, exits.FAILED):
            raise RuntimeError(f"the sweep could not be run: {done.stderr.strip()[-500:]}")
        (results,) = (directory / "results").iterdir()
        with (results / "trials.csv").open() as text:
            found = list(csv.DictReader(text))
    for row in found:
        if not is_valid(row):
            print(f"{row['trial_id']} is not valid: {row['reasons']}", file=sys.stderr)
    return found


def finish(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the testbed to its end, standard error captured. When this is interrupted it is given the time
    it needs to remove its containers, which `subprocess.run` does not give."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, errors = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, "", errors)


def is_valid(row: Row) -> bool:
    return row["verdict"] != "invalid"
