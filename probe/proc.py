"""What files of /proc say of one process or one thread. Pure.

Sources: proc(5), and the kernel's scheduler/sched-stats.rst and filesystems/proc.rst.
"""

import os
from dataclasses import dataclass

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Stat:
    """What is used of `/proc/PID/stat`. Faults of a process's reaped children stay with it."""

    parent: int
    state: str
    minor_faults: int
    major_faults: int
    threads: int
    cpu_ticks: int  # of all its threads, those that have ended too, but of no other process
    started: int  # clock ticks since boot: with the PID it names a process for good
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """What one thread has done since it began. None: the kernel does not tell."""

    voluntary_switches: int | None
    involuntary_switches: int | None
    run_queue_wait_ns: int | None


def parse_stat(content: bytes) -> Stat:
    # The name may hold spaces and parentheses: the last one closes it.
    words = content[content.rindex(b")") + 2 :].split()
    return Stat(
        parent=int(words[1]),
        state=words[0].decode(),
        minor_faults=int(words[7]) + int(words[8]),
        major_faults=int(words[9]) + int(words[10]),
        threads=int(words[17]),
        cpu_ticks=int(words[11]) + int(words[12]),
        started=int(words[19]),
        rss_bytes=int(words[21]) * _PAGE_BYTES,
    )


def parse_switches(status: bytes) -> tuple[int | None, int | None]:
    """Voluntary and involuntary context switches: the last two lines of `/proc/PID/task/TID/status`."""
    return _after(status, b"\nvoluntary_ctxt_switches:"), _after(status, b"\nnonvoluntary_ctxt_switches:")


def _after(text: bytes, name: bytes) -> int | None:
    at = text.rfind(name)
    return None if at < 0 else int(text[at + len(name) :].split(b"\n", 1)[0])


def parse_wait_ns(schedstat: bytes) -> int | None:
    """Nanoseconds that a task was able to run and had to wait for a CPU."""
    words = schedstat.split()
    return int(words[1]) if len(words) >= 2 else None


def parse_task(status: bytes, schedstat: bytes) -> Task:
    """One thread out of its `status` and its `schedstat`, which is empty where the kernel has none."""
    voluntary, involuntary = parse_switches(status)
    return Task(voluntary, involuntary, parse_wait_ns(schedstat))


def parse_pss(rollup: bytes) -> int | None:
    """Proportional set size: shared pages are divided among those who share them."""
    kilobytes = _after(rollup.replace(b" kB", b""), b"\nPss:")
    return None if kilobytes is None else kilobytes * 1024
