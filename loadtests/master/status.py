"""What whoever drives the load is told of the run under way, or of the last one."""

from __future__ import annotations

import time
from typing import Any

from locust.runners import MasterRunner

from loadtests.master.control import Control


def responses(runner: MasterRunner) -> dict[str, Any]:
    """What has ended since the run began, as Locust's own statistics have it."""
    total = runner.stats.total
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "times_ms": {str(ms): count for ms, count in total.response_times.items()},
    }


def status(control: Control) -> dict[str, Any]:
    run, runner = control.run, control.runner
    now = time.time()
    alive, live = control.workers.alive(), control.workers.live
    total = runner.stats.total
    return {
        "state": runner.state,
        "trial_id": run.trial_id if run else "",
        "target": run.options.target if run else "",
        "by_hand": bool(run and run.by_hand),
        # A worker that joins during a run takes no part in it.
        "workers": len(alive & run.workers if run and not run.over.is_set() else alive),
        "workers_expected": len(run.workers if run else alive),
        # Locust calls a worker after its host.
        "workers_lost": sorted(worker.rpartition("_")[0] for worker in run.lost) if run else [],
        "users": runner.user_count,
        "window_opens_in_s": run.order.opens_unix - now if run else None,
        "window_closes_in_s": run.closes_unix - now if run and run.closes_unix is not None else None,
        "requests": total.num_requests,
        "failures": total.num_failures,
        "generator": [{"worker": worker, **told} for worker, told in sorted(live.items()) if worker in alive],
        "final": bool(run and run.over.is_set() and run.file),
        "error": run.trouble if run else "",
    }
