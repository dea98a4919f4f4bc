"""The server's processes and threads out of /proc, whatever else shares the PID namespace.

Raw reading instead of psutil, which opens and parses every file anew: see probe/files.py for the budget that asks for
it.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from probe.ended import RING_SIZE, Ended, Memory, NotKnown
from probe.files import KeptFile, read_file, why
from probe.growth import OF_TASKS, Late, Use, enough, total
from probe.proc import Stat, Task, parse_pss, parse_stat, parse_task

# Left for everything that is not a process's file.
_SPARE_FILES = 64
# More are forgotten and looked at again: health checks come and go for as long as a server runs.
_MAX_STRANGERS = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The server's processes at one moment."""

    processes: frozenset[tuple[int, int]]  # (PID, started), without those that have ended and wait to be reaped
    threads: int
    minor_faults: int
    major_faults: int
    # Counts what processes share once for each, and from counters that the kernel brings up to date now and then: some
    # hundred KiB may be missing. PSS is exact in both.
    rss_bytes: int
    tasks: dict[int, Task]  # by thread id
    stats: dict[int, Stat] = field(default_factory=dict)  # by PID, also of those that wait to be reaped
    use: Use = field(default_factory=Use)
    ended: Ended | None = None  # None: not known


class _Files:
    """The files of one task that every detail sample reads."""

    __slots__ = ("schedstat", "status")

    def __init__(self, directory: str, keep: bool) -> None:
        self.status = KeptFile(f"{directory}/status", keep)
        self.schedstat = KeptFile(f"{directory}/schedstat", keep)

    def close(self) -> None:
        self.status.close()
        self.schedstat.close()


class _Process:
    __slots__ = ("started", "stat", "tasks")

    def __init__(self, directory: str, started: int, keep: bool) -> None:
        self.stat = KeptFile(f"{directory}/stat", keep)
        self.started = started
        self.tasks: dict[int, _Files] = {}

    def close(self) -> None:
        self.stat.close()
        for files in self.tasks.values():
            files.close()


class Processes:
    """The processes in the control group of the first one, except those that were brought in from outside it.

    A shared PID namespace shows more than the server: the probe itself, other sidecars, and what `docker exec` or a
    health check runs in the server's container. The control group tells the first two apart; the last has a parent
    outside the namespace, which is shown as 0, and so is told apart by descent. A process that ends while it is looked
    at is normal and left out.
    """

    def __init__(
        self,
        proc: Path,
        open_files: int,
        parse_task: Callable[[bytes, bytes], Task] = parse_task,
        memory: Memory | None = None,
        first: int = 1,
    ) -> None:
        self._first = first
        self._proc = os.fspath(proc)
        self._memory = memory or Memory(proc, first=first)
        self._late = Late()
        self._parse_task = parse_task
        self._open_files = open_files - _SPARE_FILES
        self._room = 0
        self._known: dict[int, _Process] = {}
        self._strangers: dict[int, int] = {}  # PID to when it started
        self._group: bytes | None = None
        self.unavailable: dict[str, str] = {}

    def read(self) -> Sample | None:
        """Every process and thread now. None, and why in `unavailable`, where the first process cannot be seen."""
        self._room = self._open_files - sum(1 + 2 * len(process.tasks) for process in self._known.values())
        stats = dict(self._stats())
        for pid in self._known.keys() - stats.keys():
            self._known.pop(pid).close()
        if self._first not in stats:
            self.unavailable["processes"] = f"PID {self._first} has ended or cannot be seen"
            return None
        server = _descendants(stats, self._first)
        tasks: dict[int, Task] = {}
        owners: dict[int, int] = {}
        before = self._counts()
        for pid in server:
            self._read_tasks(pid, stats[pid].threads, tasks)
            owners.update(dict.fromkeys(self._known[pid].tasks, pid))
        ended = self._read_ended(before)
        if isinstance(ended, Ended):
            ended = self._late.corrected(tasks, owners, ended)
            use = total(tasks, owners, ended)
            for name in OF_TASKS:
                self.unavailable.pop(name, None)
        else:
            use = Use(why=ended)
            self.unavailable |= dict.fromkeys(OF_TASKS, ended)
        alive = [pid for pid in server if stats[pid].state not in "ZX"]
        return Sample(
            processes=frozenset((pid, stats[pid].started) for pid in alive),
            threads=sum(stats[pid].threads for pid in alive),
            minor_faults=sum(stats[pid].minor_faults for pid in server),
            major_faults=sum(stats[pid].major_faults for pid in server),
            rss_bytes=sum(stats[pid].rss_bytes for pid in alive),
            tasks=tasks,
            stats={pid: stats[pid] for pid in server},
            use=use,
            ended=ended if isinstance(ended, Ended) else None,
        )

    def _counts(self) -> tuple[int, ...] | None:
        try:
            return self._memory.counts()
        except NotKnown:  # the reading afterwards says why
            return None

    def _read_ended(self, before: tuple[int, ...] | None) -> Ended | str:
        """What ended tasks have used, now that those alive were read; or why it is not known."""
        try:
            ended = self._memory.read()
            if before is not None:
                enough(before, ended.counts, RING_SIZE)
        except NotKnown as reason:
            return str(reason)
        # The threads of a process that is killed vanish uncounted; all of them are counted once it is reaped.
        for slot in ended.slots[2:]:
            if slot.pid and slot.pid not in ended.processes and not self._is_alive(slot.pid):
                return f"the worker {slot.pid} has just ended and was not reaped yet"
        return ended

    def _is_alive(self, pid: int) -> bool:
        try:
            return parse_stat(read_file(f"{self._proc}/{pid}/stat")).state not in "ZX"
        except (OSError, ValueError):
            return False

    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None:
        """The PSS of the processes that the last sample saw; None if it may not be told or may not go on to the end."""
        by_process = self.pss_by_process(may_go_on)
        return None if by_process is None else sum(by_process.values())

    def pss_by_process(self, may_go_on: Callable[[], bool]) -> dict[int, int] | None:
        """The same for each PID. Never empty.

        The kernel walks every page table for it, about 0.3 ms for a small Python process: not for the hot path.
        """
        found: dict[int, int] = {}
        for pid in list(self._known):
            if not may_go_on():
                self.unavailable["pss_bytes"] = "no time to measure it before the edge of the window"
                return None
            try:
                pss = parse_pss(read_file(f"{self._proc}/{pid}/smaps_rollup"))
            except PermissionError as error:
                self.unavailable["pss_bytes"] = f"smaps_rollup: {why(error)}"
                return None
            except OSError:  # ended, or a kernel without the file, which then shows for each
                continue
            if pss:
                found[pid] = pss
        if not found:
            self.unavailable["pss_bytes"] = "the kernel does not tell it in smaps_rollup"
        return found or None

    def _stats(self) -> Iterator[tuple[int, Stat]]:
        """PID and stat of every process in the server's control group."""
        for name in os.listdir(self._proc):  # noqa: PTH208 - names are wanted, and fast
            if not name.isdecimal():
                continue
            pid = int(name)
            try:
                stat = self._stat(pid)
            except (OSError, ValueError):  # ended; an empty stat is how that shows in between
                continue
            if stat is not None:
                yield pid, stat

    def _stat(self, pid: int) -> Stat | None:
        process = self._known.get(pid)
        if process is not None:
            with contextlib.suppress(OSError):
                stat = parse_stat(process.stat.read())
                if stat.started == process.started:
                    return stat
            self._known.pop(pid).close()  # it ended; the PID may belong to another one since
        directory = f"{self._proc}/{pid}"
        stat = parse_stat(read_file(f"{directory}/stat"))
        if self._strangers.get(pid) == stat.started:
            return None
        if not self._is_servers(pid):
            if len(self._strangers) >= _MAX_STRANGERS:
                self._strangers.clear()
            self._strangers[pid] = stat.started
            return None
        self._known[pid] = _Process(directory, stat.started, self._take_room(1))
        return stat

    def _is_servers(self, pid: int) -> bool:
        # Equal to what the first process shows, not equal to a name: on version 2 the path is told relative to the
        # reader's own control group namespace, the same way for all of the server's processes.
        if self._group is None:
            self._group = read_file(f"{self._proc}/{self._first}/cgroup")
        return pid != os.getpid() and read_file(f"{self._proc}/{pid}/cgroup") == self._group

    def _take_room(self, files: int) -> bool:
        """Whether that many more files may be kept open. What may not is opened for each reading: slower, not wrong."""
        if fits := files <= self._room:
            self._room -= files
        return fits

    def _read_tasks(self, pid: int, threads: int, tasks: dict[int, Task]) -> None:
        process = self._known[pid]
        tids = {pid}
        if threads > 1:
            try:
                tids = {int(name) for name in os.listdir(f"{self._proc}/{pid}/task")}  # noqa: PTH208
            except OSError:
                return
        for tid in process.tasks.keys() - tids:
            process.tasks.pop(tid).close()
        for tid in tids - process.tasks.keys():
            process.tasks[tid] = _Files(f"{self._proc}/{pid}/task/{tid}", self._take_room(2))
        for tid, files in process.tasks.items():
            task = self._task(files)
            if task is not None:
                tasks[tid] = task

    def _task(self, files: _Files) -> Task | None:
        try:
            status = files.status.read()
        except OSError:  # it ended
            return None
        try:
            schedstat = files.schedstat.read()
        except OSError:
            schedstat = b""
        return self._parse_task(status, schedstat)


def _descendants(stats: dict[int, Stat], first: int) -> list[int]:
    """The first process, and every PID that does not descend from a process with a parent outside the namespace."""
    from_outside: dict[int, bool] = {0: True, first: False}

    def is_from_outside(pid: int) -> bool:
        path = []
        while pid not in from_outside:
            path.append(pid)
            # A parent that is not listed has just ended, or is PID 1 and none of the server's: the children are.
            pid = stats[pid].parent if pid in stats else first
        for each in path:
            from_outside[each] = from_outside[pid]
        return from_outside[pid]

    return [pid for pid in stats if not is_from_outside(pid)]
