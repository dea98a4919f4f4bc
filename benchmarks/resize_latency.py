"""How long until a new CPU limit shows in the CPU used.

    python -m benchmarks.resize_latency [--changes N] [--low CPUS] [--high CPUS]

A server's container in which one process spins has its quota set up and down in turns. Its control group's counter of
CPU time is read every 20 ms from here. The new limit shows once the last 100 ms, which is the period of the quota, hold
more (after a change up) or less (down) than the mean of the two limits. The times begin with the command that sets it.
"""

import argparse
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import Spread, Table, as_json, from_json, print_table
from benchmarks.probe_cost import container, docker
from benchmarks.subjects import SEQUENTIAL
from probe.cgroup import SOURCES
from testbed.names import image_name
from testbed.stack.resizing import set_limits

SAMPLE_S = 0.02
# The engine's quotas are of this period.
PERIOD_S = 0.1
# From a change to the next, so that each begins from a quota that has long been in force.
SETTLED_S = 1.0
SPIN = ("--entrypoint", "python3", image_name(SEQUENTIAL), "-c", "while True: pass")

Sample = tuple[float, int]
"""Seconds, and CPU time so far in microseconds."""


@dataclass(frozen=True)
class Change:
    """One change of the limit. All in seconds from the start of the command."""

    up: bool
    returned_s: float
    shown_s: float | None


def counter(pid: int) -> Path:
    """The file that counts the CPU time of a container, by its first process, as the container itself has it."""
    root = Path(f"/proc/{pid}/root/sys/fs/cgroup")
    version = 2 if (root / "cgroup.controllers").exists() else 1
    return root / SOURCES[version]["cpu_used_us"]


def used_us(path: Path) -> int:
    """CPU time in microseconds."""
    text = path.read_text(encoding="ascii")
    return int(text) // 1000 if path.name == "cpuacct.usage" else int(text.split()[1])


def shown_s(samples: Sequence[Sample], began_s: float, middle_cpus: float, up: bool) -> float | None:
    """When the last period holds more than so many CPUs, or less. None where it never does. Pure."""
    for place, (at_s, used) in enumerate(samples):
        before = [one for one in samples[:place] if one[0] <= at_s - PERIOD_S]
        if not before or at_s < began_s:
            continue
        since_s, then = before[-1]
        cpus = (used - then) / 1e6 / (at_s - since_s)
        if (cpus > middle_cpus) == up:
            return at_s - began_s
    return None


def _sampled(path: Path, stop: threading.Event, samples: list[Sample]) -> None:
    due = time.monotonic()
    while not stop.is_set():
        samples.append((time.monotonic(), used_us(path)))
        due += SAMPLE_S
        time.sleep(max(0.0, due - time.monotonic()))


def changed(name: str, path: Path, cpus: float, other: float) -> Change:
    """Set the limit to `cpus`, which was `other`, and look when it shows."""
    samples: list[Sample] = []
    stop = threading.Event()
    sampler = threading.Thread(target=_sampled, args=(path, stop, samples))
    sampler.start()
    try:
        time.sleep(2 * PERIOD_S)
        began = time.monotonic()
        set_limits(name, cpus=cpus)
        returned = time.monotonic()
        time.sleep(SETTLED_S)
    finally:
        stop.set()
        sampler.join()
    up = cpus > other
    return Change(up, returned - began, shown_s(samples, began, (cpus + other) / 2, up))


def measure(changes: int = 20, low: float = 0.2, high: float = 0.8) -> dict[str, Any]:
    """A row for the changes up and one for those down: ms until the command returned, and until the limit showed."""
    found: list[Change] = []
    with container("--no-healthcheck", "--network", "none", "--cpus", f"{low}", *SPIN) as name:
        path = counter(int(docker("inspect", "--format", "{{.State.Pid}}", name)))
        _look_that_it_spins(path, low)
        for turn in range(changes):
            was, to = (low, high) if turn % 2 == 0 else (high, low)
            found.append(changed(name, path, to, was))
    rows = tuple(
        _row(words, [change for change in found if change.up == up])
        for up, words in ((True, f"{low:g} to {high:g} CPUs"), (False, f"{high:g} to {low:g} CPUs"))
    )
    command = f"python -m benchmarks.resize_latency --changes {changes} --low {low:g} --high {high:g}"
    columns = ("change", "changes", "command returned", "shows in the CPU used", "never showed")
    notes = ("shows: the last 100 ms hold more, or less, than the mean of the two limits; sampled every 20 ms",)
    return as_json(
        Table("resize_latency", command, "ms since the command began, median and range", columns, rows, notes)
    )


def _look_that_it_spins(path: Path, cpus: float) -> None:
    """RuntimeError where what is in the container does not use up its limit: then no change of it can show."""
    used, began = used_us(path), time.monotonic()
    time.sleep(SETTLED_S)
    found = (used_us(path) - used) / 1e6 / (time.monotonic() - began)
    if found < cpus / 2:
        raise RuntimeError(f"the container uses {found:.2f} CPUs of a limit of {cpus:g}: it does not spin")


def _row(words: str, changes: Sequence[Change]) -> tuple[str, int, Spread, Spread | None, int]:
    shown = [1000 * change.shown_s for change in changes if change.shown_s is not None]
    return (
        words,
        len(changes),
        Spread.of(1000 * change.returned_s for change in changes),
        Spread.of(shown) if shown else None,
        len(changes) - len(shown),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resize_latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--low", type=float, default=0.2)
    parser.add_argument("--high", type=float, default=0.8)
    arguments = parser.parse_args()
    print_table(from_json(measure(arguments.changes, arguments.low, arguments.high)))


if __name__ == "__main__":
    main()
