"""One trial: a fresh server container under its limits, verified, loaded for warm-up and window, probed, and judged."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from servers.models import SERVERS
from testbed.errors import EngineGone, UserError
from testbed.files import write_json
from testbed.parts import trial as parts
from testbed.plan import calibration
from testbed.plan.calibration import Work
from testbed.plan.scaling import Law
from testbed.plan.scaling_values import of_text
from testbed.plan.trials import Trial
from testbed.results.directory import ResultsDirectory, row_of
from testbed.results.findings import Findings
from testbed.results.record import record
from testbed.run.acting import Actor, clock_since
from testbed.run.backing import Backing
from testbed.run.boxes import BoxEnded, Boxes, TrialFailed
from testbed.run.checks import Checks
from testbed.run.fronts import Fronts
from testbed.run.kill import Watcher
from testbed.run.load_watch import LoadWatch
from testbed.run.meshing import Mesh
from testbed.run.scaler import Scaler
from testbed.run.speeds import Speeds
from testbed.run.trial_scaling import Scaled, scaler_of
from testbed.scaling import forecast
from testbed.stack import system
from testbed.stack.conntrack import Tracking
from testbed.stack.engine import Engine, LaidOut
from testbed.stack.locust_api import Load, LoadError
from testbed.stack.naming import MASTER
from testbed.stack.run import Run


@dataclass(frozen=True)
class Setting:
    """What every trial of a run has in common."""

    engine: Engine
    load: Load
    run: Run
    directory: ResultsDirectory
    warmup_s: float
    window_s: float
    speeds: Speeds
    block_speed: dict[str, Any] | None = None
    """The calibration as read again in this trial's block; None where it was not."""


Say = Callable[[str], None]
"""Told the phase that begins."""


def run_trial(trial: Trial, setting: Setting, say: Say) -> dict[str, Any]:
    """Run one trial to its end, write its record and return its row. What fails in it becomes its verdict.

    An interrupt passes through, and what is the testbed's own failure and no trial's: a Breakdown, an OSError of a file
    that cannot be written. Then there is no record; whoever catches it removes the run's containers.
    """
    return _TrialRun(trial, setting, say).carry_out()


def _failed(written: dict[str, Any]) -> set[str]:
    """Names of the gates of a record that failed."""
    return {gate["name"] for gate in written["gates"] if gate["status"] == "fail"}


class _TrialRun:
    """The course of one trial and what it finds out."""

    def __init__(self, trial: Trial, setting: Setting, say: Say) -> None:
        self.trial = trial
        self.cell = trial.cell
        self.setting = setting
        self.load = setting.load
        self.stack = parts.stack(setting.run, SERVERS, trial)
        self.boxes = Boxes(self.stack, trial)
        self.found = Findings(
            workers_expected=setting.run.workers,
            speed_drift=calibration.drift(setting.speeds.calibration, setting.block_speed),
        )
        self.directory: Path = setting.directory.trial(trial.trial_id)
        self._laid: LaidOut
        self._tracking: Tracking | None = None
        self._checks = Checks(self.load, self.boxes, self.cell, self.found)
        self._fronts = Fronts({})
        self._backing: Backing | None = None
        self._actor: Actor | None = None
        self._mesh: Mesh | None = None
        self._work = Work(0, 0)
        self._say = say
        self._began = time.monotonic()

    def carry_out(self) -> dict[str, Any]:
        """The life of a trial. What fails in 2 to 6 is the reason in its record; 7 and 8 are done all the same.

        1. Lay it out: an empty directory, and the compose file that starts this very trial again.
        2. Wait until the kernel's table has room for its connections.
        3. Start the server under its limits, and the probe beside it.
        4. Ask for an echo until one comes back.
        5. Verify: does it echo as the protocol says, and is it the model it is called?
        6. Drive it, through warm-up and window.
        7. Collect what load, probe and server have to say, and stop and remove what 3 has started.
        8. Judge, and write the record: a trial that has one is finished.
        """
        self._lay_out()
        with self._what_fails_is_its_reason():
            self._wait_for_room()
            self._start()
            self._check()
            self._drive()
        self._collect()
        return self._judge()

    def _lay_out(self) -> None:
        scaling = of_text(self.cell.scaling)
        if isinstance(scaling, Law):
            # It takes a processor for seconds, once: before anything is measured.
            forecast.prepare(scaling.forecast)
        self.setting.directory.begin_trial(self.trial.trial_id)
        self._laid = self.setting.engine.lay_out(self.stack, self.directory, self.setting.directory.load)

    @contextlib.contextmanager
    def _what_fails_is_its_reason(self) -> Iterator[None]:
        try:
            yield
        except BoxEnded as error:
            self.boxes.seen[error.name].ended = self.found.failure = str(error)
        except (TrialFailed, LoadError, UserError) as error:
            self.found.failure = str(error)

    def _judge(self) -> dict[str, Any]:
        self.found.total_s = time.monotonic() - self._began
        self.found.overhead_s = self.found.total_s - self.setting.warmup_s - self.setting.window_s
        written = self._record()
        if "utilisation_law" in _failed(written):
            # Its bound is the machine's fastest moment, and a machine that shares its processors can have become faster
            # than any reading told. One more says so; it can only loosen the bound, to a speed that was really there.
            self.setting.speeds.again()
            written = self._record()
        write_json(self.directory / "trial.json", written)
        return row_of(written)

    def _record(self) -> dict[str, Any]:
        self.found.boxes = list(self.boxes.seen.values())
        if self._actor is not None:
            self.found.actions = [asdict(action) for action in self._actor.actions]
            self.found.provision = [asdict(one) for one in self._actor.provision]
        if self._mesh is not None:
            self._mesh.tell(self.found)
        self.found.least_cpu_us = calibration.least_cpu_us(self._work, *self.setting.speeds.readings)
        return record(self.trial, self.found, self.setting.run.cpu_sets, self.setting.engine.cpus)

    def _phase(self, name: str) -> None:
        self.found.phases_s[name] = time.monotonic() - self._began
        self._say(name)

    def _wait_for_room(self) -> None:
        """A load of short connections leaves each of them in the kernel's table for two minutes."""
        if self.cell.connection != "per-request" or not self.setting.engine.is_here:
            return
        tracking = Tracking(self.setting.engine.pids(self.setting.run.run_id))
        seconds = self.setting.warmup_s + self.setting.window_s
        # How many a closed loop will make is not known before: half a table is more than most do.
        rate = self.cell.rate_rps if self.cell.mode != "closed" else None
        tracking.wait_for_room(rate * seconds if rate else (tracking.limit or 0) / 2, self._say)

    def _start(self) -> None:
        self._phase("start")
        setting = self.setting
        services = [service.name for service in system.of_trial(self.stack) if not service.joins_later]
        try:
            setting.engine.up(self._laid, services)
        except UserError:
            # The half of it that did start has a log to save.
            self.boxes.take(setting.engine, setting.run.run_id)
            raise
        if lacking := self.boxes.take(setting.engine, setting.run.run_id):
            raise TrialFailed(f"{lacking[0]}'s container is gone right after its start")
        self._fronts = Fronts.of(self.cell, setting.engine, setting.run.run_id)
        self._mesh = Mesh(self.cell, self.boxes, self._checks, self._fronts.only)
        self._mesh.started(setting.engine, setting.run.run_id)
        self._backing = Backing.of(self.trial, self.boxes, setting.engine, setting.run.run_id)
        if setting.engine.is_here:
            self._tracking = Tracking(self.boxes.pids())

    def _check(self) -> None:
        self._phase("ready")
        if self._backing is not None:
            self._backing.wait_until_ready()
        self._checks.wait_until_ready()
        self._phase("verify")
        self._checks.verify()

    def _drive(self) -> None:
        self._phase("warm-up")
        setting, cell = self.setting, self.cell
        self._work = calibration.work(cell, setting.speeds.calibration)
        self.load.start(self.trial, self._work, setting.warmup_s, setting.window_s)
        watch = LoadWatch(self.load, self.boxes, setting.engine, self._tracking)
        opens_in_s, closes_in_s = watch.window_edges()
        now, now_unix = time.monotonic(), time.time()
        window = {"opens_unix": now_unix + opens_in_s, "closes_unix": now_unix + closes_in_s}
        self.boxes.tell_window(setting.directory, window)
        watch.until(now + opens_in_s, "during the warm-up")
        if self._backing is not None:
            self._backing.window_opens()
        self._phase("window")
        users = watch.status().users
        if users != cell.users:
            raise TrialFailed(f"only {users} of {cell.users} users had started when the window opened")
        watcher: Watcher | None = self._scaler(now + opens_in_s)
        if self._backing is not None:
            watcher = self._backing.watcher(now + opens_in_s, watcher)
        if self._mesh is not None:
            watcher = self._mesh.watcher(clock_since(now + opens_in_s), watcher)
        watch.until(now + closes_in_s, "during the window", watcher)
        if self._mesh is not None:
            self._mesh.window_closed()
        if self._backing is not None:
            self.found.stood = self._backing.window_closed()
        self.boxes.note_ended("during the window")

    def _scaler(self, opened_at: float) -> Scaler | None:
        """What changes the trial while its window, which opened at this moment, is open; None where nothing does."""
        scaling = of_text(self.cell.scaling)
        if scaling is None:
            return None
        scaled = Scaled(
            self.cell,
            self.boxes,
            self._checks,
            self.load,
            self._fronts.only,
            self.setting.engine,
            self._laid,
            self.setting.directory,
        )
        scaler, self._actor = scaler_of(scaled, scaling, clock_since(opened_at))
        return scaler

    def _collect(self) -> None:
        """End the load, then the server, and take what each has to say. Nothing of the trial is left running."""
        self._phase("stop")
        directory, trial_id = self.setting.directory, self.trial.trial_id
        engine, run_id = self.setting.engine, self.setting.run.run_id
        try:
            if self.load.status().state in ("spawning", "running"):
                self.load.stop()
        except LoadError as error:
            self.found.failure = self.found.failure or str(error)
        engine.bring(run_id, MASTER, directory.load, [f"{trial_id}.json"])
        self.found.load = directory.take_json(trial_id, f"{trial_id}.json", "load.json")
        self.found.fronts = self._fronts.read()
        if self._mesh is not None:
            self._mesh.count(self.found)
        if "window" in self.found.phases_s:
            self.boxes.wait_for_probes(directory)
        probed = self.boxes.take_probes(directory)
        if self.found.failure and engine.load_is_gone(run_id):
            raise EngineGone("Docker's engine was started afresh: all containers of the load generator have ended")
        if self.found.load is None or ("window" in self.found.phases_s and not probed):
            # With a full disk they had nowhere to write it to: nothing that the trial did.
            directory.check_room()
        if self._tracking is not None:
            self.found.packets_dropped, self.found.tracked_limit = self._tracking.dropped(), self._tracking.limit
        if self._backing is not None:
            self._backing.wait_until_taken(directory.load)
        if "window" in self.found.phases_s:
            # One that ran out of memory as the window closed has no report, and its probe ended with it.
            self.boxes.note_all_ended("before it was stopped")
        self.boxes.stop(directory)
        if self._backing is not None:
            self.found.deliveries = self._backing.account()
        engine.remove_trial(run_id, trial_id)
        directory.take_rest(trial_id)
