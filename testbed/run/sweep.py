"""A sweep from its plan to its results: trials one after another, a table, and everything removed at the end."""

import json
import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from servers.models import MODELS
from testbed import exits, names
from testbed.errors import Breakdown, EngineGone, UserError
from testbed.failures import attempt, describe, distinct
from testbed.files import write_atomically, write_json
from testbed.interrupt import deferred, interruptible, undisturbed
from testbed.lock import only_sweep
from testbed.plan import calibration as calibrating
from testbed.plan import cells, redo, sweepfile
from testbed.plan.cells import Trial
from testbed.plan.schema import Sweep
from testbed.report import after
from testbed.results.directory import ResultsDirectory
from testbed.results.manifest import calibrate, differences, manifest
from testbed.results.summary import summary
from testbed.results.table import LEGEND, LEGEND_DISTURBED, capacity_table, results_table
from testbed.run.course import Course
from testbed.run.progress import SweepProgress
from testbed.run.trial import Setting, run_trial
from testbed.stack import cpus, images
from testbed.stack.compose import UNPINNED, Run
from testbed.stack.cpus import CpuSets
from testbed.stack.docker import Engine
from testbed.stack.generator import LoadStack
from testbed.terminal import plain

# The load containers' user where the caller is root: nothing in a container runs as root.
UNPRIVILEGED = (10001, 10001)

# More lines than this push the table out of sight.
MOST_WARNINGS = 6

# An engine that its supervisor starts again is back by then, and what it has left can be removed.
ENGINE_PATIENCE_S = 10.0


def load_user() -> tuple[int, int]:
    """uid and gid of the load containers: the caller's, so that what they write is the caller's."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else UNPRIVILEGED


def cpu_sets(sweep: Sweep, engine: Engine) -> CpuSets:
    """Who runs on which processors during the whole sweep: the generator must not move between trials."""
    if not sweep.isolate:
        return UNPINNED
    there = cpus.read() if engine.is_here else cpus.elsewhere(engine.cpus)
    return cpus.partition(there, max(sweep.limits.cpus), sweep.load.workers)


def print_plan(sweep: Sweep, console: Console) -> None:
    """What `--dry-run` shows: every trial in its order, and about how long all take."""
    trials = cells.trials(sweep)
    say = plain(console)
    for trial in trials:
        values = ", ".join(
            f"{name} {getattr(trial.cell, name)}" for name in cells.varying_fields(cells.cells(sweep))[2:]
        )
        say(f"{trial.trial_id}{': ' + values if values else ''}")
    say(_announcement(sweep, trials))


def _announcement(sweep: Sweep, trials: list[Trial]) -> str:
    seconds = cells.expected_s(sweep)
    blocks = f" in {sweep.repeat} blocks" if sweep.repeat > 1 else ""
    each = f"{sweep.warmup / 1e6:g} s warm-up + {sweep.duration / 1e6:g} s window"
    what = f"{len(trials)} searches" if sweep.load.slo else f"{len(trials)} trials"
    return f"{sweep.name}: {what}{blocks}, {each} per trial, about {seconds / 60:.1f} minutes"


def run(sweep: Sweep, source: str, results_root: Path, console: Console) -> int:
    """Run the sweep and return the exit code. `source` is the sweep file's text, kept beside what was made of it.

    Whatever happens, no container or network of this run is left, and finished trials stay where the last line says.
    """
    cells.trials(sweep)
    started = datetime.now(UTC)
    stamp = started.strftime("%Y%m%dT%H%M%SZ")
    directory = ResultsDirectory(results_root / f"{sweep.name}-{stamp}")
    campaign = _Campaign(sweep, directory, f"{sweep.name}-{stamp}-{secrets.token_hex(2)}", console)
    return campaign.carry_out(partial(campaign.begin, source, started))


def resume(path: Path, force: bool, console: Console) -> int:
    """Complete the sweep whose results are in `path`: exactly the trials that are missing.

    UserError when the machine or a version is not the one it began with, unless `force`.
    """
    try:
        begun: dict[str, Any] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{path}: no sweep to resume here, manifest.json cannot be read; allowed: a results directory"
        ) from None
    engine = Engine()
    sweep = sweepfile.load(path / "sweep.yaml", sweepfile.Machine(engine.cpus, engine.memory_bytes))
    campaign = _Campaign(sweep, ResultsDirectory(path), begun["run_id"], console)
    return campaign.carry_out(partial(campaign.go_on, begun, force))


class _Campaign:
    """The state of one run of a sweep: what is up, and what has been measured."""

    def __init__(self, sweep: Sweep, directory: ResultsDirectory, run_id: str, console: Console) -> None:
        uid, gid = load_user()
        self.sweep = sweep
        self.directory = directory
        self.console = console
        self.engine = Engine()
        self.trials = cells.trials(sweep)
        self._kinds = calibrating.kinds(sweep)
        self.shared = Run(
            run_id=run_id,
            project=f"threadmill-{run_id.lower()}",
            user=f"{uid}:{gid}",
            workers=sweep.load.workers,
            cpu_sets=cpu_sets(sweep, self.engine),
            worker_cpus=sweep.load.worker_cpus,
            images=sweep.images,
            shared="shared" in sweep.network,
        )
        self._say = plain(console)
        self.stack = LoadStack(self.engine, self.shared, directory.path, self._say)
        # The work unit is ours: an image that stands in for one of ours need not know it.
        self._calibrator = next((model for model in sweep.models if model not in sweep.images), MODELS[0])
        self.course = Course(sweep, directory)
        self.rows = self.course.rows
        self.interrupted = False
        self._failures: list[Exception] = []
        """What failed and is no trial's doing; the first is the cause."""
        self._under_way: Trial | None = None
        self._made_directory = False
        self._removed = False
        self._block: int | None = None
        self._block_speed: dict[str, Any] | None = None

    def carry_out(self, prepare: Callable[[], None]) -> int:
        """Prepare, measure what is missing, remove what was started, report. Returns the exit code.

        UserError for what has to be put right before anything is measured, Breakdown when the testbed failed; with more
        lines where removing what was started did not go well either.
        """
        refused: UserError | None = None
        with only_sweep(self.shared.run_id) as lock:
            self.engine.keep_open(lock)
            self._remove_leftovers()
            with interruptible():
                try:
                    prepare()
                    self.stack.start()
                    self._run_trials()
                except KeyboardInterrupt:
                    self.interrupted = True
                except UserError as error:
                    refused = error
                except Exception as error:  # noqa: BLE001 - told below, once what was started is removed
                    self._failures.append(error)
                finally:
                    with undisturbed():
                        self._end()
        if refused is not None:
            raise UserError("\n".join(distinct(map(describe, [refused, *self._failures]))))
        code = exits.BROKEN
        try:
            code = self._report()
        except Exception as error:  # noqa: BLE001 - as above: what is told must not hide why
            self._failures.append(error)
        if self._failures and code != exits.INTERRUPTED:
            raise Breakdown("\n".join(self._told()))
        return code

    def _told(self) -> list[str]:
        """What failed and how to go on, in a line; in a second one what else went wrong after it."""
        # A dead engine is met at every later step: what matters of that is what it has left.
        later = [error for error in self._failures[1:] if not isinstance(error, EngineGone)]
        first, *others = distinct(map(describe, [self._failures[0], *later]))
        path = self.directory.path
        line = [f"the testbed failed: {first}"]
        if not self._removed:
            line.append("containers are left, which the next sweep removes, or `orchestrate.py down --runs`")
        if path.is_dir():
            line.append(f"to go on: .venv/bin/python orchestrate.py sweep --resume {path}")
        else:
            line.append("nothing had been measured: start it again")
        return ["; ".join(line), *([f"besides: {'; '.join(others)}"] if others else [])]

    def _remove_leftovers(self) -> None:
        """With the lock held no sweep runs: what carries a run's label was left by one that was killed."""
        for run_id in self.engine.runs():
            self._say(f"removing what the sweep {run_id} left behind ...")
            self.engine.remove(run_id)

    def _build(self) -> None:
        calibrator = [self._calibrator] if self._kinds else []
        needed = dict.fromkeys((*self.sweep.models, *calibrator, *names.COMPANIONS))
        if ours := [name for name in needed if name not in self.sweep.images]:
            images.build_missing(ours, self._say)

    def begin(self, source: str, started: datetime) -> None:
        """Images, directory, calibration and manifest of a new run."""
        self._say(_announcement(self.sweep, self.trials))
        self._build()
        try:
            self.directory.create(load_user())
        except OSError as error:
            raise UserError(
                f"{self.directory.path}: cannot be created: {error.strerror}; choose another place with --results DIR"
            ) from None
        self._made_directory = True
        write_atomically(self.directory.path / "sweep.source.yaml", source)
        write_atomically(self.directory.path / "sweep.yaml", sweepfile.dump(self.sweep))
        calibration = None
        if self._kinds:
            self._say("calibrating the work unit on an unlimited container ...")
            calibration = calibrate(self.engine, self.shared, self._calibrator, self._kinds, calibrating.SECONDS)
            calibrating.check_work(self.sweep, calibration)
            self._block, self._block_speed = 1, calibration
        facts = manifest(self.engine, self.shared, self.sweep, calibration, started.isoformat(timespec="seconds"))
        write_json(self.directory.path / "manifest.json", facts)
        self._calibration = calibration
        self.course.write_rows()

    def go_on(self, begun: dict[str, Any], force: bool) -> None:
        """Take over a run that was cut off, with its finished trials and its calibration."""
        self._build()
        now = manifest(self.engine, self.shared, self.sweep, begun["calibration"], begun["started_utc"])
        changed = differences(begun, now)
        if changed and not force:
            conditions = "; ".join(changed)
            raise UserError(f"{self.directory.path}: begun under other conditions: {conditions}; --force mixes them")
        self.directory.reopen(load_user())
        self.course.take_up()
        resumed = {"resumed_utc": datetime.now(UTC).isoformat(timespec="seconds"), "differences": changed}
        write_json(self.directory.path / "manifest.json", begun | {"resumed": [*begun.get("resumed", []), resumed]})
        self._calibration = begun["calibration"]
        planned = "" if self.sweep.load.slo else f" of {len(self.trials)}"
        there = sum(not redo.is_redo(row) for row in self.rows)
        self._say(f"{self.sweep.name}: {there}{planned} trials are there already{self._searches_over()}")

    def _searches_over(self) -> str:
        """`, 2 of 6 searches are over`; empty without searches."""
        planned = len(cells.searches(self.sweep))
        return f", {len(self.course.answers)} of {planned} searches are over" if planned else ""

    def _run_trials(self) -> None:
        """Every entry of the plan that is not complete; trials that are there already answer for themselves."""
        with SweepProgress(self.console, cells.expected_trials(self.sweep), cells.expected_s(self.sweep)) as progress:
            entries = redo.with_redos(self.trials, self.rows, self.sweep.order.redo is not None)
            self.course.run(entries, partial(self._measure, progress=progress), progress.expect)

    def _speed_in(self, block: int) -> dict[str, Any] | None:
        """The calibration read again, once a block: how far the machine has drifted. The work stays as it is."""
        if block != self._block and self._calibration is not None:
            self._block = block
            try:
                self._block_speed = calibrate(
                    self.engine, self.shared, self._calibrator, self._kinds, calibrating.BLOCK_SECONDS
                )
            except UserError:
                self._block_speed = None
        return self._block_speed

    def _measure(self, trial: Trial, progress: SweepProgress) -> dict[str, Any]:
        block_speed = self._speed_in(trial.block)
        self._under_way = trial
        setting = Setting(
            engine=self.engine,
            load=self.stack.load,
            run=self.shared,
            directory=self.directory,
            warmup_s=self.sweep.warmup / 1e6,
            window_s=self.sweep.duration / 1e6,
            calibration=self._calibration,
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

    def _end(self) -> None:
        """Remove what was started, and try every step of that whatever became of the one before it."""
        if self._failures and isinstance(self._failures[0], EngineGone):
            self.engine.wait_until_back(ENGINE_PATIENCE_S)
        steps: list[Callable[[], object]] = [
            partial(self._say, "stopping: removing this run's containers ...") if self.interrupted else lambda: None,
            self.stack.keep_logs if self.directory.path.is_dir() else lambda: None,
            self._remove,
            self._settle_trial_under_way,
            self.directory.close,
            self._remove_empty_directory,
        ]
        self._failures += attempt(*steps)

    def _remove(self) -> None:
        self.engine.remove(self.shared.run_id)
        self._removed = True

    def _settle_trial_under_way(self) -> None:
        """A trial that was cut off leaves nothing; one that has its record is finished, whatever happened after it."""
        if self._under_way is not None:
            self.course.settle(self._under_way.trial_id)

    def _remove_empty_directory(self) -> None:
        """Without a manifest a new run cannot be gone on with, and nothing has been measured."""
        begun = (self.directory.path / "manifest.json").exists() or self.directory.finished_ids()
        if self._made_directory and not begun:
            shutil.rmtree(self.directory.path)

    def _report(self) -> int:
        """Print table, failures, overhead and, last, where the results are. Returns the exit code."""
        if self.rows:
            answers = self.course.answers
            found = summary(self.rows, self.sweep.order.seed, [answer.row() for answer in answers])
            self._failures += attempt(partial(write_json, self.directory.path / "summary.json", found))
            title = f"{self.sweep.name}: medians of the {self.sweep.duration / 1e6:g} s window"
            shown = (
                [] if self.sweep.load.slo and not self.sweep.load.at else cells.measured_cells(self.sweep, self.rows)
            )
            if shown:
                self.console.print(results_table(title, shown, self.rows))
                self._say(LEGEND)
                if any(row.get("disturbed") for row in self.rows):
                    self._say(LEGEND_DISTURBED)
            if answers:
                self.console.print(capacity_table(f"{self.sweep.name}: capacity", answers))
            for line in found["warnings"][:MOST_WARNINGS]:
                self._say(f"warning: {line}")
            if len(found["warnings"]) > MOST_WARNINGS:
                self._say(f"warning: {len(found['warnings']) - MOST_WARNINGS} more in summary.json")
        failed = [row for row in self.rows if row["status"] != "ok"]
        for row in failed:
            self._say(f"failed: {row['trial_id']}: {row['reasons']}")
        for answer in self.course.unanswered:
            self._say(f"not answered: {answer.trial.trial_id}: {answer.capacity.reason}")
        finished = [float(row["overhead_s"]) for row in self.rows if row["status"] == "ok"]
        if finished:
            spread = f"median {median(finished):.1f} s, most {max(finished):.1f} s"
            self._say(f"overhead per trial beyond warm-up and window: {spread}")
        if not self.directory.path.is_dir():
            if self.interrupted:
                self._say("interrupted before anything was measured; nothing is left")
            return exits.INTERRUPTED if self.interrupted else exits.BROKEN
        planned = "" if self.sweep.load.slo else f" of {len(self.trials)}"
        again = sum(map(redo.is_redo, self.rows))
        ended = f"{len(self.rows) - again}{planned} trials finished{f', {again} measured again' if again else ''}"
        ended += self._searches_over()
        self._say(
            f"{'interrupted: ' if self.interrupted else ''}{ended}{f', {len(failed)} of them failed' if failed else ''}"
        )
        if self.interrupted:
            for line in self._told() if self._failures else ():
                self._say(f"warning: {line}")
            self._say(f"to complete it: .venv/bin/python orchestrate.py sweep --resume {self.directory.path}")
        if self.rows:
            after.after_sweep(self.directory.path, self._say)
        self._say(f"results: {self.directory.path}")
        if self.interrupted:
            return exits.INTERRUPTED
        # An invalid step of a search was measured again: what counts is whether the search has its answer.
        counts = redo.counted(self.rows)
        lacking = bool(self.course.unanswered) or any(row["step"] is None and row in counts for row in failed)
        return exits.FAILED if lacking else exits.OK
