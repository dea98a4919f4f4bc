"""What `orchestrate.py watch` costs: the CPU time of its own process and of its probe, as a share of one core.

    python -m benchmarks.watch_cost [--seconds S] [--repeat N]

A server container with so many connections, echoing over all of them in turn or idle, and `watch` beside it on a
terminal of 40 lines and 120 columns with a look each second, as a person has it. What Docker's daemon does to carry the
probe's lines is not counted.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import psutil

from benchmarks.common import Spread, Table, as_json, run
from benchmarks.probe_cost import loaded_server
from benchmarks.subjects import PROCESS_EACH, THREAD_EACH
from testbed.watch.beside import WATCH_LABEL

PROJECT = Path(__file__).resolve().parent.parent
ALLOWED_SHARE = 0.03
START_TIMEOUT_S = 30.0
_LINES, _COLUMNS = 40, 120
CASES = ((THREAD_EACH, 8, True), (THREAD_EACH, 300, True), (PROCESS_EACH, 300, False), (PROCESS_EACH, 300, True))
"""Model, connections, and whether they are busy."""


@contextmanager
def watching(name: str) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """`watch` on a terminal of its own beside this container: its process, and that of its probe."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    command = [sys.executable, str(PROJECT / "orchestrate.py"), "watch", name]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=PROJECT) as process:
        os.close(slave)
        reader = threading.Thread(target=_read_all, args=(master,), daemon=True)
        reader.start()
        try:
            yield psutil.Process(process.pid), _probe(name, process)
        finally:
            process.terminate()
            process.wait(30)
            reader.join(10)
            os.close(master)


def _read_all(descriptor: int) -> None:
    while True:
        try:
            if not os.read(descriptor, 65_536):
                return
        except OSError:
            return


def _probe(name: str, watch: subprocess.Popen[bytes]) -> psutil.Process:
    client = docker.from_env()
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and watch.poll() is None:
        for found in client.containers.list(filters={"label": f"{WATCH_LABEL}={name}"}, ignore_removed=True):
            found.reload()
            if found.attrs["State"]["Pid"]:
                return psutil.Process(found.attrs["State"]["Pid"])
        time.sleep(0.05)
    raise RuntimeError("watch has not started its probe")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def one(model: str, connections: int, busy: bool, seconds: float) -> tuple[float, float]:
    """Shares of a core: of the watching process, and of its probe."""
    with loaded_server(model, connections, busy) as server, watching(server) as both:
        # Starting is not watching: the first looks are the dear ones, and come once.
        time.sleep(3)
        began, before = time.monotonic(), [_cpu_s(process) for process in both]
        time.sleep(seconds)
        took, after = time.monotonic() - began, [_cpu_s(process) for process in both]
    watch, probe = ((late - early) / took for early, late in zip(before, after, strict=True))
    return watch, probe


def measure(seconds: float = 10.0, repeat: int = 3) -> dict[str, Any]:
    """One row a case: percent of a core of the process, of the probe, and of both."""
    rows = []
    for model, connections, busy in CASES:
        found = [one(model, connections, busy, seconds) for _ in range(repeat)]
        parts = [Spread.of(100 * share for share in shares) for shares in zip(*found, strict=True)]
        both = Spread.of(100 * sum(shares) for shares in found)
        rows.append((f"{model}, {connections} connections, {'busy' if busy else 'idle'}", *parts, both))
    command = f"python -m benchmarks.watch_cost --seconds {seconds:g} --repeat {repeat}"
    columns = ("server", "watch (%)", "its probe (%)", "both (%)")
    note = f"allowed: {ALLOWED_SHARE:.0%} of a core"
    return as_json(Table("watch_cost", command, "percent of one core, median and range", columns, tuple(rows), (note,)))


if __name__ == "__main__":
    run(measure)
