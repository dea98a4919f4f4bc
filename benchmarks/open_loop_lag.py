"""How well one worker keeps the schedule of an open loop, rate by rate.

    python -m benchmarks.open_loop_lag [--rates R ...] [--users N] [--seconds S] [--arrivals constant|poisson]

Each rate runs in a fresh generator process with Threadmill's users on persistent connections, against a fresh
`python -m servers spmt` on loopback. Lag is the time from a request's intended start to its start; CPU is the
generator's share of one core. All of it belongs to this machine and this moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

RATES = (500, 1000, 2000, 5000)
PAYLOAD_BYTES = 64
WARMUP_S = 1.0
LEAD_S = 0.2


def drive(port: int, rate: float, users: int, seconds: float, arrivals: str) -> None:
    """Run the load in this process and print its result as JSON."""
    import gc

    import gevent
    from locust.env import Environment

    from loadtests import generator, options, results, schedule, tuning
    from loadtests.client import resolve
    from loadtests.dispatcher import Dispatcher
    from loadtests.recorder import Recorder
    from loadtests.users import EchoUser, RunOnWorker

    tuning.apply()
    gc.collect()
    gc.freeze()
    found = {"target": "spmt", "mode": "open", "rate": rate, "arrivals": arrivals, "payload_bytes": PAYLOAD_BYTES}
    wanted = options.parse(found, ["spmt"])
    begins_at = time.perf_counter() + LEAD_S
    opens_at, closes_at = begins_at + WARMUP_S, begins_at + WARMUP_S + seconds
    slots = schedule.arrivals(arrivals, begins_at, rate, 0, 1, wanted.seed)
    recorder = Recorder(time.perf_counter(), opens_at, closes_at, open_loop=True)
    dispatcher = Dispatcher(slots)
    EchoUser.run_on_worker = run = RunOnWorker(wanted, resolve("127.0.0.1", port), recorder, begins_at, dispatcher)
    environment = Environment(user_classes=[EchoUser], catch_exceptions=False)
    # A worker keeps no response-time cache either.
    environment.stats.use_response_times_cache = False
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    collector = generator.CollectorClock()
    gevent.sleep(opens_at - time.perf_counter())
    before = generator.read(collector)
    gevent.sleep(closes_at - time.perf_counter())
    cost = generator.spent("", before, generator.read(collector))
    run.active = False
    now = time.perf_counter()
    recorder.close(now, dispatcher.stop(now))
    gevent.sleep(0.1)
    recorder.finish(time.perf_counter())
    final = recorder.to_wire() | {"generator": cost, "idle_holders": {}}
    runner.quit()
    print(json.dumps(results.merge(wanted, "", 0.0, 0.0, [final], workers_expected=1)))


def measure(rate: float, users: int, seconds: float, arrivals: str) -> dict[str, Any]:
    """One rate with fresh processes on both sides. Raises RuntimeError if it did not do its work."""
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": "0"}
    command = [sys.executable, "-m", "servers", "spmt"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = next(int(line.split()[-1]) for line in server.stdout if "started on port" in line)
            drive_it = [sys.executable, "-m", __spec__.name, "--drive", str(rate), "--port", str(port)]
            drive_it += ["--users", str(users), "--seconds", str(seconds), "--arrivals", arrivals]
            done = subprocess.run(drive_it, capture_output=True, text=True, timeout=60 + seconds, check=False)
        finally:
            server.terminate()
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{rate:g}/s did not run: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["failed"]:
        raise RuntimeError(f"{rate:g}/s: {found['failed']} failures")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop_lag", description=__doc__.partition("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--arrivals", choices=("constant", "poisson"), default="constant")
    parser.add_argument("--drive", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Locust reads the command line as well when it makes its runner.
    del sys.argv[1:]
    if arguments.drive:
        drive(arguments.port, arguments.drive, arguments.users, arguments.seconds, arguments.arrivals)
        return
    print(f"{arguments.seconds:g} s each, one worker, {arguments.users} users, {arguments.arrivals} arrivals")
    columns = ("rate/s", "ok/s", "achieved", "missed", "lag p50", "p99", "max us", "service p50", "p99 us", "CPU")
    widths = [max(9, len(column) + 2) for column in columns]
    print("".join(column.rjust(width) for column, width in zip(columns, widths, strict=True)), flush=True)
    for rate in arguments.rates:
        found = measure(rate, arguments.users, arguments.seconds, arguments.arrivals)
        lag, service, cost = found["send_lag_us"], found["service_time_us"], found["generator"][0]
        row = (
            *(f"{rate:g}", f"{found['throughput_rps']:.0f}", f"{found['achieved_over_offered']:.4f}", found["missed"]),
            *(lag["p50"], lag["p99"], lag["max"], service["p50"], service["p99"]),
            f"{cost['cpu_share']:.2f}",
        )
        print("".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)), flush=True)


if __name__ == "__main__":
    main()
