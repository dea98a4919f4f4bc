"""What it costs a server to keep what its ended threads and processes have used, where each request makes one.

    python -m benchmarks.counting_cost [--rounds N] [--connections N]

The same server with the counting and without it, in turns, on a core of its own, over loopback. CPU time is getrusage's
of its exit report, less what it had used when it had started. Loopback is the hardest case: a request over a bridge
costs more, and the counting the same.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import on_core, two_cores, wait_for_room
from benchmarks.subjects import PROCESS_EACH, THREAD_EACH, WORKERS_WITH_THREADS

CLAIMED = 0.02
MODELS = (THREAD_EACH, WORKERS_WITH_THREADS, PROCESS_EACH)
_CLIENTS = 2
_START_S = 20.0
_START = "import sys; from servers.__main__ import main; main([sys.argv[1]])"
# As it was before ended tasks were counted.
_UNCOUNTED = """
import _thread
from servers.children import Children
from servers.ended import Ended
from servers.server import Server

def thread_to_handle(self, connection):
    _thread.start_new_thread(self.handle, (connection,))

Ended.reaped = lambda self, pid: None
Children.reap = Children._reap
Server.thread_to_handle = thread_to_handle
"""


def request_us(model: str, counted: bool, connections: int, core: int) -> float:
    """CPU time of the server for one request with a connection of its own, in microseconds."""
    wait_for_room(connections)
    program = _START if counted else _UNCOUNTED + _START
    server = subprocess.Popen(
        [sys.executable, "-c", program, model],
        preexec_fn=on_core(core),
        env={**os.environ, "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "2"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        port = next(int(found[1]) for line in server.stdout if (found := re.search(r"started on port (\d+)", line)))
        before_us = _used_us(server.pid)
        threads = [threading.Thread(target=_ask, args=(port, connections // _CLIENTS)) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
    return (1e6 * float(cpu_s) - before_us) / int(report["served"])


def _ask(port: int, connections: int) -> None:
    for _ in range(connections):
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"hello\n")
            connection.recv(100)


def _used_us(pid: int) -> float:
    """Of a server that has served nobody: each of its processes has one thread."""
    pids = [pid, *(child.pid for child in psutil.Process(pid).children())]
    return sum(int(Path(f"/proc/{each}/schedstat").read_text().split()[0]) / 1000 for each in pids)


def measure(rounds: int = 15, connections: int = 1000) -> dict[str, Any]:
    server_core, own_core = two_cores()
    mine = os.sched_getaffinity(0)
    rows = []
    try:
        os.sched_setaffinity(0, {own_core})
        for model in MODELS:
            found: dict[bool, list[float]] = {True: [], False: []}
            for number in range(rounds):
                for counted in (True, False) if number % 2 else (False, True):
                    found[counted].append(request_us(model, counted, connections, server_core))
            rows.append((model, *(Spread.of(found[one]) for one in (True, False)), ratios(found[True], found[False])))
    finally:
        os.sched_setaffinity(0, mine)
    return as_json(
        Table(
            "counting_cost",
            "python -m benchmarks.counting_cost",
            "CPU of the server for a request with a connection of its own, µs",
            ("server", "counted", "not counted", "ratio"),
            tuple(rows),
            (f"claimed: at most {1 + CLAIMED:.2f} in the median",),
        )
    )


if __name__ == "__main__":
    run(measure)
