"""What the probe costs: its CPU time as a share of one core, beside a server with many processes.

    python -m benchmarks.probe_cost [--processes N] [--seconds S] [--runs N]

Each run is as in a sweep: an mpst container with a process for each of the connections held here, and the probe beside
it for one window. The cost is the probe's CPU time (user and system) from just before its reading at one edge of the
window to just after the one at the other edge.
"""

import argparse
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

ALLOWED_SHARE = 0.02
LEAD_S = 1.0
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true")


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


def measure(processes: int, window_s: float, busy: bool) -> dict[str, Any]:
    """The probe's summary of one window beside a server with that many processes."""
    user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else "10001:10001"
    limits = ("--cpus", "1", "--memory", "2g", "--no-healthcheck", "--publish", "127.0.0.1::8081")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="threadmill-bench-")))
        directory.chmod(0o777)  # the probe writes as another user where the caller is root
        server = stack.enter_context(container("--user", user, *limits, "threadmill/mpst"))
        host, port = docker("port", server, "8081/tcp").splitlines()[0].rsplit(":", 1)
        held = [stack.enter_context(connect((host, int(port)))) for _ in range(processes - 1)]
        if busy:
            stop = threading.Event()
            client = threading.Thread(target=echo_until, args=(stop, held))
            client.start()
            stack.callback(client.join)
            stack.callback(stop.set)
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probe_cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(f"window of {arguments.seconds:g} s, {arguments.processes} server processes", flush=True)
    for busy in (False, True):
        for _ in range(arguments.runs):
            found = measure(arguments.processes, arguments.seconds, busy)
            own, samples, edge = found["own_cost"], found["samples"], found["edges"]["opened"]
            print(
                f"  {'busy' if busy else 'idle'} server, {found['opened']['processes']} processes: "
                f"{own['share_of_core']:.2%} of one core (allowed {ALLOWED_SHARE:.0%}); "
                f"a detail sample {own['detail_sample_cpu_s'] * 1000:.1f} ms, {samples['detail']} of them; "
                f"{samples['cheap']} cheap ones; start {own['start_cpu_s'] * 1000:.0f} ms; "
                f"edge late by {edge['late_s'] * 1000:.2f} ms, read in {edge['took_s'] * 1000:.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
