"""What a run leaves below the results directory: its result, and what a probe has told of its target."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import gevent

from loadtests.master import machine
from loadtests.master.current import CurrentRun
from loadtests.master.served_by import ServedBy
from loadtests.record import results

logger = logging.getLogger(__name__)


class ResultFiles:
    def __init__(self, directory: Path, served_by: ServedBy) -> None:
        self._directory = directory
        self._served_by = served_by

    def make_room(self, trial_id: str) -> None:
        """Find out now, not after the run, that results cannot be written: raises OSError. Without an id, by hand."""
        directory = self._directory / "load"
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(f"{directory} is not writable for user {os.getuid()}")
        if trial_id:
            # A file of an earlier attempt under the same name must not be taken for this one's.
            self._path(trial_id).unlink(missing_ok=True)

    def write(self, run: CurrentRun) -> None:
        """The result of a run whose workers have all reported, and its path in `run.file`. Raises OSError."""
        content = results.merge(
            run.options,
            run.trial_id,
            run.started_unix,
            run.order.opens_unix,
            [run.finals[worker] for worker in run.order.workers],
            workers_expected=len(run.workers),
            replies_to_checks=run.replies_to_checks,
        )
        # Whoever collects it later may do so elsewhere, or after a new kernel.
        content["host"] = machine.facts()
        if run.serving is not None:
            content["served_by"] = run.serving.throughout(self._served_by.now(run.options.target)).as_json()
        path = self._path(run.trial_id)
        # fsync blocks: in a thread, so that the master keeps answering.
        pool = gevent.get_hub().threadpool
        # A trial's own probe writes its series. First, so that who sees the result finds the series too.
        if run.by_hand and (lines := self._series(run, content["window"]["closes_unix"])):
            pool.apply(results.write_text, (path.with_suffix(".probe.ndjson"), lines))
        pool.apply(results.write_whole, (path, content))
        run.file = str(path.relative_to(self._directory))
        logger.info("%s: %d requests, written to %s", run.trial_id, content["ok"], path)

    def _series(self, run: CurrentRun, closes_unix: float) -> str:
        """What probes have told of the run's target and of what is behind it, as lines of JSON; empty without one."""
        found = self._served_by.lines(run.options.target, run.started_unix, closes_unix)
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in found)

    def _path(self, trial_id: str) -> Path:
        return self._directory / "load" / f"{trial_id}.json"
