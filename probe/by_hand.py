"""What a person who watches gets: a line of JSON for each sample, its counters as the growth since the line before."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from probe.growth import OF_TASKS
from probe.growth import difference as grown_between
from probe.processes import Sample
from probe.server import Reading, WatchedServer
from probe.summary import COUNTERS, difference


class Followed:
    """The server, and what the counters of all its tasks have grown by, though tasks come and go."""

    def __init__(self, server: WatchedServer) -> None:
        self._server = server
        self._before: Sample | None = None
        self._grown: dict[str, int | None] = dict.fromkeys(OF_TASKS)

    def cheap(self) -> Reading:
        group = self._server.control_group()
        limits = None if group is None else asdict(group.limits())
        return {"limits": limits, **self._server.cheap()}

    def accept_queue(self) -> int | None:
        return self._server.accept_queue()

    def processes(self) -> Sample | None:
        sample, before = self._server.processes(), self._before
        self._grown = dict.fromkeys(OF_TASKS)
        if before is not None and sample is not None:
            self._grown = grown_between(before.use, sample.use)
        self._before = sample
        return sample

    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None:
        return self._server.pss_bytes(may_go_on)

    def unavailable(self) -> dict[str, str]:
        return self._server.unavailable()

    def grown(self) -> dict[str, int | None]:
        """Each counter in OF_TASKS between the last two samples of the processes; None where it is not known."""
        return self._grown


class Lines:
    """Turns samples into lines, each told to `say`."""

    def __init__(self, grown: Callable[[], dict[str, int | None]], say: Callable[[dict[str, Any]], None]) -> None:
        """`grown`: what the counters of tasks have grown by between the last two samples that saw them."""
        self._grown = grown
        self._say = say
        self._before: dict[str, Any] = {}

    def add(self, sample: dict[str, Any]) -> None:
        line = {name: value for name, value in sample.items() if value is not None and name not in OF_TASKS}
        # Not every sample has processes and threads: the next one that does tells their growth since the last that did.
        counters = {name: sample[name] for name in COUNTERS if name in sample}
        grown = {name: difference(self._before.get(name), value) for name, value in counters.items()}
        if "threads" in sample:
            grown |= self._grown()
        for name, since_last in grown.items():
            line.pop(name, None)
            if since_last is not None:
                line[f"{name}_since_last"] = since_last
        self._before |= counters
        self._say(line)
