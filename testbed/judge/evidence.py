"""What a verdict rests on, and the thresholds it applies. None is "not known", and never taken for a zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from testbed.judge.boxes import Box, most, total
from testbed.plan.search import SUSTAINED


@dataclass(frozen=True)
class Thresholds:
    """Every number a verdict depends on, with its source or its reason. The unit is in the name; shares are of 1."""

    # Little's law is exact; what is left is rounding and clocks. Customary since Lazowska et al., Quantitative System
    # Performance (1984), 3.2. The edges of a short window come on top, see laws.littles_law.
    little_relative: float = 0.05
    # A window in which the edges alone could move the result by more than this cannot test the law.
    little_most_edge: float = 0.25
    # An event loop that waits with epoll rounds its timers up to whole milliseconds: a pause may be so much longer.
    timer_slack_us: float = 1_000.0

    # The fastest moment of a few seconds bounds the demand, on a machine whose clock rate moves with temperature and
    # load; a counting mistake is off by a factor, not by a fifth.
    utilisation_relative: float = 0.20
    # Counters are read some milliseconds off the edges of the window.
    cpu_time_relative: float = 0.05
    # The kernel's and Docker's default quota period: so much of a quota may be spent beyond either edge.
    quota_period_s: float = 0.1

    # At 70 % use an M/M/1 queue already waits 2.3 service times: what is measured then is the generator's own queue.
    generator_cpu_share: float = 0.70
    # One stall in a hundred periods reaches less than 1 % of the requests, so the 99th percentile still stands.
    generator_throttled_share: float = 0.01
    # The millisecond of the timer, and the few requests that one worker handles before it gets to the late one.
    send_lag_p99_us: float = 5_000.0
    # The rule of capacity searches.
    achieved_over_offered: float = SUSTAINED
    # Server and generator on shared cores: together at this share of the machine, the machine is the bound.
    machine_cpu_share: float = 0.90

    # The scheduler hands quota out in slices of 5 ms per CPU and takes back what is unused, so a server that could use
    # more all the time still measures a few percent below its limit.
    server_cpu_share: float = 0.90
    # "Most periods": a server throttled in half of them wanted more than its quota half of the time.
    server_throttled_share: float = 0.50
    # Between two requests a slot also waits for the next client's first byte, and a sleep ends late: neither is in the
    # sum of sleeping and computing.
    slots_busy_share: float = 0.80

    # As with stalls of the generator: once more than one moment in a hundred belonged to others, so many requests met
    # one that the 99th percentile is the hypervisor's. Steal comes in bursts: 0.5 to 2.3 % of a window where it was
    # looked at.
    steal_share: float = 0.01
    # The kernel counts it in hundredths of a second, so that a window may get one tick from beyond its edge.
    steal_tick_s: float = 0.01

    # After pyperf's test of warm-ups (its _worker.test_calibrate_warmups), and stricter: pyperf lets the first half's
    # mean lie 50 % below to 10 % above the second's, since it looks for times that are still falling, and calls a first
    # value an outlier only above. A throughput that falls in the window is as unsteady as one that rises, so here both
    # directions have the limit that is pyperf's upwards. Quartiles within 5 % are pyperf's, both ways.
    steady_mean_relative: float = 0.10
    steady_quartile_relative: float = 0.05
    # Quartiles of fewer values than this per half differ by more than 5 % by chance.
    steady_quartile_slices: int = 10
    # Three values per half are the least that have a middle.
    steady_least_slices: int = 6


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict needs to know of one trial. Counts are of the window unless named otherwise."""

    # The cell.
    model: str
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

    boxes: tuple[Box, ...] = ()
    """Every container that was watched, with its limits and readings: the servers, the load workers."""

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
    other_replies: int | None = None
    """Lines the servers answered to verification and readiness, outside of the load's own counts."""

    generator_steal_share: float | None = None
    """Of the window's time of the load workers' processors, what the hypervisor gave to others."""

    @property
    def servers(self) -> tuple[Box, ...]:
        return tuple(box for box in self.boxes if box.role == "server")

    @property
    def generator(self) -> tuple[Box, ...]:
        """The load workers; none where nothing is known of them."""
        return tuple(box for box in self.boxes if box.role == "load worker")

    @property
    def cpu_used_s(self) -> float | None:
        """CPU time of all servers."""
        return total(box.cpu_used_s for box in self.servers)

    @property
    def server_steal_share(self) -> float | None:
        """Of the server from whose processors the hypervisor took most."""
        return most(box.steal_share for box in self.servers)

    @property
    def throughput_rps(self) -> float | None:
        return self.ok / self.window_s if self.ok is not None and self.window_s else None
