"""`python -m benchmarks.proofs [NAME ...]`: what Threadmill claims of its own numbers, tried on this machine.

    stall         latency through a stopped server is what the schedule says, not what the waiting clients saw
    conservation  the server's own count is the clients' in 50 trials over all models
    recognition   rigged client-bound, front-bound and server-bound runs are told apart, 10 times out of 10
    repeatability ten repeats of one cell: the coefficient of variation of throughput
    calibration   a request costs the CPU time that was asked, beyond a bare echo, within 25 % in the median
    hostile       a million broken HTTP requests cost the parser no memory, thousands cost no model a process
    switches      the probe's context switches are those of the server's own getrusage, for every server
    kill          a sweep killed at 20 random moments, a search in every other one, leaves nothing that is not
                  removed, keeps what was finished, and is completed

About 40 minutes for all, of which `kill` takes 22. Exit code 0 only when every claim held.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.proofs import calibration, conservation, hostile, kill, recognition, repeatability, stall, switches
from benchmarks.proofs.running import CONSOLE
from benchmarks.sweeping import NotMeasured
from testbed.interrupt import interruptible

PROOFS: dict[str, Callable[[Path], bool]] = {
    "stall": stall.holds,
    "conservation": conservation.holds,
    "recognition": recognition.holds,
    "repeatability": repeatability.holds,
    "calibration": lambda _: calibration.holds(),
    "hostile": lambda _: hostile.holds(),
    "switches": switches.holds,
    "kill": kill.holds,
}


def main() -> int:
    names = sys.argv[1:] or list(PROOFS)
    if unknown := [name for name in names if name not in PROOFS]:
        print(f"proofs: found {unknown[0]!r}, allowed: {', '.join(PROOFS)}", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="threadmill-proofs-"))
    held: dict[str, bool] = {}
    try:
        for name in names:
            CONSOLE.rule(name)
            try:
                held[name] = PROOFS[name](directory)
            except NotMeasured as reason:
                # The other claims stand for themselves.
                CONSOLE.print(f"not tried: {reason}", markup=False, highlight=False)
                held[name] = False
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    CONSOLE.rule("claims")
    for name, true in held.items():
        CONSOLE.print(f"{name}: {'held' if true else 'DID NOT HOLD'}", highlight=False)
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
