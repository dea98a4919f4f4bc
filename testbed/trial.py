"""One trial: a fresh server container under its limits, load for warm-up and window, counters at the window's edges."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from servers.models import MODELS
from testbed import compose
from testbed.cgroup import Counters, difference
from testbed.engine import ContainerGone, Engine, Server
from testbed.errors import UserError
from testbed.load import Load, LoadError, Status
from testbed.plan import Trial
from testbed.results import SCHEMA_VERSION, ResultsDirectory, write_atomically, write_json

READY_TIMEOUT_S = 30.0
# How often a server that starts is asked for an echo. Python under a small CPU limit takes 0.1 to 2 s to start.
READY_INTERVAL_S = 0.05
# How often server and workers are looked after while load runs; each look costs the machine a few milliseconds.
WATCH_INTERVAL_S = 0.5

TARGETS = ",".join(MODELS)


class TrialFailed(Exception):
    """The trial cannot be completed. The message is the reason its record carries."""


@dataclass(frozen=True)
class Setting:
    """What every trial of a run has in common."""

    engine: Engine
    load: Load
    run: compose.Run
    directory: ResultsDirectory
    warmup_s: float
    window_s: float
    spin_units_per_ms: float


@dataclass(frozen=True)
class Window:
    """The server's counters at the window's edges."""

    opened: Counters
    closed: Counters


Say = Callable[[str], None]
"""Told the phase that begins."""


def compose_text(project: dict[str, Any]) -> str:
    return yaml.safe_dump(project, sort_keys=False)


def run_trial(trial: Trial, setting: Setting, say: Say) -> dict[str, Any]:
    """Run one trial to its end and write its record. A failure becomes its status and reasons, never an exception.

    Only an interrupt passes through; whoever catches it removes the run's containers.
    """
    began = time.monotonic()
    directory = setting.directory.trial(trial.trial_id)
    directory.mkdir()
    project = compose.project(setting.run, "../../load", TARGETS, trial)
    write_atomically(directory / "compose.yaml", compose_text(project))

    reasons: list[str] = []
    timings: dict[str, float] = {}
    window: Window | None = None
    server: Server | None = None

    def phase(name: str) -> None:
        timings[name] = time.monotonic() - began
        say(name)

    try:
        phase("start")
        server = _start_server(trial, setting)
        phase("ready")
        _wait_until_ready(trial, setting, server)
        phase("warm-up")
        window = _drive(trial, setting, server, phase)
    except (TrialFailed, LoadError, UserError) as error:
        reasons.append(str(error))

    phase("stop")
    load_result = _stop_load(trial, setting, reasons)
    if server is not None:
        write_atomically(directory / "server.log", server.stop())
    reasons += _reasons(load_result, window)

    metrics = _metrics(load_result, window)
    total_s = time.monotonic() - began
    row = {
        "trial_id": trial.trial_id,
        "block": trial.block,
        **asdict(trial.cell),
        "status": "failed" if reasons else "ok",
        "reasons": "; ".join(reasons),
        "overhead_s": round(total_s - setting.warmup_s - setting.window_s, 3),
        **metrics,
    }
    record = {
        "schema_version": SCHEMA_VERSION,
        **row,
        "reasons": reasons,
        "counters": None if window is None else {"opened": asdict(window.opened), "closed": asdict(window.closed)},
        "phases_began_s": {name: round(seconds, 3) for name, seconds in timings.items()},
        "total_s": round(total_s, 3),
    }
    write_json(directory / "trial.json", record)
    return row


def _start_server(trial: Trial, setting: Setting) -> Server:
    compose_file = setting.directory.trial(trial.trial_id) / "compose.yaml"
    setting.engine.up(compose_file, setting.run.project, [trial.cell.model])
    try:
        return setting.engine.server(setting.run.run_id, trial.cell.model)
    except ContainerGone:
        raise TrialFailed("server's container is gone right after its start") from None


def _fail_if_ended(server: Server, when: str) -> None:
    if (ended := server.exit()) is not None:
        raise TrialFailed(f"server ended {when}: {ended}")


def _wait_until_ready(trial: Trial, setting: Setting, server: Server) -> None:
    """Ask for a real echo over the load's network until one comes back: nothing runs inside the server's limits."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while error := setting.load.echo(trial.cell.model):
        _fail_if_ended(server, "before it was ready")
        if time.monotonic() > deadline:
            raise TrialFailed(f"server did not answer within {READY_TIMEOUT_S:g} s: {error}")
        time.sleep(READY_INTERVAL_S)


def _drive(trial: Trial, setting: Setting, server: Server, phase: Say) -> Window:
    cell = trial.cell
    spin_units = round(cell.spin_us / 1000 * setting.spin_units_per_ms)
    setting.load.start(trial, spin_units, setting.warmup_s, setting.window_s)
    opens_at, closes_at = _window_edges(setting.load)

    _watch_until(opens_at, setting, server, "during the warm-up")
    opened = server.counters()
    phase("window")
    users = _checked_status(setting).users
    if users != cell.users:
        raise TrialFailed(f"only {users} of {cell.users} users had started when the window opened")
    _watch_until(closes_at, setting, server, "during the window")
    closed = server.counters()
    _fail_if_ended(server, "during the window")
    return Window(opened, closed)


def _window_edges(load: Load) -> tuple[float, float]:
    """When the window opens and closes, on this process's monotonic clock."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        status = load.status()
        if status.window_opens_in_s is not None and status.window_closes_in_s is not None:
            now = time.monotonic()
            return now + status.window_opens_in_s, now + status.window_closes_in_s
        time.sleep(READY_INTERVAL_S)
    raise TrialFailed("Locust accepted the run but did not begin it")


def _checked_status(setting: Setting) -> Status:
    status = setting.load.status()
    if status.workers < status.workers_expected:
        raise TrialFailed(f"worker lost: {status.workers} of {status.workers_expected} left")
    return status


def _watch_until(moment: float, setting: Setting, server: Server, when: str) -> None:
    while (left := moment - time.monotonic()) > 0:
        # Close to the edge a look could make the reading late.
        if left > WATCH_INTERVAL_S / 2:
            _fail_if_ended(server, when)
            _checked_status(setting)
        time.sleep(max(0.0, min(WATCH_INTERVAL_S, moment - time.monotonic())))


def _stop_load(trial: Trial, setting: Setting, reasons: list[str]) -> dict[str, Any] | None:
    """Stop the users and take their result from the volume; None when there is none."""
    try:
        if setting.load.status().state in ("spawning", "running"):
            setting.load.stop()
    except LoadError as error:
        reasons.append(str(error))
    return setting.directory.take_load_result(trial.trial_id)


def _reasons(load_result: dict[str, Any] | None, window: Window | None) -> list[str]:
    """What makes a trial that ran to its end a failed one all the same."""
    reasons = []
    if load_result is not None and window is not None:
        if load_result["ok"] == 0:
            reasons.append("no verified reply in the window")
        if wrong := load_result["failures"].get("bad_echo"):
            reasons.append(f"{wrong} wrong echoes")
    if window is not None and window.closed.oom_kills:
        reasons.append(f"{window.closed.oom_kills} processes of the server killed for want of memory")
    return reasons


def _metrics(load_result: dict[str, Any] | None, window: Window | None) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    if load_result is not None:
        metrics |= {
            "users_starved": load_result["users_starved"],
            "throughput_rps": round(load_result["throughput_rps"], 2),
            "latency_p50_us": load_result["latency_us"]["p50"],
            "latency_p99_us": load_result["latency_us"]["p99"],
            "ok": load_result["ok"],
            "failed": load_result["failed"],
            "in_flight": load_result["in_flight"],
            "window_s": round(load_result["window"]["duration_s"], 3),
        }
    if window is not None:
        opened, closed = window.opened, window.closed
        metrics |= {
            "cpu_used_s": _seconds(difference(opened.cpu_used_us, closed.cpu_used_us)),
            "throttled_periods": difference(opened.throttled_periods, closed.throttled_periods),
            "periods": difference(opened.periods, closed.periods),
            "throttled_s": _seconds(difference(opened.throttled_us, closed.throttled_us)),
            "memory_peak_bytes": closed.memory_peak_bytes,
            "oom_kills": closed.oom_kills,
        }
    return metrics


def _seconds(us: int | None) -> float | None:
    return None if us is None else round(us / 1e6, 4)
