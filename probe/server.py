"""Everything there is to see of one server, as flat readings."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from probe import cgroup
from probe.ended import Memory
from probe.files import why
from probe.growth import OF_TASKS, levels
from probe.proc import Task, parse_task
from probe.processes import Processes, Sample
from probe.sockets import Sockets

Reading = dict[str, Any]
"""Counters and levels by name; None: not available."""

DETAILS = (
    "processes",
    "threads",
    "minor_faults",
    "major_faults",
    "rss_bytes",
    *OF_TASKS,
)


class WatchedServer:
    """The server of this first process, which is PID 1 in a PID namespace that is the server's alone."""

    def __init__(
        self,
        port: int,
        open_files: int,
        proc: Path = Path("/proc"),
        parse_task: Callable[[bytes, bytes], Task] = parse_task,
        memory: Memory | None = None,
        first: int = 1,
    ) -> None:
        self.first = first
        self._proc = proc
        self._group: cgroup.ControlGroup | None = None
        self._no_group = ""
        self._sockets = Sockets(proc, port, first)
        self._processes = Processes(proc, open_files, parse_task, memory, first)

    def control_group(self) -> cgroup.ControlGroup | None:
        # Looked for until it is found: a container that just starts is root's for a moment, and out of sight.
        if self._group is None:
            try:
                self._group = cgroup.find(self._proc, self.first)
            except OSError as error:
                self._no_group = f"control group: {why(error)}"
        return self._group

    def cheap(self) -> Reading:
        """Control group and sockets: the same few files whatever the server does."""
        group = self.control_group()
        counters = cgroup.NOTHING if group is None else group.read()
        # Not dataclasses.asdict, which copies deeply and takes as long as the reading itself.
        reading: Reading = {name: getattr(counters, name) for name in cgroup.NAMES}
        return reading | asdict(self._sockets.read())

    def accept_queue(self) -> int | None:
        return self._sockets.accept_queue()

    def processes(self) -> Sample | None:
        return self._processes.read()

    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None:
        return self._processes.pss_bytes(may_go_on)

    def pss_by_process(self, may_go_on: Callable[[], bool]) -> dict[int, int] | None:
        return self._processes.pss_by_process(may_go_on)

    def unavailable(self) -> dict[str, str]:
        """Why, for everything that was last found not available."""
        processes = self._processes.unavailable
        reasons = {name: processes.get("processes", "the kernel does not tell it") for name in DETAILS}
        reasons |= self._sockets.unavailable | processes
        group = dict.fromkeys(cgroup.NAMES, self._no_group) if self._group is None else self._group.unavailable
        return reasons | group


def details(sample: Sample | None) -> Reading:
    """A sample of the processes as readings."""
    if sample is None:
        return dict.fromkeys(DETAILS)
    return {
        "processes": len(sample.processes),
        "threads": sample.threads,
        "minor_faults": sample.minor_faults,
        "major_faults": sample.major_faults,
        "rss_bytes": sample.rss_bytes,
        **levels(sample.use),
    }
