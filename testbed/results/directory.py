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

# Of manifest.json and trial.json. What an earlier version lacks is not known.
#   2  the first with verdicts
#   3  context switches are those of every task: before, of tasks seen alive alone, a part, which is no number.
#      In its course came where a trial stands in its search, and the stolen time
#   4  the seed of a trial's arrivals
SCHEMA_VERSION = 4
_SWITCHES_SINCE = 3

# Every column of trials.csv, in order, with its meaning. The unit is in the name. An empty field means "not known".
COLUMNS: dict[str, str] = {
    "trial_id": "the trial's directory under trials/",
    "block": "repetition; each block holds every combination once",
    "canary": "true for the extra trial that opens a block, always of the same cell",
    "search_id": "the search that asked for the trial, as in capacity.csv",
    "step": "its place among the trials of that search, from 1; empty for a trial at a share of what was found",
    "model": "concurrency model of the server",
    "cpus": "CPU limit",
    "limit": "how it is enforced: quota (CFS), cpuset (so many processors), both",
    "memory_bytes": "memory limit; swap is off",
    "workers": "size of the pool of processes; 0 for models without one",
    "threads": "size of the pool of threads; 0 for models without one",
    "sleep_us": "wait per request, `!sleep`",
    "spin_us": "CPU time per request with the interpreter's lock, `!spin`, as calibrated",
    "hash_us": "CPU time per request without the lock, `!hash`, as calibrated",
    "payload_bytes": "payload after the directives",
    "connection": "persistent, per-request, or requests per connection",
    "think_us": "pause of a user between reply and next request",
    "mode": "closed, open, or the search the trial belongs to",
    "rate_rps": "open loop: requests per second that were to be sent",
    "share": "of a search: the part of the rate found in this block that was sent; repeats have it in common",
    "arrivals": "open loop: constant or poisson",
    "users": "closed loop: users; open loop: the most requests in flight",
    "idle_holders": "silent connections held besides",
    "engine": "how a worker drives its connections: fast, all at once; plain, as so many users of Locust",
    "precise": "true when the generator spun before each intended start instead of being woken",
    "network": "bridge: over the engine's bridge; shared: server and load in one network namespace, over loopback",
    "users_starved": "users without any reply inside the window",
    "status": "ok, or failed when the verdict is invalid",
    "verdict": "server-bound, not-saturated, client-bound or invalid",
    "unsteady": "true when throughput or latency drifted within the window",
    "disturbed": "true when a hypervisor took more of the processors than a measurement bears",
    "reasons": "why this verdict",
    "throughput_rps": "verified replies per second in the window",
    "latency_p50_us": "median from intended start to reply (closed loop: from sending, with connect where one is made)",
    "latency_p90_us": "90th percentile of the same",
    "latency_p99_us": "99th percentile; empty where the sample does not support it",
    "latency_max_us": "greatest latency",
    "service_time_p50_us": "median from sending to reply",
    "service_time_p99_us": "99th percentile of the same",
    "send_lag_p99_us": "99th percentile from intended start to sending",
    "dispatch_lag_p99_us": "the same of requests that found a user idle: the generator's own lateness",
    "holders_held": "idle holders held from the window's opening to its closing without a break",
    "offered": "open loop: requests that were due in the window",
    "missed": "open loop: due in the window, not sent by its end",
    "achieved_over_offered": "open loop: verified replies per offered request",
    "ok": "verified replies in the window",
    "failed": "failed requests in the window",
    "in_flight": "requests without reply when the window closed",
    "cpu_used_s": "CPU time of the server's container in the window",
    "cpu_us_per_request": "the same per verified reply",
    "window_s": "length of the window",
    "throttled_periods": "quota periods in which the container was stopped",
    "periods": "quota periods in which the container wanted to run",
    "throttled_s": "time stopped, summed over CPUs",
    "memory_peak_bytes": "most memory charged to the container since its start",
    "pss_bytes": "proportional set size of all its processes at the window's end",
    "oom_kills": "processes killed for want of memory, since the container's start",
    "voluntary_switches": "context switches by waiting, in the window, of all tasks",
    "involuntary_switches": "context switches by preemption, likewise",
    "accept_queue_max": "most connections seen waiting to be accepted",
    "listen_overflows": "connections dropped because that queue was full",
    "generator_cpu_share": "CPU share of the busiest load worker, of one core, without what it spun",
    "probe_cpu_share": "CPU share of the probe, of one core",
    "speed_drift": "speed of the server's processors in this block, of that at the sweep's calibration",
    "server_steal_share": "share of the window that a hypervisor took from the server's processors",
    "generator_steal_share": "the same of the load workers' processors",
    "server_served": "replies by the server's own count, over its life",
    "overhead_s": "wall time of the trial beyond warm-up and window",
}


# Everything else is a number, true or false, or empty where it is not known.
TEXT_COLUMNS = frozenset(
    [
        "trial_id",
        "search_id",
        "model",
        "limit",
        "connection",
        "mode",
        "arrivals",
        "engine",
        "network",
        "status",
        "verdict",
        "reasons",
    ]
)

# What a column that came later stood at before it was there: with it, older results compare with newer ones.
EARLIER = {"network": "bridge", "engine": "plain", "precise": False}


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
        """Move what else there is of the trial: the probe's series. The window's edges are in its other files."""
        series = self.load / f"{trial_id}.probe.ndjson"
        if series.exists():
            write_atomically(self.trial(trial_id) / "probe.ndjson", series.read_text(encoding="utf-8"))
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
    writer = csv.DictWriter(text, list(columns), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
