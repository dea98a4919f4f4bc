"""What it costs a server to keep what its ended threads and processes have used, where each request makes one.

    python -m benchmarks.counting_cost [--rounds N] [--seconds S]

In each round: what is done at the end of a thread, and at the reaping of a child beside what `waitpid` takes, in bare
loops of this very code with 16 threads alive; and the CPU time of a real server by its exit report, over its requests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common import Spread, Table, as_json, from_json, print_table, ratios
from benchmarks.switches_proof import Load
from servers.counters import Counters

CLAIMED = 0.02
_THREADS = 16
_LOOPS = 20_000
_CLIENTS = 2
_START_S = 20.0


def _cpu_us(work: Callable[[], object]) -> float:
    """CPU time of one call, in microseconds."""
    began = time.thread_time()
    for _ in range(_LOOPS):
        work()
    return (time.thread_time() - began) / _LOOPS * 1e6


def end_of_thread_us() -> float:
    """What `Server.count_this_thread` does."""
    ended, lock = Counters(rows=1).ended, threading.Lock()
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()

    def count() -> None:
        with lock:
            ended.this_thread(0)

    try:
        return _cpu_us(count)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def reaping_us() -> float:
    """What one child more costs to reap than with `waitpid`: the look that finds it, and the one that finds no more."""
    ended = Counters(rows=1).ended
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    used = os.wait4(-1, os.WNOHANG)[2]

    def wait4() -> None:
        for _ in range(2):
            ended.begin_reaping()
            os.wait4(-1, os.WNOHANG)
            ended.end_reaping()
        ended.process(1, used, None)

    def waitpid() -> None:
        for _ in range(2):
            os.waitpid(-1, os.WNOHANG)

    try:
        return _cpu_us(wait4) - _cpu_us(waitpid)
    finally:
        child.communicate()


def request_us(model: str, seconds: float) -> float:
    """CPU time of the server for one request with a connection of its own."""
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "2"}
    server = subprocess.Popen(
        [sys.executable, "-m", "servers", model], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        port = next(int(found[1]) for line in server.stdout if (found := re.search(r"started on port (\d+)", line)))
        load = Load(port, 1, _CLIENTS)
        load.run(seconds)
        server.send_signal(signal.SIGTERM)
        report: dict[str, Any] = next(
            json.loads(line.removeprefix("[REPORT] ")) for line in server.stdout if line.startswith("[REPORT] ")
        )
        server.wait(_START_S)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    used = report["rusage"]
    cpu_s = sum(used[who][part] for who in ("self", "children") for part in ("user_s", "system_s"))
    return 1e6 * float(cpu_s) / load.requests


ADDED = {"spmt": end_of_thread_us, "mpmt": end_of_thread_us, "mpst": reaping_us}


def measure(rounds: int = 7, seconds: float = 1.0) -> dict[str, Any]:
    rows = []
    added: dict[str, list[float]] = {model: [] for model in ADDED}
    whole: dict[str, list[float]] = {model: [] for model in ADDED}
    for _ in range(rounds):
        for model, cost in ADDED.items():
            added[model].append(cost())
            whole[model].append(request_us(model, seconds))
    for model in ADDED:
        share = ratios(added[model], whole[model])
        percent = Spread(100 * share.median, 100 * share.low, 100 * share.high)
        rows.append((model, Spread.of(added[model]), Spread.of(whole[model]), percent))
    return as_json(
        Table(
            "counting_cost",
            "python -m benchmarks.counting_cost",
            "CPU per request with a connection of its own",
            ("server", "counting, µs", "request, µs", "share, %"),
            tuple(rows),
            (f"claimed: at most {CLAIMED:.0%}",),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    print_table(from_json(measure(arguments.rounds, arguments.seconds)))


if __name__ == "__main__":
    main()
