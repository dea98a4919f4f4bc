"""Generators and the server they drive, each on a core of its own, for the benchmarks of the generator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.stack.conntrack import Tracking

PROJECT = Path(__file__).resolve().parent.parent
BYTES = 64
_TIMEOUT_S = 60


def two_cores() -> tuple[int, int]:
    """The server's and the generator's. RuntimeError where there are no two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError(f"found {len(cores)} processor, needed: 2, one for the server and one for the generator")
    return cores[1], cores[0]


def wait_for_room(connections: int) -> None:
    """Return once the kernel has room for so many more tracked connections. RuntimeError if it does not get any."""
    tracking = Tracking()
    if not tracking.wait_for_room(connections, lambda _: None):
        raise RuntimeError(
            f"connection tracking is full: {tracking.look()} of {tracking.limit}; sysctl net.netfilter.nf_conntrack_max"
        )


def on_core(core: int) -> Callable[[], None]:
    """For `preexec_fn`."""
    return lambda: os.sched_setaffinity(0, {core})


@contextmanager
def server(command: Sequence[str | Path], core: int) -> Iterator[int]:
    """A server on this core that prints its port and ends with its standard input; yields the port."""
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=on_core(core),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def output_of(command: Sequence[str | Path], core: int | None, whole: bool = False) -> str:
    """The last line that the command prints, or all of them. RuntimeError if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        cwd=PROJECT,
        preexec_fn=None if core is None else on_core(core),
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{Path(str(command[0])).name} did not run: {done.stderr.strip()[-500:]}")
    return done.stdout if whole else done.stdout.strip().splitlines()[-1]


def driver_words(kind: str, port: int, users: int, seconds: float, *more: str, host: str = "127.0.0.1") -> list[str]:
    """What follows `python` to run benchmarks/driver.py."""
    words = ["-m", "benchmarks.driver", kind, host, str(port), "--users", str(users), "--seconds", f"{seconds:g}"]
    return [*words, *more]


def checked(line: str, what: str) -> dict[str, Any]:
    """What the driver printed. RuntimeError if it did not do its work."""
    found: dict[str, Any] = json.loads(line)
    failed = found["failed"]
    if not found["ok"] or (sum(failed.values()) if isinstance(failed, dict) else failed):
        raise RuntimeError(f"{what}: {found['ok']} requests, {failed} failures")
    return found


def drive(
    kind: str, port: int, core: int, users: int, seconds: float, *more: str, host: str = "127.0.0.1"
) -> dict[str, Any]:
    """One measurement in a fresh process on this core. RuntimeError if it did not do its work."""
    command = [sys.executable, *driver_words(kind, port, users, seconds, *more, host=host)]
    return checked(output_of(command, core), kind)
