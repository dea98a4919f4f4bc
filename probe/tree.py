"""The server's processes and threads for a person who watches: what each has done since the sample before. Pure."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from probe.growth import grown, of_process, whole_sum
from probe.proc import Stat, Task, parse_switches, parse_wait_ns
from probe.processes import Sample

# So many processes, and so many threads of all of them together, are told one by one; the others are summed up.
MOST_PROCESSES = 64
MOST_THREADS = 64

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Thread(Task):
    """What one thread is and has done since it began. `cpu_ns` is None where the kernel does not tell."""

    pid: int
    name: str
    state: str  # the letter of proc(5), such as R (runs, or is ready to) and S (sleeps)
    cpu_ns: int | None


def parse_thread(status: bytes, schedstat: bytes) -> Thread:
    """One thread out of the two files that every sample reads of it anyway."""
    words = schedstat.split(None, 1)
    cpu_ns = int(words[0]) if words else None
    pid = _line(status, b"\nTgid:")
    state = _line(status, b"\nState:")
    name = status[len(b"Name:") : status.find(b"\n")].strip().decode(errors="replace")
    return Thread(*parse_switches(status), parse_wait_ns(schedstat), int(pid or 0), name, state[:1].decode(), cpu_ns)


def _line(text: bytes, name: bytes) -> bytes:
    at = text.find(name)
    return b"" if at < 0 else text[at + len(name) : text.find(b"\n", at + 1)].strip()


@dataclass(frozen=True, slots=True)
class Use:
    """Between two samples: nanoseconds of CPU time, and context switches. None: not known."""

    cpu_ns: int | None
    voluntary: int | None
    involuntary: int | None


_UNKNOWN = Use(None, None, None)


def added(uses: Iterable[Use]) -> Use:
    """All of them together; not known as soon as it is not known of one."""
    uses = list(uses)
    return Use(
        whole_sum(use.cpu_ns for use in uses),
        whole_sum(use.voluntary for use in uses),
        whole_sum(use.involuntary for use in uses),
    )


def _grown(before: int | None, after: int | None) -> int | None:
    # A counter begins at zero with its thread; one that fell belongs to another thread that got the same number.
    if after is None:
        return None
    return after - before if before is not None and before <= after else after


class Tree:
    """Turns samples whose tasks are `Thread`s into trees, each with the use since the sample before."""

    def __init__(self) -> None:
        self._before: Sample | None = None
        self._before_unix = 0.0

    def add(self, sample: Sample, unix: float, pss: dict[int, int]) -> dict[str, Any]:
        """The tree now: `processes` in detail, `more_processes` summed up. Rates are None in the first one.

        `pss`: bytes by PID, as of whenever it was measured.
        """
        before, seconds = self._before, unix - self._before_unix
        self._before, self._before_unix = sample, unix
        threads = _threads(sample)
        uses = {tid: _UNKNOWN if before is None else _use(before.tasks.get(tid), task) for tid, task in threads.items()}
        of_process, of_before = _by_process(sample), {} if before is None else _by_process(before)
        totals = {
            pid: _total(pid, tids, of_before.get(pid, []), sample, before, uses) for pid, tids in of_process.items()
        }
        told = sorted(_busiest(totals, MOST_PROCESSES))
        many = [tid for pid in told if len(of_process[pid]) > 1 for tid in of_process[pid]]
        told_threads = set(_busiest({tid: uses[tid] for tid in many}, MOST_THREADS))
        rest = [pid for pid in totals if pid not in set(told)]

        def rates(use: Use) -> dict[str, float | None]:
            return _rates(use, seconds)

        def process(pid: int) -> dict[str, Any]:
            stat, tids = sample.stats[pid], sorted(of_process[pid])
            shown = [tid for tid in tids if tid in told_threads]
            hidden = [tid for tid in tids if tid not in told_threads] if len(tids) > 1 else []
            return {
                "pid": pid,
                "parent": stat.parent,
                "name": threads[pid].name if pid in threads else "",
                "state": _state(stat, [threads[tid] for tid in tids]),
                **rates(totals[pid]),
                "rss_bytes": stat.rss_bytes,
                "pss_bytes": pss.get(pid),
                "threads_count": stat.threads,
                "threads": [
                    {"tid": tid, "name": threads[tid].name, "state": threads[tid].state, **rates(uses[tid])}
                    for tid in shown
                ],
                "more_threads": {
                    "count": len(hidden),
                    "running": sum(threads[tid].state == "R" for tid in hidden),
                    **rates(added(uses[tid] for tid in hidden)),
                },
            }

        return {
            "processes_count": len(sample.processes),
            "threads_count": sample.threads,
            **rates(_of_all(sample, before, totals)),
            "rss_bytes": sample.rss_bytes,
            "pss_bytes": sum(pss.get(pid, 0) for pid in totals) if pss else None,
            "processes": [process(pid) for pid in told],
            "more_processes": {
                "count": len(rest),
                "running": sum(sample.stats[pid].state == "R" for pid in rest),
                "rss_bytes": sum(sample.stats[pid].rss_bytes for pid in rest),
                **rates(added(totals[pid] for pid in rest)),
            },
        }


def _state(stat: Stat, threads: list[Thread]) -> str:
    """Of a process: R as soon as one of its threads is."""
    return "R" if any(thread.state == "R" for thread in threads) else stat.state


def _use(before: Task | None, after: Thread) -> Use:
    old_ns = before.cpu_ns if isinstance(before, Thread) else None
    return Use(
        _grown(old_ns, after.cpu_ns),
        _grown(before.voluntary_switches if before else None, after.voluntary_switches),
        _grown(before.involuntary_switches if before else None, after.involuntary_switches),
    )


def _threads(sample: Sample) -> dict[int, Thread]:
    return {tid: task for tid, task in sample.tasks.items() if isinstance(task, Thread)}


def _by_process(sample: Sample) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {pid: [] for pid in sample.stats}
    for tid, task in _threads(sample).items():
        if task.pid in found:
            found[task.pid].append(tid)
    return found


def _of_all(sample: Sample, before: Sample | None, totals: dict[int, Use]) -> Use:
    """Of the server: its switches with those of processes that are no longer there."""
    if before is None:
        return _UNKNOWN
    cpu_ns = added(totals.values()).cpu_ns
    return Use(
        cpu_ns,
        grown(before.use.voluntary, sample.use.voluntary),
        grown(before.use.involuntary, sample.use.involuntary),
    )


def _total(
    pid: int, tids: list[int], tids_before: list[int], sample: Sample, before: Sample | None, uses: dict[int, Use]
) -> Use:
    """Of a process with what its ended threads did: CPU time at least as its own clock has it, which keeps theirs."""
    if before is None:
        return _UNKNOWN
    alive_ns, stat, old = added(uses[tid] for tid in tids).cpu_ns, sample.stats[pid], before.stats.get(pid)
    is_same = old is not None and old.started == stat.started
    old_ticks = old.cpu_ticks if old is not None and is_same else 0
    ticks_ns = (stat.cpu_ticks - old_ticks) * _TICK_NS
    # The clock has steps of 10 ms: below a few of those the threads' own is the better one.
    cpu_ns = alive_ns if alive_ns is not None and ticks_ns - alive_ns < 3 * _TICK_NS else ticks_ns
    now = of_process(pid, sample.tasks, tids, sample.ended)
    if not is_same:  # it began in between
        return Use(cpu_ns, now.voluntary, now.involuntary)
    then = of_process(pid, before.tasks, tids_before, before.ended)
    return Use(cpu_ns, grown(then.voluntary, now.voluntary), grown(then.involuntary, now.involuntary))


def _busiest(uses: dict[int, Use], most: int) -> list[int]:
    """The most used by CPU time, and PID 1 in any case."""
    if len(uses) <= most:
        return list(uses)
    return sorted(uses, key=lambda number: (number != 1, -(uses[number].cpu_ns or 0), number))[:most]


def _rates(use: Use, seconds: float) -> dict[str, float | None]:
    def per_second(value: int | None, scale: float, digits: int) -> float | None:
        return None if value is None or seconds <= 0 else round(value / scale / seconds, digits)

    return {
        "cpus": per_second(use.cpu_ns, 1e9, 4),
        "voluntary_per_s": per_second(use.voluntary, 1, 1),
        "involuntary_per_s": per_second(use.involuntary, 1, 1),
    }
