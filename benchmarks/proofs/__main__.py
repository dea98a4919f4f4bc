"""`python -m benchmarks.proofs [NAME ...]`: what Threadmill claims of its own numbers, tried on this machine.

    stall         latency through a stopped server is what the schedule says, not what the waiting clients saw
    conservation  the server's own count is the clients' in 50 trials over all models
    recognition   a rigged client-bound and a rigged server-bound run are told apart, 10 times out of 10
    repeatability ten repeats of one cell: the coefficient of variation of throughput
    calibration   a request costs the CPU time that was asked, beyond a bare echo, within 25 % in the median
    switches      the probe's context switches are those of the server's own getrusage, for every server
    kill          a sweep killed at 20 random moments, a search in every other one, leaves nothing that is not
                  removed, keeps what was finished, and is completed

About 40 minutes for all, of which `kill` takes 22. Exit code 0 only when every claim held.
"""

import csv
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks import calibration_proof, switches_proof
from benchmarks.subjects import LOOP, PROCESS_EACH, SEQUENTIAL, THREAD_EACH
from benchmarks.sweeping import finish
from servers.models import MODELS
from testbed import exits
from testbed.interrupt import interruptible
from testbed.names import image_name
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL

PROJECT = Path(__file__).resolve().parent.parent
CONSOLE = Console()
RATE_RPS = 1000
STALL_S = 1.4
WINDOW_S = 30

Row = dict[str, str]


class NotTried(Exception):
    """The claim could not be tried: the testbed failed, or a trial that it needs is not valid."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT / "orchestrate.py"), *arguments]


def write_sweep(directory: Path, **fields: Any) -> Path:
    path = directory / f"{fields['name']}.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def results_in(directory: Path) -> tuple[Path, list[Row]]:
    (results,) = directory.iterdir()
    with (results / "trials.csv").open() as file:
        return results, list(csv.DictReader(file))


def sweep(directory: Path, **fields: Any) -> tuple[Path, list[Row]]:
    """Run a sweep to its end; its results directory and rows, those of invalid trials among them. NotTried if it could
    not be run."""
    results = directory / f"results-{fields['name']}"
    CONSOLE.print(f"sweep {fields['name']} ...", highlight=False)
    done = finish(command("sweep", str(write_sweep(directory, **fields)), "--results", str(results)))
    if done.returncode not in (exits.OK, exits.FAILED):
        raise NotTried(f"the sweep {fields['name']} could not be run: {done.stderr.strip()}")
    return results_in(results)


def stall(directory: Path) -> bool:
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
        raise NotTried(f"the trial of {fields['name']} is not valid: {rows[0]['reasons'] or 'it was never stopped'}")
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


def conservation(directory: Path) -> bool:
    """50 trials and more over all models: sent = ok + failed + in flight, and the server served what was answered."""
    results, rows = sweep(
        directory,
        name="conservation",
        models=list(MODELS),
        limits={"cpus": 1, "memory": "256MiB"},
        workload={"sleep": "1ms", "connection": ["persistent", {"requests": 7}, "per-request"]},
        load={"users": [1, 4, 12]},
        warmup="1s",
        duration="2s",
        exclude=[{"connection": "per-request", "users": 4}],
    )
    records = [json.loads(path.read_text()) for path in results.glob("trials/*/trial.json")]
    gates = [next(gate for gate in record["gates"] if gate["name"] == "conservation") for record in records]
    counts = Counter(gate["status"] for gate in gates)
    for record, gate in zip(records, gates, strict=True):
        if gate["status"] != "pass":
            CONSOLE.print(f"{record['trial_id']}: {gate['status']}: {gate['found']}; allowed: {gate['allowed']}")
    ok = sum(int(row["ok"] or 0) for row in rows)
    CONSOLE.print(f"{dict(counts)} of {len(rows)} trials, {ok:,} requests in their windows", highlight=False)
    return counts["pass"] == len(rows) >= 50


def recognition(directory: Path) -> bool:
    """The same server, once with a generator that is given a tenth of a CPU, once with enough of it and more work."""
    base = {"models": [THREAD_EACH], "warmup": "1s", "duration": "3s", "repeat": 10}
    _, starved = sweep(
        directory, name="client-bound", limits={"cpus": 1}, load={"users": 8, "worker_cpus": 0.1}, **base
    )
    _, loaded = sweep(
        directory, name="server-bound", limits={"cpus": 0.5}, workload={"spin": "2ms"}, load={"users": 8}, **base
    )
    found = {name: Counter(row["verdict"] for row in rows) for name, rows in (("client", starved), ("server", loaded))}
    for name, counts in found.items():
        CONSOLE.print(f"rigged {name}-bound: {dict(counts)}", highlight=False)
    return all(found[name][f"{name}-bound"] == 10 for name in ("client", "server"))


def repeatability(directory: Path) -> bool:
    """Ten repeats of one cell at 0.5 CPU. There is no claim to fail: the figure is what a reader has to know."""
    _, rows = sweep(
        directory,
        name="repeatability",
        models=[LOOP],
        limits={"cpus": 0.5},
        workload={"sleep": "5ms", "spin": "500us", "connection": {"requests": 20}},
        load={"users": 16},
        warmup="2s",
        duration="5s",
        repeat=10,
    )
    rates = [float(row["throughput_rps"]) for row in rows if row["verdict"] != "invalid"]
    if len(rates) < 2:
        raise NotTried(f"{len(rates)} of {len(rows)} trials are valid")
    spread = statistics.stdev(rates) / statistics.fmean(rates)
    CONSOLE.print(f"throughput {', '.join(f'{rate:.0f}' for rate in rates)} per second", highlight=False)
    CONSOLE.print(f"coefficient of variation {spread:.1%}; verdicts {dict(Counter(row['verdict'] for row in rows))}")
    return len(rates) == 10


def switches(directory: Path) -> bool:
    """All servers, with persistent connections, 20 requests per connection, and one."""
    return switches_proof.prove(directory, lambda line: CONSOLE.print(line, highlight=False))


def kill(directory: Path) -> bool:
    """kill -9 at 20 random moments; the next command removes what is left, and only that, and completes the sweep."""
    client = docker.from_env()
    bystander = client.containers.run(image_name(SEQUENTIAL), detach=True, network_mode="none")
    moments = random.Random(20)
    good = 0
    try:
        for number in range(20):
            # A search of 1 s windows takes about a minute: the later ones fall into any of its steps.
            most_s = 40.0 if number % 2 else 16.0
            good += _killed_once(directory / f"kill-{number}", moments.uniform(1.0, most_s), number)
        bystander.reload()
        CONSOLE.print(f"{good} of 20 completed; the bystander is {bystander.status}", highlight=False)
        return good == 20 and bystander.status == "running"
    finally:
        bystander.remove(force=True)


def _killed_once(directory: Path, after_s: float, number: int) -> bool:
    directory.mkdir()
    searches = bool(number % 2)
    plain = {"models": [THREAD_EACH, PROCESS_EACH, LOOP], "workload": {"sleep": "1ms"}}
    # The server's limit is low, so that the generator is not what a search finds.
    search = {
        "models": [LOOP],
        "workload": {"spin": "2ms"},
        "limits": {"cpus": 0.5},
        "load": {"mode": "relative", "slo": {"p99": "200ms"}, "at": [0.5]},
    }
    about = search if searches else plain
    path = write_sweep(directory, name=f"kill-{number}", warmup="1s", duration="1s", **about)
    results = directory / "results"
    process = subprocess.Popen(
        command("sweep", str(path), "--results", str(results)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    begun = [entry for entry in results.glob("*") if (entry / "manifest.json").exists()]
    finished = _finished(begun[0]) if begun else {}
    # Killed before there was anything to resume: the next sweep has to tidy up by itself.
    again = ("--resume", str(begun[0])) if begun else (str(path), "--results", str(directory / "second"))
    done = subprocess.run(command("sweep", *again), capture_output=True, text=True, check=False)
    rows = results_in(results if begun else directory / "second")[1] if done.returncode == 0 or searches else []
    left = docker.from_env().containers.list(all=True, filters={"label": RUN_LABEL})
    kept = not begun or finished.items() <= _finished(begun[0]).items()
    whole = _searched(results if begun else directory / "second") if searches else len(rows) == 3
    complete = whole and kept and not left
    end = "completed" if complete else f"NOT COMPLETED (kept: {kept}, left: {len(left)}): {done.stderr.strip()}"
    kind = "search" if searches else "sweep "
    CONSOLE.print(f"{kind} killed after {after_s:4.1f} s with {len(finished)} trials done: {end}", highlight=False)
    return complete


def _finished(results: Path) -> dict[str, bytes]:
    """The records of all finished trials."""
    return {path.parent.name: path.read_bytes() for path in results.glob("trials/*/trial.json")}


def _searched(directory: Path) -> bool:
    """Whether the search there has its answer, and trials.csv every step once and the trial at the share."""
    results, rows = results_in(directory)
    path = results / "capacity.csv"
    if not path.is_file():
        return False
    with path.open() as file:
        (answer,) = csv.DictReader(file)
    steps = [int(row["step"]) for row in rows if row["step"]]
    trials = int(answer["steps"]) + int(answer["invalid"])
    shares = sum(bool(row["share"]) for row in rows)
    return answer["answered"] == "True" and steps == list(range(1, trials + 1)) and shares == 1 == len(rows) - trials


PROOFS: dict[str, Callable[[Path], bool]] = {
    "stall": stall,
    "conservation": conservation,
    "recognition": recognition,
    "repeatability": repeatability,
    "calibration": lambda _: calibration_proof.holds(),
    "switches": switches,
    "kill": kill,
}


def main() -> int:
    names = sys.argv[1:] or list(PROOFS)
    if unknown := [name for name in names if name not in PROOFS]:
        print(f"proofs: found {unknown[0]!r}, allowed: {', '.join(PROOFS)}", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="threadmill-proofs-"))
    held: dict[str, bool] = {}
    try:
        for name in names:
            CONSOLE.rule(name)
            try:
                held[name] = PROOFS[name](directory)
            except NotTried as reason:
                # The other claims stand for themselves.
                CONSOLE.print(f"not tried: {reason}", markup=False, highlight=False)
                held[name] = False
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    CONSOLE.rule("claims")
    for name, true in held.items():
        CONSOLE.print(f"{name}: {'held' if true else 'DID NOT HOLD'}", highlight=False)
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
