"""One load generator in this process, for benchmarks of generators: runs it and prints what it did as JSON.

    python -m benchmarks.driver stock|plain|fast HOST PORT [--users N] [--seconds S] [--rate R] [--precise] ...

`stock` is the plainest user of Locust with a blocking socket; `plain` and `fast` are Threadmill's two engines. Each
runs in Locust's own runner, as it does on a worker. Start one process for every measurement.
"""

from __future__ import annotations

import argparse
import gc
import json
import socket
import sys
import time
from typing import Any

PAYLOAD_BYTES = 64
WARMUP_S = 0.7
LEAD_S = 0.3
"""All users are there and connected before the load begins."""


def environment_of(user_class: Any) -> Any:
    from locust.env import Environment

    environment = Environment(user_classes=[user_class], catch_exceptions=False)
    # A worker keeps no response-time cache either.
    environment.stats.use_response_times_cache = False
    return environment


def drive_stock(host: str, port: int, users: int, seconds: float) -> dict[str, Any]:
    import gevent
    from locust import constant, task
    from locust.user import User

    class StockUser(User):
        """As in Locust's documentation: a blocking socket in a task, and the request event."""

        wait_time = constant(0)

        def on_start(self) -> None:
            self.connection = socket.create_connection((host, port))
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        @task
        def echo(self) -> None:
            line = b"x" * PAYLOAD_BYTES + b"\n"
            sent_at = time.perf_counter()
            self.connection.sendall(line)
            reply = b""
            while not reply.endswith(b"\n"):
                reply += self.connection.recv(4096)
            self.environment.events.request.fire(
                request_type="TCP",
                name="stock",
                response_time=(time.perf_counter() - sent_at) * 1000,
                response_length=len(reply),
                exception=None,
                context={},
            )

    environment = environment_of(StockUser)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(LEAD_S + WARMUP_S)
    total = environment.stats.total
    requests, cpu_s, began = total.num_requests, time.process_time(), time.perf_counter()
    gevent.sleep(seconds)
    requests, cpu_s = total.num_requests - requests, time.process_time() - cpu_s
    window_s, failures = time.perf_counter() - began, total.num_failures
    runner.quit()
    return {"ok": requests, "failed": failures, "throughput_rps": requests / window_s, "cpu_s": cpu_s}


def drive_ours(host: str, port: int, users: int, seconds: float, form: dict[str, Any]) -> dict[str, Any]:
    import gevent

    from loadtests import fields, tuning
    from loadtests.destination import Destination
    from loadtests.record import results
    from loadtests.worker import generator
    from loadtests.worker.run import RunOnWorker, Window
    from loadtests.worker.users import EchoUser

    tuning.apply()
    wanted = fields.parse({"target": "echo", "payload_bytes": PAYLOAD_BYTES, **form}, ["echo"])
    collector = generator.CollectorClock()
    gc.collect()
    gc.freeze()
    begins_at = time.perf_counter() + LEAD_S
    opens_at = begins_at + WARMUP_S
    closes_at = opens_at + seconds

    environment = environment_of(EchoUser)
    window = Window(begins_at, opens_at, closes_at)
    EchoUser.run_on_worker = run = RunOnWorker.prepare(wanted, Destination(host, port), window, environment.stats)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(opens_at - time.perf_counter())
    before = generator.read(collector, run.spun_s)
    gevent.sleep(closes_at - time.perf_counter())
    cost = generator.spent("", before, generator.read(collector, run.spun_s))
    run.stop(time.perf_counter())
    deadline = time.perf_counter() + 1
    while run.recorder.in_flight and time.perf_counter() < deadline:
        gevent.sleep(0.002)
    run.recorder.finish(time.perf_counter())
    run.end()
    final = run.recorder.to_wire() | {"generator": cost, "idle_holders": {}}
    runner.quit()
    found = results.merge(wanted, "", 0.0, 0.0, [final], workers_expected=1)
    for bulky in ("histograms", "hdr", "slices"):
        del found[bulky]
    return found | {"cpu_s": cost["cpu_used_s"]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.driver", description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=("stock", "plain", "fast"))
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connection", default="persistent")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--arrivals", default="constant")
    parser.add_argument("--precise", action="store_true")
    arguments = parser.parse_args()
    # Locust reads the command line as well when it makes its runner.
    del sys.argv[1:]
    where = (arguments.host, arguments.port, arguments.users, arguments.seconds)
    if arguments.kind == "stock":
        found = drive_stock(*where)
    else:
        form = {"engine": arguments.kind, "connection": arguments.connection, "precise": arguments.precise}
        if arguments.rate:
            form |= {"mode": "open", "rate": arguments.rate, "arrivals": arguments.arrivals}
        found = drive_ours(*where, form)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
