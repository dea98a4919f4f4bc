"""What a verdict rests on. None is "not known", and never taken for a zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from testbed.judge.thresholds import Thresholds as Thresholds


@dataclass(frozen=True)
class GeneratorWorker:
    """One load worker's process over the window, from its own counters."""

    worker: str
    cpu_used_s: float | None
    window_s: float | None
    cpu_limit: float | None = None
    """Its CPU quota; None when it has none."""
    throttled_periods: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict needs to know of one trial. Counts are of the window unless named otherwise."""

    # The cell.
    model: str
    cpus: float
    workers: int
    threads: int
    mode: Literal["closed", "open"]
    users: int
    """Closed loop: users. Open loop: the most requests in flight."""
    connection: str = "persistent"
    think_us: float = 0.0
    sleep_us: float = 0.0
    spin_us: float = 0.0
    """CPU time per request that holds the interpreter's lock, as calibrated."""
    hash_us: float = 0.0
    """CPU time per request that releases the interpreter's lock, as calibrated."""
    least_cpu_us: float | None = None
    """CPU time that both kinds take at least, at the machine's fastest moment. None: not known, so what was asked."""

    idle_holders: int = 0
    memory_bytes: int = 0
    """The limit; 0 where none is known."""

    # The course of the trial.
    failure: str = ""
    """Why it could not be completed; empty when it was."""
    isolated: bool | None = None
    """Whether the server shares no core with the generator or the rest."""
    machine_cpus: int | None = None
    """CPUs that server and generator have together."""
    verification_failures: tuple[str, ...] | None = None
    """What failed in the echo verification before the load; empty when everything passed."""
    shape_mismatch: str | None = None
    """What `shape.check` says."""
    workers_expected: int | None = None
    workers_throughout: bool | None = None
    """Whether every expected load worker was there from start to end."""

    packets_dropped: int | None = None
    """Packets this machine's kernel dropped because its table of tracked connections was full. None: it has none."""
    tracked_limit: int | None = None

    # The load's result.
    window_s: float | None = None
    ok: int | None = None
    failed: int | None = None
    users_starved: int | None = None
    users_absent: float = 0.0
    """How many users were missing on average because they came after the window had opened."""
    service_time_mean_us: float | None = None
    service_time_max_us: float | None = None
    send_lag_p99_us: float | None = None
    """Of the requests that found a user idle: the generator's own lateness, without the wait for a busy server."""
    achieved_over_offered: float | None = None
    slice_ok: tuple[int, ...] | None = None
    """Verified replies per whole second of the window."""
    slice_p50_us: tuple[float | None, ...] | None = None
    """Median service time of the same seconds."""

    # Idle holders.
    holders_opened: int | None = None
    """How many were held when the users came."""
    holders_held: int | None = None
    """How many were held from the opening of the window to its closing without a break."""
    holders_dropped: int | None = None
    holders_failures: Mapping[str, int] | None = field(default=None, hash=False)
    """Tries to open one that failed, by kind."""
    holders_said: str = ""
    """What the server or the system said to one that failed."""
    holders_unanswered: int = 0
    """Lines of holders whose echo never came: the server may have counted each, or not."""

    # Conservation, over the whole run with its warm-up.
    sent: int | None = None
    total_ok: int | None = None
    total_failures: Mapping[str, int] | None = field(default=None, hash=False)
    total_in_flight: int | None = None
    server_served: int | None = None
    """Replies by the server's own count. Its `errors` belong to it where `other_replies` counts `!error` lines."""
    other_replies: int | None = None
    """Lines the server answered to verification and readiness, outside of the load's own counts."""

    generator: tuple[GeneratorWorker, ...] | None = None

    server_steal_share: float | None = None
    """Of the window's time of the processors that the server may run on, what the hypervisor gave to others."""
    generator_steal_share: float | None = None
    """The same of the load workers' processors."""

    # The server's container.
    cpu_used_s: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    oom_kills: int | None = None
    memory_peak_bytes: int | None = None
    tasks_max: int | None = None
    """Most processes and threads seen at once."""
    tasks_limit: int | None = None
    server_said: str = ""
    """What its log says of a connection it could not take."""
    server_ended: str | None = None
    """How it ended before it was asked to; empty when it did not."""
    workers_replaced: int | None = None
    """Pool workers that died and were replaced."""

    @property
    def throughput_rps(self) -> float | None:
        return self.ok / self.window_s if self.ok is not None and self.window_s else None
