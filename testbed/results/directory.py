"""Where results land and what they look like. Files appear whole or not at all."""

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.errors import UserError
from testbed.files import write_atomically
from testbed.results.columns import COLUMNS, EARLIER

# Of manifest.json and trial.json. What an earlier version lacks is not known.
#   2  the first with verdicts
#   3  context switches are those of every task: before, of tasks seen alive alone, a part, which is no number.
#      In its course came where a trial stands in its search, and the stolen time
#   4  the seed of a trial's arrivals, which trial a redo measures again, and evidence by box: each container that was
#      watched
#   5  the verdicts front-bound and transient, what a front has counted, and what was changed within the window
#   6  the verdict backend-bound, and what stands behind the servers has counted
#   7  protocols and methods, and what a cache before the servers has answered
#   8  gateways: services and what was limited; sidecars, and what went wrong on purpose
SCHEMA_VERSION = 8
_SWITCHES_SINCE = 3

# What load and probe write of a trial of a minute stays below this.
_ROOM_BYTES = 2**20


@dataclass(frozen=True)
class ResultsDirectory:
    """`results/<sweep>-<utc time>/` and what is in it."""

    path: Path

    @property
    def load(self) -> Path:
        """Where Locust's master writes; shared with its containers."""
        return self.path / "load"

    def trial(self, trial_id: str) -> Path:
        return self.path / "trials" / trial_id

    def begin_trial(self, trial_id: str) -> Path:
        """An empty directory for a trial. UserError where it would take the place of a finished one."""
        self.discard(trial_id)
        path = self.trial(trial_id)
        try:
            path.mkdir()
        except FileExistsError:
            raise UserError(f"{path}: is there already; a finished trial is never measured over") from None
        return path

    def discard(self, trial_id: str) -> None:
        """Remove what a trial that was cut off has left. One that has its record stays, whoever asks."""
        path = self.trial(trial_id)
        if path.is_dir() and not (path / "trial.json").exists():
            shutil.rmtree(path, ignore_errors=True)

    def create(self, load_owner: tuple[int, int]) -> None:
        """Make the directories; `load/` belongs to `load_owner` (uid, gid), the load containers' user."""
        self.load.mkdir(parents=True)
        (self.path / "trials").mkdir()
        if os.getuid() == 0:
            os.chown(self.load, *load_owner)

    def reopen(self, load_owner: tuple[int, int]) -> None:
        """Make ready for more trials what a run that was cut off has left: unfinished trials go."""
        self.close()
        self.load.mkdir()
        if os.getuid() == 0:
            os.chown(self.load, *load_owner)
        (self.path / "trials").mkdir(exist_ok=True)
        for trial in (self.path / "trials").iterdir():
            self.discard(trial.name)

    def finished_ids(self) -> list[str]:
        """The names of all trials that have a record."""
        return sorted(path.parent.name for path in (self.path / "trials").glob("*/trial.json"))

    def take_json(self, trial_id: str, name: str, new_name: str) -> dict[str, Any] | None:
        """Move a file that a container has written into the trial's directory, owned by who runs this, and return what
        it says. None when there is no such file.
        """
        source = self.load / name
        try:
            text = source.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        value: dict[str, Any] = json.loads(text)
        write_atomically(self.trial(trial_id) / new_name, text)
        source.unlink()
        return value

    def take_rest(self, trial_id: str) -> None:
        """Move what else there is of the trial: the probes' series. The window's edges are in its other files."""
        for series in self.load.glob(f"{trial_id}.*probe.ndjson"):
            place = self.trial(trial_id) / series.name.removeprefix(f"{trial_id}.")
            write_atomically(place, series.read_text(encoding="utf-8"))
        for leftover in self.load.glob(f"{trial_id}.*"):
            leftover.unlink()

    def check_room(self) -> None:
        """OSError unless a file of the size of a container's results fits in where they are written."""
        with tempfile.TemporaryFile(dir=self.load) as file:
            try:
                file.write(bytes(_ROOM_BYTES))
                file.flush()
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.load)) from error

    def close(self) -> None:
        """Remove the load's directory: what finished trials had in it is with them now."""
        shutil.rmtree(self.load, ignore_errors=True)


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """The row of trials.csv that a trial's record holds."""
    row = {name: record.get(name, EARLIER.get(name)) for name in COLUMNS} | {"reasons": "; ".join(record["reasons"])}
    return known_of(record, row)


def known_of(source: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """`row` without what was only a part of the number when `source`, its record or manifest, was written."""
    version = source.get("schema_version")
    if isinstance(version, int) and version >= _SWITCHES_SINCE:
        return row
    return row | {"voluntary_switches": None, "involuntary_switches": None}


def csv_text(rows: list[dict[str, Any]], columns: Iterable[str] = COLUMNS) -> str:
    """A header, then one tidy row each; None becomes an empty field."""
    text = io.StringIO()
    writer, names = csv.writer(text, lineterminator="\n"), list(columns)
    writer.writerow(names)
    writer.writerows(map(row.get, names) for row in rows)
    return text.getvalue()
