"""``python -m servers.calibrate`` measures how much of each kind of work this machine does in a millisecond."""

import json
import time
from collections.abc import Callable

from servers.work import hash_rounds, spin

# Over about a second: a burst of something else on the machine, such as the end of an image build, is outlasted.
SAMPLES = 50
UNITS = 20_000
ROUNDS = 20_000


def calibrate(clock_ns: Callable[[], int] = time.thread_time_ns) -> dict[str, object]:
    """Spin units and hash rounds per millisecond of CPU time: the fastest of SAMPLES runs each, and every sample.

    The fastest, because what else runs on the machine can only slow a run down: a request that is said to spin for 1 ms
    then takes at least that, and no server can serve more of them than its CPU limit divided by it.
    """
    spin_samples = _samples(spin, UNITS, clock_ns)
    hash_samples = _samples(hash_rounds, ROUNDS, clock_ns)
    return {
        "spin_units_per_ms": max(spin_samples),
        "hash_rounds_per_ms": max(hash_samples),
        "samples": spin_samples,
        "hash_samples": hash_samples,
    }


def _samples(work: Callable[[int], object], amount: int, clock_ns: Callable[[], int]) -> list[float]:
    """Amounts per millisecond."""
    work(amount)  # lets the interpreter specialise the loop, as it has in a server that is warmed up
    samples = []
    for _ in range(SAMPLES):
        start = clock_ns()
        work(amount)
        samples.append(amount / ((clock_ns() - start) / 1_000_000))
    return samples


if __name__ == "__main__":
    print(json.dumps(calibrate()))
