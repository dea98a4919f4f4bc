"""What the probe costs: its CPU time as a share of one core, beside a server with many processes.

    python -m benchmarks.probe_cost [--processes N] [--seconds S] [--runs N]

Each run is as in a sweep: an mpst container with a process for each of the connections held here, and the probe beside
it for one window. The cost is the probe's CPU time (user and system) from just before its reading at one edge of the
window to just after the one at the other edge.
"""

import json
import os
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import Spread, Table, as_json, run
from benchmarks.subjects import PROCESS_EACH

ALLOWED_SHARE = 0.02
LEAD_S = 1.0
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges=true")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def container(*arguments: str) -> Iterator[str]:
    """A running container, removed at the end."""
    name = f"threadmill-bench-{secrets.token_hex(4)}"
    try:
        docker("run", "--detach", "--name", name, *HARDENED, *arguments)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def connect(address: tuple[str, int]) -> socket.socket:
    """A connection that has been served once."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = socket.create_connection(address, 10)
            connection.sendall(b"hello\n")
            if connection.recv(100) == b"hello\n":
                return connection
            connection.close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def echo_until(stop: threading.Event, connections: list[socket.socket]) -> None:
    """Keep the server busy: one request after the other, over all connections in turn."""
    while not stop.is_set():
        for connection in connections:
            connection.sendall(b"hello\n")
            connection.recv(100)


@contextmanager
def loaded_server(model: str, connections: int, busy: bool, *options: str) -> Iterator[str]:
    """A server's container with so many connections, each served once, and kept busy in turn or left silent."""
    limits = ("--cpus", "1", "--memory", "2g", "--no-healthcheck", "--publish", "127.0.0.1::8081")
    with ExitStack() as stack:
        server = stack.enter_context(container(*options, *limits, f"threadmill/{model}"))
        host, port = docker("port", server, "8081/tcp").splitlines()[0].rsplit(":", 1)
        held = [stack.enter_context(connect((host, int(port)))) for _ in range(connections)]
        if busy:
            stop = threading.Event()
            client = threading.Thread(target=echo_until, args=(stop, held))
            client.start()
            stack.callback(client.join)
            stack.callback(stop.set)
        yield server


def one(processes: int, window_s: float, busy: bool) -> dict[str, Any]:
    """The probe's summary of one window beside a server with that many processes."""
    user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else "10001:10001"
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="threadmill-bench-")))
        directory.chmod(0o777)  # the probe writes as another user where the caller is root
        server = stack.enter_context(loaded_server(PROCESS_EACH, processes - 1, busy, "--user", user))
        probe_options = ("--user", user, "--pid", f"container:{server}", "--network", "none")
        output = ("--volume", f"{directory}:/results/load")
        command = ("threadmill/probe", "--output", "/results/load", "--name", "bench")
        probe = stack.enter_context(container(*probe_options, *output, *command))
        opens = time.time() + LEAD_S
        partial = directory / "window"
        partial.write_text(json.dumps({"opens_unix": opens, "closes_unix": opens + window_s}))
        partial.rename(directory / "bench.window.json")
        if docker("wait", probe) != "0":
            raise RuntimeError(f"the probe failed: {docker('logs', probe)}")
        found: dict[str, Any] = json.loads((directory / "bench.probe.json").read_text())
        return found


def measure(processes: int = 300, seconds: float = 5.0, runs: int = 3) -> dict[str, Any]:
    """One row for an idle and one for a busy server: share of a core, CPU time of a detail sample and of the start."""
    rows = []
    for busy in (False, True):
        found = [one(processes, seconds, busy) for _ in range(runs)]
        rows.append(
            (
                f"{processes} processes, {'busy' if busy else 'idle'}",
                Spread.of(100 * each["own_cost"]["share_of_core"] for each in found),
                Spread.of(1000 * each["own_cost"]["detail_sample_cpu_s"] for each in found),
                Spread.of(1000 * each["own_cost"]["start_cpu_s"] for each in found),
            )
        )
    command = f"python -m benchmarks.probe_cost --processes {processes} --seconds {seconds:g} --runs {runs}"
    columns = ("server", "probe (% of a core)", "detail sample (CPU ms)", "start (CPU ms)")
    note = f"allowed: {ALLOWED_SHARE:.0%} of a core"
    return as_json(Table("probe_cost", command, "median and range", columns, tuple(rows), (note,)))


if __name__ == "__main__":
    run(measure)
