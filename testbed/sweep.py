"""A sweep from its plan to its results: load stack up, trials one after another, table, everything removed."""

import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.console import Console

from testbed import compose, images, plan
from testbed.compose import Run
from testbed.engine import ContainerGone, Engine
from testbed.errors import UserError
from testbed.interrupt import interruptible, undisturbed
from testbed.load import Load
from testbed.manifest import calibrate, manifest
from testbed.plan import Trial
from testbed.progress import SweepProgress, plain
from testbed.results import ResultsDirectory, csv_text, write_atomically, write_json
from testbed.sweepfile import Sweep
from testbed.table import results_table
from testbed.trial import TARGETS, Setting, compose_text, run_trial

WORKERS_TIMEOUT_S = 60.0
# After a trial has failed: how long its workers may take to register again before they are given up.
MEND_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.1

# The load containers' user where the caller is root: nothing in a container runs as root.
UNPRIVILEGED = (10001, 10001)

EXIT_OK, EXIT_TRIALS_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def load_user() -> tuple[int, int]:
    """uid and gid of the load containers: the caller's, so that what they write is the caller's."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else UNPRIVILEGED


def print_plan(sweep: Sweep, console: Console) -> None:
    """What `--dry-run` shows: every trial in its order, and about how long all take."""
    trials = plan.trials(sweep)
    for trial in trials:
        values = ", ".join(f"{name} {getattr(trial.cell, name)}" for name in plan.varying_fields(plan.cells(sweep))[2:])
        plain(console)(f"{trial.trial_id}{': ' + values if values else ''}")
    plain(console)(_announcement(sweep, trials))


def _announcement(sweep: Sweep, trials: list[Trial]) -> str:
    seconds = plan.expected_s(sweep, len(trials))
    blocks = f" in {sweep.repeat} blocks" if sweep.repeat > 1 else ""
    each = f"{sweep.warmup / 1e6:g} s warm-up + {sweep.duration / 1e6:g} s window"
    return f"{sweep.name}: {len(trials)} trials{blocks}, {each} each, about {seconds / 60:.1f} minutes"


def run(sweep: Sweep, source: str, results_root: Path, console: Console) -> int:
    """Run the sweep and return the exit code. `source` is the sweep file's text, kept beside what was made of it.

    Whatever happens, no container or network of this run is left, and finished trials stay where the last line says.
    """
    trials = plan.trials(sweep)
    engine = Engine()
    plain(console)(_announcement(sweep, trials))
    started = datetime.now(UTC)
    stamp = started.strftime("%Y%m%dT%H%M%SZ")
    run_id = f"{sweep.name}-{stamp}-{secrets.token_hex(2)}"
    directory = ResultsDirectory(results_root / f"{sweep.name}-{stamp}")
    uid, gid = load_user()
    shared = Run(run_id, f"threadmill-{run_id.lower()}", f"{uid}:{gid}", sweep.load.workers)
    campaign = _Campaign(sweep, trials, engine, shared, directory, console)

    with interruptible():
        try:
            campaign.prepare(source, started)
            campaign.run_trials()
        except KeyboardInterrupt:
            campaign.interrupted = True
        finally:
            with undisturbed():
                campaign.end()
    return campaign.report()


class _Campaign:
    """The state of one run of a sweep: what is up, and what has been measured."""

    def __init__(
        self,
        sweep: Sweep,
        trials: list[Trial],
        engine: Engine,
        shared: Run,
        directory: ResultsDirectory,
        console: Console,
    ) -> None:
        self.sweep = sweep
        self.trials = trials
        self.engine = engine
        self.shared = shared
        self.directory = directory
        self.console = console
        self._say = plain(console)
        self.rows: list[dict[str, Any]] = []
        self.interrupted = False
        self._under_way: Trial | None = None

    def prepare(self, source: str, started: datetime) -> None:
        """Images, directory, manifest, calibration, and Locust up with all its workers."""
        images.build_missing((*self.sweep.models, "locust"), self._say)
        try:
            self.directory.create(load_user())
        except OSError as error:
            raise UserError(
                f"{self.directory.path}: cannot be created: {error.strerror}; choose another place with --results DIR"
            ) from None
        write_atomically(self.directory.path / "sweep.source.yaml", source)
        resolved = yaml.safe_dump(self.sweep.model_dump(mode="json"), sort_keys=False)
        write_atomically(self.directory.path / "sweep.yaml", resolved)
        calibration = None
        if any(self.sweep.workload.spin):
            self._say("calibrating the work unit on an unlimited container ...")
            calibration = calibrate(self.engine, self.shared, self.sweep.models[0])
        self.units_per_ms = calibration["spin_units_per_ms"] if calibration else 0.0
        facts = manifest(self.engine, self.shared, self.sweep, calibration, started.isoformat(timespec="seconds"))
        write_json(self.directory.path / "manifest.json", facts)
        write_atomically(self.directory.path / "trials.csv", csv_text([]))
        self._start_load()
        self._say(f"Locust is up, {self.shared.workers} worker(s); its page during the sweep: {self.load.base_url}")

    def _start_load(self) -> None:
        compose_file = self.directory.path / "compose.yaml"
        write_atomically(compose_file, compose_text(compose.project(self.shared, "./load", TARGETS, None)))
        self._say("starting Locust ...")
        self.engine.up(compose_file, self.shared.project, ["locust", "worker"])
        with suppress(ContainerGone):
            port = self.engine.published_port(self.shared.run_id, "locust", compose.WEB_PORT)
            self.load = Load(f"http://127.0.0.1:{port}")
            if _wait_for(self._load_settled, WORKERS_TIMEOUT_S) and self._load_complete():
                return
        ended = self.engine.ended(self.shared.run_id)
        found = f"{', '.join(ended)} ended" if ended else f"not all workers connected within {WORKERS_TIMEOUT_S:g} s"
        raise UserError(f"Locust did not come up: {found}; logs are in {self.directory.path}/logs")

    def _load_complete(self) -> bool:
        return self.load.workers() == self.shared.workers

    def _load_settled(self) -> bool:
        """Up, or never going to be."""
        return self._load_complete() or bool(self.engine.ended(self.shared.run_id))

    def run_trials(self) -> None:
        seconds = plan.expected_s(self.sweep, len(self.trials))
        with SweepProgress(self.console, len(self.trials), seconds) as progress:
            for trial in self.trials:
                self._under_way = trial
                setting = Setting(
                    self.engine,
                    self.load,
                    self.shared,
                    self.directory,
                    self.sweep.warmup / 1e6,
                    self.sweep.duration / 1e6,
                    self.units_per_ms,
                )
                row = run_trial(trial, setting, partial(progress.phase, trial))
                self.rows.append(row)
                write_atomically(self.directory.path / "trials.csv", csv_text(self.rows))
                self._under_way = None
                progress.finished(row)
                if row["status"] != "ok":
                    self._mend_load()

    def _mend_load(self) -> None:
        """After a failed trial a worker may be missing: start the generator afresh rather than measure with less."""
        if _wait_for(self._load_complete, MEND_TIMEOUT_S):
            return
        self._say("Locust is not complete any more: starting it afresh")
        self._keep_logs()
        self.engine.remove(self.shared.run_id)
        self._start_load()

    def _keep_logs(self) -> None:
        directory = self.directory.path / "logs"
        directory.mkdir(exist_ok=True)
        for name, text in self.engine.logs(self.shared.run_id).items():
            write_atomically(directory / f"{name}.log", text)

    def end(self) -> None:
        """Remove what was started. A trial that was under way leaves nothing behind."""
        if self.interrupted:
            self._say("stopping: removing this run's containers ...")
        if self.directory.path.exists():
            self._keep_logs()
        self.engine.remove(self.shared.run_id)
        if self._under_way is not None:
            shutil.rmtree(self.directory.trial(self._under_way.trial_id), ignore_errors=True)
        if self.directory.load.exists():
            self.directory.close()

    def report(self) -> int:
        """Print table, failures, overhead and, last, where the results are. Returns the exit code."""
        if self.rows:
            title = (
                f"{self.sweep.name}: medians of the window's {self.sweep.duration / 1e6:g} s, by model and CPU limit"
            )
            self.console.print(results_table(title, plan.cells(self.sweep), self.rows))
        failed = [row for row in self.rows if row["status"] != "ok"]
        for row in failed:
            self._say(f"failed: {row['trial_id']}: {row['reasons']}")
        finished = [row["overhead_s"] for row in self.rows if row["status"] == "ok"]
        if finished:
            spread = f"median {median(finished):.1f} s, most {max(finished):.1f} s"
            self._say(f"overhead per trial beyond warm-up and window: {spread}")
        if not self.directory.path.exists():
            self._say("interrupted before anything was measured; nothing is left")
            return EXIT_INTERRUPTED
        done = f"{len(self.rows)} of {len(self.trials)} trials finished" + (
            f", {len(failed)} of them failed" if failed else ""
        )
        self._say(f"{'interrupted: ' if self.interrupted else ''}{done}")
        self._say(f"results: {self.directory.path}")
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_TRIALS_FAILED if failed else EXIT_OK


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True
