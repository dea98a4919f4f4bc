"""What a verdict rests on. None is "not known", and never taken for a zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from testbed.judge.boxes import Box
from testbed.judge.thresholds import Thresholds as Thresholds
from testbed.parts.counts import RequestCounts
from testbed.sums import most, total


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
    one_queue: bool = False
    """Whether connections wait in one queue of the front, and none in a server's."""
    transient: bool = False
    """Whether rate, limits or replicas were to change within the window, or one was to fail."""

    boxes: tuple[Box, ...] = ()
    """Every container that was watched, with its limits and readings: the servers, their front, what is behind them,
    the load workers."""

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
    dispatch_lag_p99_us: float | None = None
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
    perhaps_replied: int = 0
    """Lines of the same that were given up on: a server that was slow to start may have answered them later."""

    client_connections: int | None = None
    """Connections that the load workers have made."""
    check_connections: int | None = None
    """Those made the same way outside of the load: through the front, where there is one."""
    direct_connections: int | None = None
    """Those made straight to single servers, past the front: readiness, verification and shape."""
    sidecar_connections: int | None = 0
    """Those made to single sidecars, past the front."""
    front_to_replicas: Mapping[str, int] | None = field(default=None, hash=False)
    """Connections handed to each replica by the front's own count. None: it does not count them by replica."""
    front_failed: int | None = None
    """How often it could not reach a server, by the same count."""

    # A front that hands on requests, over connections of its own, and may answer some itself.
    by_request: bool = False
    cached: int | None = 0
    """Replies in the window that it gave without asking a server, by the load's count."""
    total_cached: int | None = 0
    """Likewise, over the whole run."""
    requests: RequestCounts | None = None
    """What such a front has counted of its requests to the servers."""
    rate_limit_rps: float = 0.0
    """How many requests per second a gateway was to let through; 0: all."""
    limited: int | None = 0
    """Requests in the window that were answered 429, by the load's count; they are neither right nor failed."""
    total_limited: int | None = 0
    """Likewise, over the whole run."""
    front_limited: int | None = None
    """How many the front says that it has answered so."""
    services_ok: Mapping[str, int | None] | None = None
    """Over the whole run, verified replies of each of several services, by its server's name; None: there is one."""
    front_replies: int | None = None
    """Among `other_replies`, those that came through the front."""

    generator_steal_share: float | None = None
    """Of the window's time of the load workers' processors, what the hypervisor gave to others."""

    @property
    def servers(self) -> tuple[Box, ...]:
        return tuple(box for box in self.boxes if box.role == "server")

    @property
    def fronts(self) -> tuple[Box, ...]:
        """What stands before the servers; none where the load goes straight to them."""
        return tuple(box for box in self.boxes if box.role == "front")

    @property
    def sidecars(self) -> tuple[Box, ...]:
        """What stands beside the servers and takes all that comes for them; none where nothing does."""
        return tuple(box for box in self.boxes if box.role == "sidecar")

    @property
    def is_direct(self) -> bool:
        """Whether the connections that clients make are those that servers take."""
        return not self.by_request and not self.sidecars

    @property
    def measured(self) -> tuple[Box, ...]:
        """All that is under test."""
        # The probe of what is killed ends with it.
        return (*self.servers, *self.sidecars, *self.fronts, *(box for box in self.behind if not box.removed))

    @property
    def behind(self) -> tuple[Box, ...]:
        """What stands behind the servers: stores, brokers, and the consumers of these."""
        return tuple(box for box in self.boxes if box.role in ("store", "broker", "consumer"))

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

    @property
    def servers_rps(self) -> float | None:
        """Of those, at least how many a second the servers have answered."""
        if self.ok is None or self.cached is None or not self.window_s:
            return None
        return (self.ok - self.cached) / self.window_s
