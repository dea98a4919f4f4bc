"""What the counters that the kernel keeps for each thread grew by, though threads come and go. Pure.

A number here is of all tasks, ended ones included, or it is None: a part of them would say nothing about the server.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from probe.ended import Ended, NotKnown


class Counted(Protocol):
    """What one thread has done since it began; probe.proc.Task."""

    @property
    def voluntary_switches(self) -> int | None: ...
    @property
    def involuntary_switches(self) -> int | None: ...
    @property
    def run_queue_wait_ns(self) -> int | None: ...


# CPU time and faults are not among them: the control group and the parents of ended processes keep those.
OF_TASKS = ("voluntary_switches", "involuntary_switches", "run_queue_wait_us")
_SILENT = "the kernel does not tell it"
_WAIT_IS_LOST = "threads or processes have ended: the kernel tells it of those alone that are alive"


@dataclass(frozen=True, slots=True)
class Use:
    """What the server has used since it started, by all its tasks. None: not known."""

    voluntary: int | None = None
    involuntary: int | None = None
    # Of the tasks alive, so it is of all tasks between two moments only if `ended` is the same, and settled at both.
    wait_ns: int | None = None
    ended: tuple[int, ...] = ()
    is_settled: bool = True
    why: str = _SILENT  # where something is None


@dataclass(frozen=True, slots=True)
class Churn:
    """Seen to come or go between samples; what came and went between two of them is not seen."""

    processes_appeared: int
    processes_ended: int
    threads_appeared: int
    threads_ended: int


class Seen(Protocol):
    """The server at one moment; probe.processes.Sample."""

    @property
    def processes(self) -> frozenset[tuple[int, int]]: ...
    @property
    def tasks(self) -> Mapping[int, Counted]: ...
    @property
    def use(self) -> Use: ...


class Growth:
    """What the counters grew by from the first sample to the last, and who was seen to come and go."""

    def __init__(self, first: Seen) -> None:
        self._first = first.use
        self._last = first
        self.churn = Churn(0, 0, 0, 0)

    def add(self, sample: Seen) -> None:
        before, after, churn = self._last, sample, self.churn
        self.churn = Churn(
            churn.processes_appeared + len(after.processes - before.processes),
            churn.processes_ended + len(before.processes - after.processes),
            churn.threads_appeared + len(after.tasks.keys() - before.tasks.keys()),
            churn.threads_ended + len(before.tasks.keys() - after.tasks.keys()),
        )
        self._last = sample

    @property
    def difference(self) -> dict[str, int | None]:
        return difference(self._first, self._last.use)

    @property
    def unavailable(self) -> dict[str, str]:
        """Why, for each that is None in the difference."""
        return reasons(self._first, self._last.use)


def whole_sum(values: Iterable[int | None]) -> int | None:
    """None as soon as one of them is not known; also of none at all."""
    values = list(values)
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


class Late:
    """What ended threads did uncounted: those that lived for a moment only, and others on their way out.

    It is known by the kernel's sum over a whole process, which our servers tell every few milliseconds while threads
    end, and only grows.
    """

    def __init__(self) -> None:
        self._of: dict[int, tuple[int, int]] = {}

    def corrected(self, tasks: Mapping[int, Counted], owners: Mapping[int, int], ended: Ended) -> Ended:
        """`ended` with it. `tasks` by thread id with their process in `owners`, read before `ended`."""
        known, self._of = self._of, {}
        slots = list(ended.slots)
        for place, slot in enumerate(slots):
            if not slot.pid or slot.pid in ended.processes:
                continue
            mine = [task for tid, task in tasks.items() if owners[tid] == slot.pid and tid not in ended.threads]
            alive = (whole_sum(t.voluntary_switches for t in mine), whole_sum(t.involuntary_switches for t in mine))
            late = known.get(slot.pid, (0, 0))
            if alive[0] is not None and alive[1] is not None:
                late = (
                    max(late[0], slot.all_voluntary - slot.voluntary - alive[0]),
                    max(late[1], slot.all_involuntary - slot.involuntary - alive[1]),
                )
            self._of[slot.pid] = late
            slots[place] = replace(slot, voluntary=slot.voluntary + late[0], involuntary=slot.involuntary + late[1])
        return replace(ended, slots=tuple(slots))


def total(tasks: Mapping[int, Counted], owners: Mapping[int, int], ended: Ended) -> Use:
    """`tasks` by thread id with their process in `owners`; `ended`: as read after them."""
    alive = [task for tid, task in tasks.items() if tid not in ended.threads and owners.get(tid) not in ended.processes]
    return Use(
        voluntary=_plus(whole_sum(task.voluntary_switches for task in alive), ended.voluntary),
        involuntary=_plus(whole_sum(task.involuntary_switches for task in alive), ended.involuntary),
        wait_ns=whole_sum(task.run_queue_wait_ns for task in alive) if ended.is_settled else None,
        ended=ended.counts,
        is_settled=ended.is_settled,
    )


def of_process(pid: int, tasks: Mapping[int, Counted], tids: Sequence[int], ended: Ended | None) -> Use:
    """The same for one process and its threads `tids`."""
    if ended is None:
        return Use()
    slot = ended.of(pid)
    mine = [tasks[tid] for tid in tids if tid not in ended.threads]
    voluntary, involuntary = (0, 0) if slot is None else (slot.voluntary, slot.involuntary)
    return Use(
        _plus(whole_sum(task.voluntary_switches for task in mine), voluntary),
        _plus(whole_sum(task.involuntary_switches for task in mine), involuntary),
    )


def enough(before: tuple[int, ...], after: tuple[int, ...], ring_size: int) -> None:
    """NotKnown if more ended between two looks than are remembered by their numbers."""
    for one, other in zip(before, after, strict=False):
        if other - one > ring_size:
            raise NotKnown(f"more than {ring_size} tasks ended while the others were looked at")


def _plus(alive: int | None, ended: int) -> int | None:
    return None if alive is None else alive + ended


def grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None or after < before else after - before


def levels(use: Use) -> dict[str, int | None]:
    """Since the server started."""
    wait_ns = None if any(use.ended) else use.wait_ns
    values = (use.voluntary, use.involuntary, None if wait_ns is None else wait_ns // 1000)
    return dict(zip(OF_TASKS, values, strict=True))


def difference(before: Use, after: Use) -> dict[str, int | None]:
    """Between two moments; None where it is not known of all tasks."""
    wait_ns = grown(before.wait_ns, after.wait_ns) if before.ended == after.ended else None
    values = (
        grown(before.voluntary, after.voluntary),
        grown(before.involuntary, after.involuntary),
        None if wait_ns is None else wait_ns // 1000,
    )
    return dict(zip(OF_TASKS, values, strict=True))


def reasons(before: Use, after: Use) -> dict[str, str]:
    """Why, for what the difference does not tell."""
    why = before.why if before.voluntary is None else after.why
    found = {name: why for name, value in difference(before, after).items() if value is None}
    lost = before.ended != after.ended or not (before.is_settled and after.is_settled)
    if "run_queue_wait_us" in found and lost:
        found["run_queue_wait_us"] = _WAIT_IS_LOST
    return found
