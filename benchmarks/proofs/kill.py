"""A sweep killed at any moment leaves nothing that is not removed, keeps what was finished, and is completed."""

import csv
import os
import random
import signal
import subprocess
from pathlib import Path

import docker

from benchmarks.proofs.running import CONSOLE
from benchmarks.subjects import LOOP, PROCESS_EACH, SEQUENTIAL, THREAD_EACH
from benchmarks.sweeping import command, results_in, write_sweep
from testbed.names import image_name
from testbed.stack.services import RUN_LABEL


def holds(directory: Path) -> bool:
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
