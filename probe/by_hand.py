"""What a person who watches gets: a line of JSON for each sample, its counters as the growth since the line before."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from probe.growth import ALIVE_ONLY, Growth
from probe.processes import Sample
from probe.server import Reading, Server
from probe.summary import COUNTERS, difference


class Followed:
    """The server, and what its threads' counters have grown by since the first sample though threads come and go."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._growth: Growth | None = None

    def cheap(self) -> Reading:
        group = self._server.control_group()
        limits = None if group is None else asdict(group.limits())
        return {"limits": limits, **self._server.cheap()}

    def accept_queue(self) -> int | None:
        return self._server.accept_queue()

    def processes(self) -> Sample | None:
        sample = self._server.processes()
        if sample is not None:
            if self._growth is None:
                self._growth = Growth(sample)
            else:
                self._growth.add(sample)
        return sample

    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None:
        return self._server.pss_bytes(may_go_on)

    def unavailable(self) -> dict[str, str]:
        return self._server.unavailable()

    def grown(self) -> dict[str, int | None]:
        """Of each counter in ALIVE_ONLY; None where the kernel does not tell."""
        return dict.fromkeys(ALIVE_ONLY) if self._growth is None else self._growth.difference


class Lines:
    """Turns samples into lines, each told to `say`."""

    def __init__(self, grown: Callable[[], dict[str, int | None]], say: Callable[[dict[str, Any]], None]) -> None:
        """`grown`: what the counters of threads have grown by up to the last sample that saw them."""
        self._grown = grown
        self._say = say
        self._before: dict[str, Any] = {}

    def add(self, sample: dict[str, Any]) -> None:
        line = {name: value for name, value in sample.items() if value is not None and name not in ALIVE_ONLY}
        # Not every sample has processes and threads: the next one that does tells their growth since the last that did.
        counters = {name: sample[name] for name in COUNTERS if name in sample}
        if "threads" in sample:
            counters |= self._grown()
        for name, value in counters.items():
            since_last = difference(self._before.get(name), value)
            line.pop(name, None)
            if since_last is not None:
                line[f"{name}_since_last"] = since_last
        self._before |= counters
        self._say(line)
