"""What `orchestrate.py watch` shows: a line of JSON for each sample, with the tree of processes and threads."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from probe import listeners
from probe.pace import Pace
from probe.processes import Sample
from probe.sampler import Clock
from probe.server import Reading, WatchedServer
from probe.summary import difference
from probe.tree import Tree

SCHEMA_VERSION = 2
# Shares of one core. With 300 processes a sample takes 15 ms of CPU time and PSS 80 ms: lines then come every second
# still, and PSS every 20 s.
LINE_SHARE = 0.02
PSS_SHARE = 0.004

_GROWING = ("cpu_used_us", "user_us", "system_us", "periods", "throttled_periods", "throttled_us", "listen_overflows")


class Live:
    """Samples a server until it has ended or the clock says that it is enough."""

    def __init__(
        self, server: WatchedServer, clock: Clock, port: int, interval_s: float, say: Callable[[dict[str, Any]], None]
    ) -> None:
        self._server = server
        self._clock = clock
        self._port = port
        self._say = say
        self._pace = Pace(interval_s, LINE_SHARE)
        self._pss_pace = Pace(interval_s, PSS_SHARE)
        self._by_netlink = listeners.shares_namespace(first=server.first)
        self._tree = Tree()
        self._pss: dict[int, int] = {}
        self._before: Reading = {}
        self._before_unix = 0.0

    def run(self) -> None:
        stopped = False
        while not stopped:
            began_unix, cpu_s = self._clock.unix(), self._clock.cpu_s()
            sample = self._server.processes()
            if sample is not None:
                self._say(self._line(began_unix, sample))
            self._measure_pss(began_unix)
            self._pace.made(began_unix, self._clock.cpu_s() - cpu_s)
            stopped = self._clock.wait(max(0.0, self._pace.due_unix - self._clock.unix()))

    def _line(self, unix: float, sample: Sample) -> dict[str, Any]:
        reading = self._server.cheap()
        group = self._server.control_group()
        before, seconds = self._before, unix - self._before_unix
        self._before, self._before_unix = reading, unix
        grown = {name: difference(before.get(name), reading.get(name)) for name in _GROWING}
        used_us = grown["cpu_used_us"]
        names = ("memory_now_bytes", "memory_peak_bytes", "oom_kills", "pids", "established", "listen_overflows")
        return {
            "schema_version": SCHEMA_VERSION,
            "unix": round(unix, 3),
            "seconds": round(seconds, 3) if before else None,
            "limits": None if group is None else asdict(group.limits()),
            "cpus": None if used_us is None or seconds <= 0 else round(used_us / 1e6 / seconds, 4),
            **{name: reading.get(name) for name in names},
            **self._queue(),
            "since_last": {name: grown[name] for name in _GROWING},
            "tree": self._tree.add(sample, unix, self._pss),
            "unavailable": self._server.unavailable(),
        }

    def _queue(self) -> dict[str, int | None]:
        if self._by_netlink:
            try:
                queue = listeners.read(self._port)
            except OSError:
                self._by_netlink = False  # not allowed here: it will not be later either
            else:
                waiting, limit = (None, None) if queue is None else (queue.waiting, queue.limit)
                return {"accept_queue": waiting, "accept_queue_limit": limit}
        return {"accept_queue": self._server.accept_queue(), "accept_queue_limit": None}

    def _measure_pss(self, now: float) -> None:
        # After the line, for the next one: it takes longer than all the rest.
        if self._pss_pace.is_due(now):
            cpu_s = self._clock.cpu_s()
            self._pss = self._server.pss_by_process(lambda: True) or {}
            self._pss_pace.made(now, self._clock.cpu_s() - cpu_s)


def stop_at_end_of(descriptor: int) -> None:
    """Stop this process as soon as nothing can be read any more: whoever wanted the lines is gone, even if killed."""

    def wait() -> None:
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end", daemon=True).start()
