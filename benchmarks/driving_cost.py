"""What driving one echo request costs the load generator: Threadmill's user against the plainest Locust user.

    python -m benchmarks.driving_cost [--pairs N] [--users N] [--seconds S]

Both run in one go, in turns, each in a fresh process with the same number of users on persistent connections, against
an echo server in another process on loopback. The cost is the generator process's CPU time (user and system) divided by
the requests it completed. Only the ratio means anything elsewhere: microseconds belong to this machine and this moment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

KINDS = ("plain", "ours")
PAYLOAD_BYTES = 64


def serve() -> None:
    """A threaded echo server on a port of the kernel's choice, told on stdout; ends with its stdin."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)

    def echo(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A user that is stopped in the middle of a request resets its connection.
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def drive(kind: str, port: int, users: int, seconds: float) -> None:
    """Run one kind of user in this process and print what it cost as JSON."""
    import gevent
    from locust import constant
    from locust import task as locust_task
    from locust.env import Environment
    from locust.user import User

    class PlainUser(User):
        """As in Locust's documentation: a blocking socket in a task, and the request event."""

        wait_time = constant(0)

        def on_start(self) -> None:
            self.connection = socket.create_connection(("127.0.0.1", port))
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        @locust_task
        def echo(self) -> None:
            line = b"x" * PAYLOAD_BYTES + b"\n"
            sent_at = time.perf_counter()
            self.connection.sendall(line)
            reply = b""
            while not reply.endswith(b"\n"):
                reply += self.connection.recv(4096)
            self.environment.events.request.fire(
                request_type="TCP",
                name="plain",
                response_time=(time.perf_counter() - sent_at) * 1000,
                response_length=len(reply),
                exception=None,
                context={},
            )

    user_class: type[User] = PlainUser
    if kind == "ours":
        from loadtests import options, tuning
        from loadtests.client import resolve
        from loadtests.recorder import Recorder
        from loadtests.users import EchoUser, RunOnWorker

        tuning.apply()
        wanted = options.parse({"target": "echo", "payload_bytes": PAYLOAD_BYTES}, ["echo"])
        recorder = Recorder(time.perf_counter(), time.perf_counter(), None)
        EchoUser.run_on_worker = RunOnWorker(wanted, resolve("127.0.0.1", port), recorder)
        user_class = EchoUser

    environment = Environment(user_classes=[user_class], catch_exceptions=False)
    # A worker keeps no response-time cache either.
    environment.stats.use_response_times_cache = False
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(0.3)
    requests, cpu_s = environment.stats.total.num_requests, time.process_time()
    gevent.sleep(seconds)
    requests, cpu_s = environment.stats.total.num_requests - requests, time.process_time() - cpu_s
    failures = environment.stats.total.num_failures
    runner.quit()
    print(json.dumps({"requests": requests, "failures": failures, "cpu_us": cpu_s * 1e6 / max(1, requests)}))


def measure(kind: str, port: int, users: int, seconds: float) -> dict[str, Any]:
    """One kind in a fresh process. Raises RuntimeError if it did not do its work."""
    command = [sys.executable, "-m", __spec__.name, "--drive", kind, "--port", str(port)]
    command += ["--users", str(users), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds, check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"the {kind} user did not run: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not found["requests"] or found["failures"]:
        raise RuntimeError(f"the {kind} user: {found['requests']} requests, {found['failures']} failures")
    return found


def summary(values: list[float], digits: int) -> str:
    spread = (min(values), statistics.median(values), max(values))
    return "   ".join(
        f"{name} {value:.{digits}f}" for name, value in zip(("min", "median", "max"), spread, strict=True)
    )


def compare(pairs: int, users: int, seconds: float) -> None:
    command = [sys.executable, "-m", __spec__.name, "--serve"]
    costs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            print(f"{pairs} pairs of {seconds:g} s, {users} users, {PAYLOAD_BYTES}-byte echo over loopback", flush=True)
            for pair in range(pairs):
                # The order changes every time, so that a drift of the machine does not favour one.
                for kind in KINDS if pair % 2 == 0 else KINDS[::-1]:
                    costs[kind].append(measure(kind, port, users, seconds)["cpu_us"])
                plain, ours = costs["plain"][-1], costs["ours"][-1]
                print(f"  plain {plain:6.2f} us   ours {ours:6.2f} us   ratio {ours / plain:.3f}", flush=True)
        finally:
            server.stdin.close()
    ratios = [ours / plain for ours, plain in zip(costs["ours"], costs["plain"], strict=True)]
    print("CPU time of the generator per request")
    print(f"  plain (us)    {summary(costs['plain'], 2)}")
    print(f"  ours (us)     {summary(costs['ours'], 2)}")
    print(f"  ours / plain  {summary(ratios, 3)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.driving_cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--drive", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Locust reads the command line as well when it makes its web pages.
    del sys.argv[1:]
    os.environ.setdefault("PYTHONHASHSEED", "0")
    if arguments.serve:
        serve()
    elif arguments.drive:
        drive(arguments.drive, arguments.port, arguments.users, arguments.seconds)
    else:
        compare(arguments.pairs, arguments.users, arguments.seconds)


if __name__ == "__main__":
    main()
