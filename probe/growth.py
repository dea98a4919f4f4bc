"""What per-thread counters grew by, though threads come and go. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from probe.processes import Sample, Task

# These are kept by the kernel for each thread and are gone when it ends. What a thread did after it was last seen is
# missing in the sums, so they are lower bounds where threads end. CPU time and faults are not among them: the control
# group and the parents of ended processes keep those.
ALIVE_ONLY = ("voluntary_switches", "involuntary_switches", "run_queue_wait_us")


@dataclass(frozen=True, slots=True)
class Churn:
    """Seen to come or go between samples; what came and went between two of them is not seen."""

    processes_appeared: int
    processes_ended: int
    threads_appeared: int
    threads_ended: int


def totals(tasks: Iterable[Task]) -> dict[str, int | None]:
    """The counters summed over these threads; None where the kernel does not tell them for any."""
    voluntary, involuntary, wait_ns = [], [], []
    for task in tasks:
        voluntary.append(task.voluntary_switches)
        involuntary.append(task.involuntary_switches)
        wait_ns.append(task.run_queue_wait_ns)
    wait = _sum(wait_ns)
    return {
        "voluntary_switches": _sum(voluntary),
        "involuntary_switches": _sum(involuntary),
        "run_queue_wait_us": None if wait is None else wait // 1000,
    }


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _grown(before: int | None, after: int | None) -> int:
    # A counter begins at zero with its thread; one that fell belongs to another thread that got the same number.
    if after is None:
        return 0
    return after - before if before is not None and before <= after else after


_NOTHING = Task(None, None, None)


class Growth:
    """Adds up, from sample to sample, what each thread's counters grew by since the first sample."""

    def __init__(self, first: Sample) -> None:
        self._last = first
        self._sum = dict.fromkeys(ALIVE_ONLY, 0)
        self.churn = Churn(0, 0, 0, 0)

    def add(self, sample: Sample) -> None:
        before, after = self._last, sample
        voluntary = involuntary = wait_ns = 0
        for tid, task in after.tasks.items():
            old = before.tasks.get(tid, _NOTHING)
            voluntary += _grown(old.voluntary_switches, task.voluntary_switches)
            involuntary += _grown(old.involuntary_switches, task.involuntary_switches)
            wait_ns += _grown(old.run_queue_wait_ns, task.run_queue_wait_ns)
        for name, grown in zip(ALIVE_ONLY, (voluntary, involuntary, wait_ns), strict=True):
            self._sum[name] += grown
        churn = self.churn
        self.churn = Churn(
            churn.processes_appeared + len(after.processes - before.processes),
            churn.processes_ended + len(before.processes - after.processes),
            churn.threads_appeared + len(after.tasks.keys() - before.tasks.keys()),
            churn.threads_ended + len(before.tasks.keys() - after.tasks.keys()),
        )
        self._last = sample

    @property
    def difference(self) -> dict[str, int | None]:
        """What the counters grew by. None where the kernel does not tell."""
        known = totals(self._last.tasks.values())
        grown = {**self._sum, "run_queue_wait_us": self._sum["run_queue_wait_us"] // 1000}
        return {name: None if known[name] is None else grown[name] for name in ALIVE_ONLY}
