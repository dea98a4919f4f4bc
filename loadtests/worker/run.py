"""One run as the users of one process see it: what they share, made and ended."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from locust.stats import RequestStats

from loadtests.destination import Destination
from loadtests.options import Options
from loadtests.record import schedule
from loadtests.record.recorder import Recorder
from loadtests.wire import protocols
from loadtests.wire.protocols import Wire
from loadtests.worker.asks import Asks, items, verbs
from loadtests.worker.dispatcher import Dispatcher
from loadtests.worker.fast.closed import ClosedLoop
from loadtests.worker.fast.feed import Feed
from loadtests.worker.fast.loop import Loop
from loadtests.worker.fast.open import OpenLoop

_REQUEST_TYPES = {"line": "TCP", "http": "HTTP"}
"""What stands before each row of Locust's table."""


@dataclass(frozen=True)
class Window:
    """Moments of perf_counter. Nobody sends before `begins_at`; None: the window closes when the run is stopped."""

    begins_at: float
    opens_at: float
    closes_at: float | None


@dataclass
class RunOnWorker:
    """Exactly one of `engine` and, in an open loop, `dispatcher` is there."""

    options: Options
    destination: Destination | None
    """None when the target's name did not resolve: every request then fails as `connect`."""
    recorder: Recorder
    begins_at: float
    wire: Wire
    engine: Loop | None = None
    """None: every user drives its own connection."""
    dispatcher: Dispatcher | None = None
    """None in a closed loop, and beside an engine."""
    asks: Asks | None = None
    """None: nothing is behind the server, there are no services, and all users send the same."""
    items: Iterator[bytes] | None = None
    """Requests that get items, of all users; None: they get none, or from what is behind the server."""
    active: bool = True
    rng: random.Random = field(default_factory=lambda: random.Random(os.urandom(16)))

    @classmethod
    def prepare(
        cls,
        options: Options,
        destination: Destination | None,
        window: Window,
        stats: RequestStats,
        worker: int = 0,
        workers: int = 1,
    ) -> RunOnWorker:
        """The share of worker number `worker` of so many. `stats`: Locust's own, of this process. Raises OSError."""
        by = verbs(options)
        recorder = Recorder(
            time.perf_counter(), window.opens_at, window.closes_at, open_loop=options.open_loop, verbs=by
        )
        wire = protocols.of(options.protocol, options.target, options.api_key)
        if options.gets:
            wire = protocols.of_gets(options.target, options.payload_bytes, options.api_key)
        run = cls(options, destination, recorder, window.begins_at, wire)
        if options.behind != "none" or options.services or options.spinners:
            run.asks = Asks(options, worker, workers)
        elif options.gets:
            run.items = items(options, worker, workers)
        begins_at = window.begins_at
        arrivals = _arrivals(options, window, worker, workers)
        if options.engine == "fast":
            opened = OpenLoop(arrivals, recorder.slot_sent) if options.open_loop else None
            run.engine = Loop(
                opened or ClosedLoop(begins_at, options.think_ms / 1000),
                recorder,
                Feed(stats, run.request_type, options.target),
                destination,
                wire,
                reply_timeout_s=options.reply_timeout_s,
                requests_per_connection=options.requests_per_connection,
                precise=options.precise,
                gets=options.gets,
                asked=run.asks.batch if run.asks is not None else None,
                asked_feeds={verb: Feed(stats, run.request_type, f"{options.target} {verb}") for verb in by},
            )
        elif options.open_loop:
            run.dispatcher = Dispatcher(arrivals)
        return run

    def stop(self, now: float) -> None:
        """Nothing new begins; the window closes if it is still open. What is in flight may still be answered."""
        self.active = False
        untaken: Iterable[float] = ()
        if self.engine is not None:
            untaken = self.engine.stop(now)
        elif self.dispatcher is not None:
            untaken = self.dispatcher.stop(now)
        self.recorder.close(now, untaken)

    def behind_s(self, now: float) -> float | None:
        """How long the oldest slot not yet sent is overdue; None in a closed loop."""
        source = self.engine or self.dispatcher
        return None if source is None else source.behind_s(now)

    @property
    def request_type(self) -> str:
        """How Locust's table calls such requests."""
        return _REQUEST_TYPES[self.options.protocol]

    @property
    def spun_s(self) -> float:
        """How long the engine has spun so far."""
        return 0.0 if self.engine is None else self.engine.spun_s

    def end(self) -> None:
        """The users are gone; harmless a second time."""
        if self.engine is not None:
            self.engine.close()


def _arrivals(options: Options, window: Window, worker: int, workers: int) -> Iterator[float]:
    """The intended starts of an open loop; a closed one has no use for them."""
    kind, begins_at, seed = options.arrivals, window.begins_at, options.seed
    if profile := options.profile:
        return schedule.changing(kind, profile, begins_at, window.opens_at, worker, workers, seed)
    return schedule.arrivals(kind, begins_at, options.rate or 1, worker, workers, seed)
