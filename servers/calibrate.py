"""``python -m servers.calibrate`` measures how many spin units this machine does in a millisecond."""

import json
import statistics
import time
from collections.abc import Callable

from servers.work import spin

SAMPLES = 7
UNITS = 20_000


def calibrate(clock_ns: Callable[[], int] = time.perf_counter_ns) -> dict[str, object]:
    """Units per millisecond: the median of SAMPLES runs of UNITS units each, and every sample."""
    spin(UNITS)  # lets the interpreter specialise the loop, as it has in a server that is warmed up
    samples = []
    for _ in range(SAMPLES):
        start = clock_ns()
        spin(UNITS)
        samples.append(UNITS / ((clock_ns() - start) / 1_000_000))
    return {"spin_units_per_ms": statistics.median(samples), "samples": samples}


if __name__ == "__main__":
    print(json.dumps(calibrate()))
