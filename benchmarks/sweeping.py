"""Running a sweep from a benchmark: its rows, without what it prints."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from testbed import exits

PROJECT = Path(__file__).resolve().parent.parent

Row = dict[str, str]


class NotMeasured(RuntimeError):
    """Why there is no figure: a sweep could not be run, or a trial that it takes is not valid."""


def command(*arguments: str) -> list[str]:
    """A command of the testbed, to be run as a process."""
    return [sys.executable, str(PROJECT / "orchestrate.py"), *arguments]


def write_sweep(directory: Path, **fields: Any) -> Path:
    path = directory / f"{fields['name']}.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def results_in(directory: Path) -> tuple[Path, list[Row]]:
    """The one results directory in this one, and the rows of its trials.csv."""
    (results,) = directory.iterdir()
    with (results / "trials.csv").open() as file:
        return results, list(csv.DictReader(file))


def sweep(
    directory: Path,
    *,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    via: Sequence[str] = (),
    **fields: Any,
) -> tuple[Path, list[Row]]:
    """Run a sweep with these fields to its end: its results directory below this one, and its rows, those of trials
    that are not valid among them. `via`: what the command is started with. Raises NotMeasured if it could not be run.
    """
    results = directory / f"results-{fields['name']}"
    words = command("sweep", str(write_sweep(directory, **fields)), "--results", str(results), *options)
    done = finish([*via, *words], environment)
    if done.returncode not in (exits.OK, exits.FAILED):
        raise NotMeasured(f"the sweep {fields['name']} could not be run: {done.stderr.strip()[-500:]}")
    return results_in(results)


def rows(**fields: Any) -> list[Row]:
    """The rows of trials.csv of a sweep with these fields, run to its end. Raises NotMeasured if it could not be.

    Rows of trials that are not valid are among them, and named on standard error: they give no figure.
    """
    with tempfile.TemporaryDirectory(prefix="threadmill-bench-") as place:
        _, found = sweep(Path(place), **fields)
    for row in found:
        if not is_valid(row):
            print(f"{row['trial_id']} is not valid: {row['reasons']}", file=sys.stderr)
    return found


def finish(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the testbed to its end, standard error captured. When this is interrupted it is given the time
    it needs to remove its containers, which `subprocess.run` does not give."""
    with subprocess.Popen(
        arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    ) as process:
        try:
            _, errors = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, "", errors)


def is_valid(row: Row) -> bool:
    return row["verdict"] != "invalid"
