"""Latency through a stopped server is what the schedule says, not what the waiting clients saw."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import docker
from rich.table import Table

from benchmarks.proofs.running import CONSOLE, sweep
from benchmarks.subjects import LOOP
from benchmarks.sweeping import NotMeasured, Row
from servers.models import MODELS
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL

RATE_RPS = 1000
STALL_S = 1.4
WINDOW_S = 30


def holds(directory: Path) -> bool:
    """SIGSTOP for 1.4 s in a window of 30 s at 1,000 requests/s; and a closed loop beside it."""
    base = {
        "models": [LOOP],
        "limits": {"cpus": 1, "memory": "128MiB"},
        "warmup": "2s",
        "duration": f"{WINDOW_S}s",
    }
    _, (open_row,), stopped_s = _stalled(directory, name="stall-open", load={"mode": "open", "rate": RATE_RPS}, **base)
    _, (closed_row,), _ = _stalled(directory, name="stall-closed", load={"mode": "closed", "users": 64}, **base)
    # What was due while the server stood is answered in order, at the pace of a closed loop, while more falls due.
    pace_rps = float(closed_row["throughput_rps"]) * WINDOW_S / (WINDOW_S - stopped_s)
    slower_us = 1e6 * (1 / RATE_RPS - 1 / pace_rps)
    expected_us = stopped_s * 1e6 - 0.01 * RATE_RPS * WINDOW_S * slower_us
    measured_us = float(open_row["latency_p99_us"])
    table = Table(title=f"a server stopped for {stopped_s:.3f} s of {WINDOW_S} s", title_justify="left")
    for heading in ("", "p99"):
        table.add_column(heading)
    table.add_row(f"open loop at {RATE_RPS}/s, latency from the intended start", f"{measured_us / 1000:.1f} ms")
    table.add_row("the same, computed from the schedule", f"{expected_us / 1000:.1f} ms")
    table.add_row("open loop, service time", f"{float(open_row['service_time_p99_us']) / 1000:.1f} ms")
    table.add_row("closed loop with 64 users", f"{float(closed_row['latency_p99_us']) / 1000:.1f} ms")
    CONSOLE.print(table)
    off = measured_us / expected_us - 1
    CONSOLE.print(f"off by {off:+.2%}; claimed: within 2 %", highlight=False)
    return abs(off) <= 0.02


def _stalled(directory: Path, **fields: Any) -> tuple[Path, list[Row], float]:
    """A sweep of one trial whose server is stopped in the middle of its window; for how long it stood, in seconds."""
    stood: list[float] = []

    def stop_once() -> None:
        container = _server_container(fields["name"])
        opens = _window_opens(directory / f"results-{fields['name']}")
        time.sleep(max(0.0, opens + WINDOW_S / 3 - time.time()))
        container.kill(signal="STOP")
        began = time.monotonic()
        time.sleep(STALL_S)
        container.kill(signal="CONT")
        stood.append(time.monotonic() - began)

    thread = threading.Thread(target=stop_once, daemon=True)
    thread.start()
    results, rows = sweep(directory, **fields)
    thread.join(5)
    if not stood or rows[0]["verdict"] == "invalid":
        raise NotMeasured(f"the trial of {fields['name']} is not valid: {rows[0]['reasons'] or 'it was never stopped'}")
    return results, rows, stood[0]


def _server_container(name: str) -> Any:
    client = docker.from_env()
    while True:
        for container in client.containers.list(filters={"label": TRIAL_LABEL}):
            is_server = container.labels["com.docker.compose.service"] in MODELS
            if is_server and container.labels[RUN_LABEL].startswith(name):
                return container
        time.sleep(0.05)


def _window_opens(results: Path) -> float:
    """When the trial's window opens, as soon as it is known."""
    while True:
        for path in results.glob("*/load/*.window.json"):
            return float(json.loads(path.read_text())["opens_unix"])
        time.sleep(0.05)
