"""Samples a server until its window has closed: at both edges exactly, in between as often as it can be afforded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from probe.growth import Growth
from probe.pace import Pace
from probe.processes import Sample
from probe.server import Reading, details
from probe.window import Window

# Shares of one core. Together with the control group's files, about 0.2 % at 4 Hz, they stay under the 2 % that the
# probe may cost. The detail samples at the window's edges are part of their share: a short window has none between.
DETAIL_SHARE = 0.012
QUEUE_SHARE = 0.003
PSS_SHARE = 0.002

# How long before the window opens PSS is measured: its cost falls before the window then. With 300 processes it takes
# 80 ms of CPU time, which on a busy machine may take several times as long.
PSS_LEAD_S = 0.6
# How often the file with the window's edges is looked for: it is written half a second before the window opens.
POLL_S = 0.1
# Nothing else begins this close to an edge, nor closer than it would take three times over: the edge must not wait.
CLEARANCE_S = 0.03
# Reading PSS after the window has closed keeps nobody from anything, but it ends some time.
LAST_PSS_S = 2.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the sampler sees it."""

    unix: Callable[[], float]
    cpu_s: Callable[[], float]  # what this process has used
    wait: Callable[[float], bool]  # that many seconds at most; True as soon as the probe is asked to stop


class Watched(Protocol):
    """What is sampled; probe.server.WatchedServer."""

    def cheap(self) -> Reading: ...
    def accept_queue(self) -> int | None: ...
    def processes(self) -> Sample | None: ...
    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None: ...
    def unavailable(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Edge:
    """A complete reading at one edge of the window."""

    unix: float  # when it began
    late_s: float  # after the moment it was meant for
    took_s: float
    cpu_before_s: float  # of the probe
    cpu_after_s: float
    reading: Reading
    unavailable: dict[str, str]


# A kind of sample and a name that only it has.
SAMPLE_KINDS = {"cheap": "pids", "accept_queue": "accept_queue", "detail": "processes", "pss": "pss_bytes"}


@dataclass
class Outcome:
    """What a run has found. Edges that were not reached are None."""

    window: Window | None = None
    opened: Edge | None = None
    closed: Edge | None = None
    complete: bool = False
    growth: Growth | None = None
    # Of the window, its edges included.
    maxima: dict[str, int] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SAMPLE_KINDS, 0))
    detail_cpu_s: list[float] = field(default_factory=list)


LEVELS = (
    "memory_now_bytes",
    "pids",
    "established",
    "accept_queue",
    "processes",
    "threads",
    "rss_bytes",
    "pss_bytes",
)


class Sampler:
    def __init__(
        self,
        server: Watched,
        clock: Clock,
        read_window: Callable[[], Window | None],
        record: Callable[[dict[str, Any]], None],
        interval_s: float,
        detail_interval_s: float,
        at_edges: Callable[[], Reading] = dict,
    ) -> None:
        """`at_edges` reads what is wanted of the machine, besides the server, at the edges only."""
        self._at_edges = at_edges
        self._server = server
        self._clock = clock
        self._read_window = read_window
        self._record = record
        self._cheap = Pace(interval_s, 1.0)
        self._queue = Pace(interval_s, QUEUE_SHARE)
        self.detail = Pace(detail_interval_s, DETAIL_SHARE)
        self._pss = Pace(detail_interval_s, PSS_SHARE)
        self._wall_s = {"detail": 0.0, "accept_queue": 0.0}
        self._pss_before: int | None = None
        self._pss_tried = False
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Until the window has closed, or until the clock says that the probe is to stop."""
        outcome = self.outcome
        stopped = False
        while outcome.closed is None and not stopped:
            pause_s = self._step()
            stopped = outcome.closed is None and self._clock.wait(pause_s)
        outcome.complete = not stopped
        if stopped and outcome.opened is not None:
            outcome.closed = self._edge(self._clock.unix(), "stopped")
        return outcome

    def _step(self) -> float:
        """Do what is due; how long there is nothing to do then, in seconds."""
        outcome, clock = self.outcome, self._clock
        if outcome.window is None:
            outcome.window = self._read_window()
        now = clock.unix()
        edge_unix = self._next_edge()
        if edge_unix is not None and now >= edge_unix:
            self._take_edge(edge_unix)
            return 0.0
        until_edge_s = float("inf") if edge_unix is None else edge_unix - now
        if self._pss_is_due_before_opening(until_edge_s):
            self._measure_pss_before(now + until_edge_s - CLEARANCE_S)
        elif self._cheap.is_due(now) and until_edge_s > CLEARANCE_S:
            self._sample(now, until_edge_s)
        now = clock.unix()
        if edge_unix is None:
            return max(0.0, min(self._cheap.due_unix - now, POLL_S))
        next_unix = self._cheap.due_unix if self._pss_tried else min(self._cheap.due_unix, edge_unix - PSS_LEAD_S)
        is_near = max(now, next_unix) > edge_unix - CLEARANCE_S
        return max(0.0, (edge_unix if is_near else next_unix) - now)

    def _next_edge(self) -> float | None:
        outcome = self.outcome
        if outcome.window is None or outcome.closed is not None:
            return None
        return outcome.window.opens_unix if outcome.opened is None else outcome.window.closes_unix

    def _take_edge(self, planned_unix: float) -> None:
        outcome = self.outcome
        if outcome.opened is None:
            outcome.opened = self._edge(planned_unix, "opens")
            self._spread_details(outcome.detail_cpu_s[-1])
        else:
            outcome.closed = self._edge(planned_unix, "closes")

    def _spread_details(self, cost_s: float) -> None:
        """Leave as much of the window between detail samples as their share of it asks for, with this cost of each."""
        window = self.outcome.window
        if window is None or cost_s <= 0:
            return
        duration_s = window.closes_unix - window.opens_unix
        between = max(0, int(DETAIL_SHARE * duration_s / cost_s) - 2)
        self.detail.slow_down(duration_s / (between + 1))

    def _edge(self, planned_unix: float, name: str) -> Edge:
        """A reading of everything. What the window's difference needs most, CPU time and throttling, is read first."""
        clock, opening = self._clock, name == "opens"
        self._pss_tried = True
        cpu_before_s, began_unix = clock.cpu_s(), clock.unix()
        reading = self._server.cheap()
        self._cheap.made(began_unix, clock.cpu_s() - cpu_before_s)
        reading["accept_queue"] = self._accept_queue(began_unix)
        reading |= self._details(clock.unix(), first=opening)
        reading |= self._at_edges()
        took_s, cpu_after_s = clock.unix() - began_unix, clock.cpu_s()
        if opening:
            reading["pss_bytes"] = self._pss_before
        else:
            last_unix = clock.unix() + LAST_PSS_S
            reading["pss_bytes"] = self._server.pss_bytes(lambda: clock.unix() < last_unix)
        self._publish(began_unix, reading, edge=name)
        reasons = self._server.unavailable()
        if opening and self._pss_before is None and "pss_bytes" not in reasons:
            reasons["pss_bytes"] = "the window was told too late to measure it before it opened"
        missing = {key: reasons.get(key, "not available") for key, value in reading.items() if value is None}
        return Edge(began_unix, began_unix - planned_unix, took_s, cpu_before_s, cpu_after_s, reading, missing)

    def _sample(self, now: float, until_edge_s: float) -> None:
        """The cheap part, and those of the others that are due and sure to be over before the next edge."""
        cpu_s = self._clock.cpu_s()
        reading = self._server.cheap()
        self._cheap.made(now, self._clock.cpu_s() - cpu_s)
        if self._queue.is_due(now) and self._fits("accept_queue", until_edge_s):
            reading["accept_queue"] = self._accept_queue(now)
        if self.detail.is_due(now) and self._fits("detail", until_edge_s):
            reading |= self._details(now)
        # Between the edges of a window it has its own pace; before a window it is measured when that is about to open.
        if (self.outcome.window is None or self.outcome.opened is not None) and self._pss.is_due(now):
            pss = self._measure_pss(now + until_edge_s - CLEARANCE_S)
            reading |= {} if pss is None else {"pss_bytes": pss}
        self._publish(now, reading)

    def _fits(self, what: str, until_edge_s: float) -> bool:
        return until_edge_s > CLEARANCE_S + 3 * self._wall_s[what]

    def _accept_queue(self, now: float) -> int | None:
        cpu_s, began_unix = self._clock.cpu_s(), self._clock.unix()
        waiting = self._server.accept_queue()
        self._queue.made(now, self._clock.cpu_s() - cpu_s)
        self._wall_s["accept_queue"] = self._clock.unix() - began_unix
        return waiting

    def _details(self, now: float, first: bool = False) -> Reading:
        cpu_s, began_unix, outcome = self._clock.cpu_s(), self._clock.unix(), self.outcome
        sample = self._server.processes()
        if sample is not None:
            if first:
                outcome.growth = Growth(sample)
            elif outcome.growth is not None:
                outcome.growth.add(sample)
        reading = details(sample)
        cost_s = self._clock.cpu_s() - cpu_s
        self.detail.made(now, cost_s)
        outcome.detail_cpu_s.append(cost_s)
        self._wall_s["detail"] = self._clock.unix() - began_unix
        return reading

    def _measure_pss(self, end_unix: float) -> int | None:
        cpu_s, began_unix = self._clock.cpu_s(), self._clock.unix()
        pss = self._server.pss_bytes(lambda: self._clock.unix() < end_unix)
        self._pss.made(began_unix, self._clock.cpu_s() - cpu_s)
        return pss

    def _pss_is_due_before_opening(self, until_edge_s: float) -> bool:
        return not self._pss_tried and until_edge_s <= PSS_LEAD_S

    def _measure_pss_before(self, end_unix: float) -> None:
        """PSS for the opening edge, with the processes as they are now."""
        self._pss_tried = True
        if self._clock.unix() + 2 * self._wall_s["detail"] < end_unix:
            self._details(self._clock.unix())
            self._pss_before = self._measure_pss(end_unix)

    def _publish(self, unix: float, reading: Reading, edge: str | None = None) -> None:
        outcome = self.outcome
        if outcome.opened is not None or edge is not None:
            for kind, name in SAMPLE_KINDS.items():
                outcome.samples[kind] += name in reading
            for name in LEVELS:
                value = reading.get(name)
                if value is not None and value > outcome.maxima.get(name, -1):
                    outcome.maxima[name] = value
        line = {"unix": round(unix, 6), **({"edge": edge} if edge else {}), **reading}
        self._record(line)
