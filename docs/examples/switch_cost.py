#!/usr/bin/env python3
"""What a switch between two threads costs, and one between two processes, on one core.

Parties in a ring pass a byte on, each through a pipe to the next. On one core each pass needs a switch: who has
written waits until the byte is back, so another one must run. A party that is alone and passes the byte to itself makes
the same system calls and no switch: the difference is the switch with its wake-up. Standard library, Linux.
"""

import argparse
import itertools
import mmap
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

WAYS = ("alone", "threads", "processes")
# Not measured: the first passes copy pages after a fork, and fill buffers and caches.
WARM_UP_PASSES = 200
LINE_BYTES = 64
# Sixteen times as many translations have room in the second-level TLB of today's server processors.
PAGES = 128

Touch = Callable[[], object]


class Passes(NamedTuple):
    """What one party saw of its passes."""

    ns: int
    voluntary: int
    involuntary: int


class Run(NamedTuple):
    """Per pass of the byte."""

    ns: float
    voluntary: float
    involuntary: float


# --- what a party does between taking the byte and giving it: one call into C, however much it reads ---


def nothing() -> Touch:
    return lambda: None


def lines_of_pages(pages: int) -> Touch:
    """Reads one cache line in each of so many pages of a new buffer: an address translation each, hardly any data."""
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)  # a few huge pages would need a few translations only
    memory.write(b"x" * len(memory))
    # A page and a line further each time: the same line of every page would compete for a few places in the cache.
    return memoryview(memory)[:: mmap.PAGESIZE + LINE_BYTES].tobytes


def every_line(size_bytes: int) -> Touch:
    """Reads all of a new buffer."""
    return scan(b"x" * size_bytes)


def scan(data: bytes) -> Touch:
    return lambda: data.find(b"y")


# --- passing the byte ---


def pass_on(passes: int, take: int, give: int, touch: Touch, first: bool = False) -> Passes:
    if first:
        os.write(give, b"x")
    start_ns, before = 0, None
    for done in range(WARM_UP_PASSES + passes):
        if done == WARM_UP_PASSES:
            start_ns, before = time.perf_counter_ns(), resource.getrusage(resource.RUSAGE_THREAD)
        os.read(take, 1)
        touch()
        os.write(give, b"x")
    ns, after = time.perf_counter_ns() - start_ns, resource.getrusage(resource.RUSAGE_THREAD)
    assert before is not None
    return Passes(ns, after.ru_nvcsw - before.ru_nvcsw, after.ru_nivcsw - before.ru_nivcsw)


def run(way: str, parties: int, passes: int, make_touch: Callable[[], Touch]) -> Run:
    """The byte goes round a ring of `parties`, `passes` times from one to the next; alone: of one."""
    parties = 1 if way == "alone" else parties
    pipes = [os.pipe() for _ in range(parties)]
    told, tell = os.pipe()
    others: list[threading.Thread] = []
    children: list[int] = []

    def party(number: int) -> Passes:
        take, give = pipes[number][0], pipes[(number + 1) % parties][1]
        return pass_on(passes // parties, take, give, make_touch(), first=number == 0)

    def other(number: int) -> None:
        os.write(tell, b"%d %d %d\n" % party(number))

    for number in range(1, parties):
        if way == "threads":
            others.append(threading.Thread(target=other, args=(number,)))
            others[-1].start()
            continue
        child = os.fork()
        if child == 0:
            other(number)
            os._exit(0)
        children.append(child)
    ours = party(0)
    for thread in others:
        thread.join()
    for child in children:
        os.waitpid(child, 0)
    os.close(tell)
    with os.fdopen(told) as lines:
        every = [ours, *(Passes(*map(int, line.split())) for line in lines)]
    for end in itertools.chain(*pipes):
        os.close(end)
    voluntary, involuntary = sum(one.voluntary for one in every), sum(one.involuntary for one in every)
    return Run(ours.ns / passes, voluntary / passes, involuntary / passes)


# --- the report ---


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def report(title: str, rounds: int, parties: int, passes: int, make_touch: Callable[[], Touch]) -> None:
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(rounds):  # in turn, so that what disturbs the machine for a while disturbs all three
        for way in WAYS:
            runs[way].append(run(way, parties, passes, make_touch))
    print(f"\n{title}")
    print(f"{'':11}{'ns a pass':>28}{'ns a switch':>25}   switches a pass")
    cost = {}
    for way in WAYS:
        cost[way] = [
            (one.ns - lone.ns) / max(1.0, one.voluntary + one.involuntary)
            for one, lone in zip(runs[way], runs["alone"], strict=True)
        ]
        voluntary = statistics.median(one.voluntary for one in runs[way])
        involuntary = statistics.median(one.involuntary for one in runs[way])
        switch = "" if way == "alone" else spread(cost[way])
        print(
            f"{way:11}{spread([one.ns for one in runs[way]]):>28}{switch:>25}"
            f"   {voluntary:.2f} voluntary, {involuntary:.2f} involuntary"
        )
    more = [theirs - ours for ours, theirs in zip(cost["threads"], cost["processes"], strict=True)]
    ratio = statistics.median(cost["processes"]) / statistics.median(cost["threads"])
    print(f"process over thread: {ratio:.2f}; a process switch takes {spread(more)} ns more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="default %(default)s")
    parser.add_argument("--passes", type=int, default=20_000, help="in a round (default %(default)s)")
    options = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    print(f"Python {sys.version.split()[0]}, core {core}; median (least to most) of {options.rounds} rounds")
    rounds, passes = options.rounds, options.passes
    report("A. two only pass the byte", rounds, 2, passes, nothing)
    for parties in (2, 4, 8, 16):
        title = f"B. {parties}, each reads a line in each of {PAGES} pages of its own"
        report(title, rounds, parties, passes // 2, lambda: lines_of_pages(PAGES))
    report("C. two, each reads 768 KiB of its own", rounds, 2, passes // 10, lambda: every_line(768 * 1024))


if __name__ == "__main__":
    main()
