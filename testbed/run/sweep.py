"""The life of a sweep, from its plan to its results."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed import exits
from testbed.errors import Breakdown, UserError
from testbed.interrupt import deferred, interruptible
from testbed.plan import cells, redo, sweepfile, trials
from testbed.plan.estimate import expected_s, expected_trials
from testbed.plan.schema import Sweep
from testbed.plan.trials import Trial
from testbed.results import reading
from testbed.results.directory import ResultsDirectory
from testbed.run.course import Course
from testbed.run.ending import Ending
from testbed.run.outcome import Outcome
from testbed.run.preparation import Preparation, announcement, remove_leftovers, shared_by_all
from testbed.run.progress import SweepProgress
from testbed.run.speeds import Speeds
from testbed.run.trial import Setting, run_trial
from testbed.stack.engine import Engine
from testbed.stack.generator import LoadStack
from testbed.stack.lock import only_sweep
from testbed.terminal import plain


def print_plan(sweep: Sweep, console: Console) -> None:
    """What `--dry-run` shows: every trial in its order, and about how long all take."""
    say = plain(console)
    varying = [name for name in cells.varying_fields(cells.cells(sweep)) if name not in ("model", "cpus")]
    for trial in trials.trials(sweep):
        values = ", ".join(f"{name} {getattr(trial.cell, name)}" for name in varying)
        say(f"{trial.trial_id}{': ' + values if values else ''}")
    say(announcement(sweep))


def run(sweep: Sweep, source: str, results_root: Path, console: Console, engine: Engine) -> int:
    """Run the sweep and return the exit code. `source` is the sweep file's text, kept beside what was made of it.

    Whatever happens, no container or network of this run is left, and finished trials stay where the last line says.
    """
    trials.trials(sweep)
    started = datetime.now(UTC)
    stamp = started.strftime("%Y%m%dT%H%M%SZ")
    directory = ResultsDirectory(results_root / f"{sweep.name}-{stamp}")
    campaign = _Campaign(sweep, directory, f"{sweep.name}-{stamp}-{secrets.token_hex(2)}", console, engine)
    return campaign.live(partial(campaign.preparation.begin, source, started))


def resume(path: Path, force: bool, console: Console, engine: Engine) -> int:
    """Complete the sweep whose results are in `path`: exactly the trials that are missing.

    UserError when there is none, and when the machine or a version is not the one it began with, unless `force`.
    """
    facts = begun(path)
    machine = sweepfile.Machine(engine.cpus, engine.memory_bytes, engine.networks)
    sweep = sweepfile.load(path / "sweep.yaml", machine)
    campaign = _Campaign(sweep, ResultsDirectory(path), facts["run_id"], console, engine)
    return campaign.live(partial(campaign.preparation.go_on, facts, force))


def begun(path: Path) -> dict[str, Any]:
    """The manifest of the sweep whose results are in `path`. UserError where there is none to resume."""
    found = reading.manifest(path)
    if found.get("by_hand") or not {"run_id", "calibration", "started_utc"} <= found.keys():
        raise UserError(f"{path}: no sweep to resume here; allowed: what `orchestrate.py sweep FILE` has begun")
    return found


class _Campaign:
    """One run of a sweep: what is up, and what has been measured."""

    def __init__(
        self, sweep: Sweep, directory: ResultsDirectory, run_id: str, console: Console, engine: Engine
    ) -> None:
        self.sweep = sweep
        self.directory = directory
        self.console = console
        self.engine = engine
        self.shared = shared_by_all(sweep, engine, run_id)
        self._say = plain(console)
        self.stack = LoadStack(engine, self.shared, directory.path, self._say)
        self.speeds = Speeds(engine, self.shared, sweep)
        self.course = Course(sweep, directory)
        self.preparation = Preparation(sweep, directory, engine, self.shared, self.speeds, self.course, self._say)
        self._under_way: Trial | None = None

    def live(self, prepare: Callable[[Ending], None]) -> int:
        """The life of a sweep:

        1. Take the machine's lock: one sweep at a time.
        2. Remove what a sweep that was killed has left on the engine.
        3. Prepare: build the images that are missing, make the results directory, calibrate, write the manifest.
           Or, to go on: look whether the machine is the same, and read which trials are finished.
        4. Start the load generator, unless nothing is missing.
        5. Measure every trial of the plan that is missing, one after another (trial.py), and keep its record.
        6. Undo, the last first, each whatever became of the one before and undisturbed by a Ctrl-C: drop the trial that
           was cut off; save the load generator's logs; remove all containers and networks of the run; close the
           directory, and remove it where nothing was begun.
        7. Refuse what the user has to put right before anything is measured (UserError).
        8. Tell what was measured, make the report, and say where it is. Returns the exit code.
        9. Tell what failed that is no trial's doing, and how to go on (Breakdown).
        """
        with only_sweep(self.shared.run_id) as lock:
            self.engine.keep_open(lock)
            remove_leftovers(self.engine, self._say)
            with interruptible(), Ending(self.engine, self._say) as ending:
                prepare(ending)
                if not self.course.is_complete:
                    ending.later(self.stack.keep_logs)
                    self.stack.start()
                    ending.later(self._settle_trial_under_way)
                    self._measure_what_is_missing()
        ending.raise_refusal()
        code = exits.BROKEN
        with ending.keeping_failures():
            code = Outcome(self.sweep, self.directory, self.course, ending, self.console).report()
        if ending.failures and code != exits.INTERRUPTED:
            raise Breakdown("\n".join(ending.told(self.directory.path)))
        return code

    def _measure_what_is_missing(self) -> None:
        """Every entry of the plan that is not complete; trials that are there already answer for themselves."""
        sweep, course = self.sweep, self.course
        with SweepProgress(self.console, expected_trials(sweep), expected_s(sweep)) as progress:
            entries = redo.with_redos(trials.trials(sweep), course.rows, sweep.order.redo is not None)
            course.run(entries, partial(self._measure, progress=progress), progress.expect)

    def _measure(self, trial: Trial, progress: SweepProgress) -> dict[str, Any]:
        block_speed = self.speeds.in_block(trial.block)
        self._under_way = trial
        setting = Setting(
            engine=self.engine,
            load=self.stack.load,
            run=self.shared,
            directory=self.directory,
            warmup_s=self.sweep.warmup / 1e6,
            window_s=self.sweep.duration / 1e6,
            speeds=self.speeds,
            block_speed=block_speed,
        )
        row = run_trial(trial, setting, partial(progress.phase, trial))
        with deferred():
            self.course.keep(row)
            self._under_way = None
        progress.finished(row)
        if row["status"] != "ok":
            self.stack.mend()
        return row

    def _settle_trial_under_way(self) -> None:
        """A trial that was cut off leaves nothing; one that has its record is finished, whatever happened after it."""
        if self._under_way is not None:
            self.course.settle(self._under_way.trial_id)
