"""What stands before a sweep's first trial: images, directory, calibration, manifest; or what a run has left."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from testbed import names
from testbed.errors import UserError
from testbed.files import write_atomically, write_json
from testbed.plan import cells, fitting, redo, sweepfile, trials
from testbed.plan.estimate import expected_s
from testbed.plan.images import parts_behind, proxies, server_images
from testbed.plan.schema import Sweep
from testbed.results.directory import ResultsDirectory
from testbed.results.manifest import differences, manifest
from testbed.run.course import Course
from testbed.run.ending import Ending
from testbed.run.speeds import Speeds
from testbed.stack import images
from testbed.stack.cpus import UNPINNED, CpuSets
from testbed.stack.engine import Engine
from testbed.stack.run import Run

# The load containers' user where the caller is root: nothing in a container runs as root.
UNPRIVILEGED = (10001, 10001)


def load_user() -> tuple[int, int]:
    """uid and gid of the load containers: the caller's, so that what they write is the caller's."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else UNPRIVILEGED


def cpu_sets(sweep: Sweep, engine: Engine) -> CpuSets:
    """Who runs on which processors during the whole sweep: the generator must not move between trials."""
    if not sweep.isolate:
        return UNPINNED
    # Servers and what stands before them share a set, in which each has room for its limit.
    return engine.cpu_sets(max(fitting.cpus_of_all(cell) for cell in cells.cells(sweep)), sweep.load.workers)


def shared_by_all(sweep: Sweep, engine: Engine, run_id: str) -> Run:
    """What all trials of a run have in common."""
    uid, gid = load_user()
    return Run(
        run_id=run_id,
        project=f"threadmill-{run_id.lower()}",
        user=f"{uid}:{gid}",
        workers=sweep.load.workers,
        cpu_sets=cpu_sets(sweep, engine),
        worker_cpus=sweep.load.worker_cpus,
        images=sweep.images,
        shared="shared" in sweep.network,
        # What is in the load's namespace needs a network all the same: its page is published from there.
        networks=tuple(kind for kind in sweep.network if kind != "shared") or ("bridge",),
    )


def announcement(sweep: Sweep) -> str:
    """How much a sweep is going to do, and about how long that takes."""
    seconds = expected_s(sweep)
    blocks = f" in {sweep.repeat} blocks" if sweep.repeat > 1 else ""
    each = f"{sweep.warmup / 1e6:g} s warm-up + {sweep.duration / 1e6:g} s window"
    what = f"{len(trials.trials(sweep))} {'searches' if sweep.load.slo else 'trials'}"
    return f"{sweep.name}: {what}{blocks}, {each} per trial, about {seconds / 60:.1f} minutes"


def remove_leftovers(engine: Engine, say: Callable[[str], None]) -> None:
    """With the lock held no sweep runs: what carries a run's label was left by one that was killed."""
    for run_id in engine.runs():
        say(f"removing what the sweep {run_id} left behind ...")
        engine.remove(run_id)


@dataclass(frozen=True)
class Preparation:
    """Of a run that begins, or of one that goes on. Each thing that is made is told `ending` with how it is undone."""

    sweep: Sweep
    directory: ResultsDirectory
    engine: Engine
    run: Run
    speeds: Speeds
    course: Course
    say: Callable[[str], None]

    def begin(self, source: str, started: datetime, ending: Ending) -> None:
        """Images, directory, calibration and manifest of a new run."""
        self.say(announcement(self.sweep))
        self._build()
        self._create(ending)
        write_atomically(self.directory.path / "sweep.source.yaml", source)
        write_atomically(self.directory.path / "sweep.yaml", sweepfile.dump(self.sweep))
        ending.remove_later(self.run.run_id)
        if self.speeds.images:
            self.say("calibrating the work unit on an unlimited container ...")
            self.speeds.begin()
        started_utc = started.isoformat(timespec="seconds")
        facts = manifest(self.engine, self.run, self.sweep, self.speeds.calibration, started_utc)
        write_json(self.directory.path / "manifest.json", facts)
        self.course.write_rows()

    def go_on(self, begun: dict[str, Any], force: bool, ending: Ending) -> None:
        """Take over a run that was cut off, with its finished trials and its calibration.

        UserError where it began under other conditions, unless `force`.
        """
        self._build()
        now = manifest(self.engine, self.run, self.sweep, begun["calibration"], begun["started_utc"])
        changed = differences(begun, now)
        if changed and not force:
            conditions = "; ".join(changed)
            raise UserError(f"{self.directory.path}: begun under other conditions: {conditions}; --force mixes them")
        self.directory.reopen(load_user())
        ending.later(self.directory.close)
        ending.remove_later(self.run.run_id)
        for problem in self.course.take_up(begun):
            self.say(f"warning: {problem}")
        resumed = {"resumed_utc": datetime.now(UTC).isoformat(timespec="seconds"), "differences": changed}
        write_json(self.directory.path / "manifest.json", begun | {"resumed": [*begun.get("resumed", []), resumed]})
        self.speeds.go_on(begun["calibration"])
        self._say_what_is_there()

    def _build(self) -> None:
        fronts = proxies(self.sweep)
        servers = server_images(self.sweep)
        needed = dict.fromkeys((*servers, *self.speeds.images, *names.COMPANIONS, *fronts, *parts_behind(self.sweep)))
        if ours := [name for name in needed if name not in self.sweep.images]:
            images.build_missing(ours, self.say)
        self.engine.bring_images([self.run.image(name) for name in needed], self.say)

    def _create(self, ending: Ending) -> None:
        try:
            self.directory.create(load_user())
        except OSError as error:
            raise UserError(
                f"{self.directory.path}: cannot be created: {error.strerror}; choose another place with --results DIR"
            ) from None
        ending.later(self._remove_if_empty)
        ending.later(self.directory.close)

    def _remove_if_empty(self) -> None:
        """Without a manifest a new run cannot be gone on with, and nothing has been measured."""
        begun = (self.directory.path / "manifest.json").exists() or self.directory.finished_ids()
        if not begun:
            shutil.rmtree(self.directory.path)

    def _say_what_is_there(self) -> None:
        planned = "" if self.sweep.load.slo else f" of {len(trials.trials(self.sweep))}"
        there = sum(not redo.is_redo(row) for row in self.course.rows)
        self.say(f"{self.sweep.name}: {there}{planned} trials are there already{self.course.searches_over}")
