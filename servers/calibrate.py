"""``python -m servers.calibrate [SECONDS] [KIND ...]`` measures how much work this machine does in a millisecond.

KIND is ``spin`` or ``hash``, by default both; they take turns over the same seconds.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import median

from servers.work import hash_rounds, spin

SECONDS = 2.0
# As a server does it: calls of half a millisecond to a few, as sweeps ask for them, one after the other. A sample is
# some ten milliseconds of them, so that neither the clock nor one interrupt decides it.
UNITS = 1_000
ROUNDS = 4_000
CALLS = 20

KINDS: dict[str, tuple[Callable[[int], object], int, str]] = {
    "spin": (spin, UNITS, "spin_units_per_ms"),
    "hash": (hash_rounds, ROUNDS, "hash_rounds_per_ms"),
}


def calibrate(
    seconds: float = SECONDS,
    kinds: Sequence[str] = tuple(KINDS),
    cpu_ns: Callable[[], int] = time.thread_time_ns,
    wall_s: Callable[[], float] = time.monotonic,
) -> dict[str, object]:
    """Amounts per millisecond of CPU time, sampled for ``seconds`` on each processor that this process may use in turn.

    ``spin_units_per_ms`` is the typical speed, the median: so much work is what a millisecond is meant to be. A virtual
    machine's speed moves within seconds, up as well as down, and work sized by its fastest moment takes longer at all
    others. ``fastest_spin_units_per_ms`` is that moment: no request can have taken less than its units at this speed.
    """
    samples: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind in kinds:
        # Lets the interpreter specialise the loop, as it has in a server that is warmed up.
        _sample(kind, cpu_ns)
    allowed = os.sched_getaffinity(0)
    turns = cycle(sorted(allowed))
    end = wall_s() + seconds
    try:
        while not all(samples.values()) or wall_s() < end:
            os.sched_setaffinity(0, {next(turns)})
            for kind in kinds:
                samples[kind].append(_sample(kind, cpu_ns))
    finally:
        os.sched_setaffinity(0, allowed)
    found: dict[str, object] = {"seconds": seconds}
    for kind, values in samples.items():
        name = KINDS[kind][2]
        found[name] = round(median(values), 1)
        found[f"fastest_{name}"] = round(max(values), 1)
        found["samples" if kind == "spin" else f"{kind}_samples"] = [round(value, 1) for value in values]
    return found


def _sample(kind: str, cpu_ns: Callable[[], int]) -> float:
    """The amount per millisecond over CALLS calls."""
    work, amount, _ = KINDS[kind]
    start = cpu_ns()
    for _ in range(CALLS):
        work(amount)
    return CALLS * amount / ((cpu_ns() - start) / 1_000_000)


def main(words: Sequence[str]) -> int:
    seconds, kinds = float(words[0]) if words else SECONDS, words[1:] or tuple(KINDS)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        print(f"calibrate: found {unknown[0]!r}, allowed: {', '.join(KINDS)}", file=sys.stderr)
        return 2
    print(json.dumps(calibrate(seconds, kinds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
