"""Sweeps on the machine that is asked about: few trials, each looked at."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.vm.asked import Terminal, docker, left, orchestrate, terminal

Facts = dict[str, Any]
Row = dict[str, str]
# Long for the machine outside: an emulated one has a tenth of its requests in them.
WINDOW = {"warmup": "3s", "duration": "8s"}
MIB = 2**20


def write(out: Path, name: str, **fields: Any) -> Path:
    base: dict[str, Any] = {
        "name": name,
        "models": ["event-loop"],
        "limits": {"cpus": 0.5, "memory": "128MiB"},
        "workload": {"sleep": "1ms", "spin": "1ms"},
        "load": {"users": 8},
        **WINDOW,
    }
    path = out / f"{name}.yaml"
    path.write_text(yaml.safe_dump(base | fields))
    # What an earlier try has left would be taken for this one's.
    for directory in (out / "results").glob(f"{name}-*"):
        shutil.rmtree(directory)
    return path


def results_of(out: Path, name: str) -> Path:
    (directory,) = (out / "results").glob(f"{name}-*")
    return directory


def rows_of(directory: Path) -> list[Row]:
    with (directory / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def file_of(directory: Path, row: Row, name: str) -> Facts:
    """A trial's own file of this name."""
    found: Facts = json.loads((directory / "trials" / row["trial_id"] / name).read_text())
    return found


def swept(out: Path, name: str, code: int = 0, **fields: Any) -> tuple[Path, list[Row]]:
    """Run this sweep to its end; it has to leave nothing but its results."""
    said = orchestrate("sweep", write(out, name, **fields), "--results", out / "results", code=code)
    directory = results_of(out, name)
    (out / f"{name}.txt").write_text(said)
    assert (directory / "report.html").is_file(), said[-800:]
    assert left() == [], left()
    return directory, rows_of(directory)


def told(rows: Sequence[Row], *columns: str) -> Facts:
    """These columns of each trial; whatever they are, how it was judged."""
    chosen = ("verdict", *columns, "reasons")
    return {"trials": {row["trial_id"]: {name: row[name] for name in chosen} for row in rows}}


def all_ok(rows: Sequence[Row]) -> None:
    wrong = [f"{row['trial_id']}: {row['reasons']}" for row in rows if row["status"] != "ok"]
    assert not wrong, "; ".join(wrong)


def demo(out: Path) -> Facts:
    """Three models of the demo's sweep at half a CPU and at one: six trials, all valid, throttled where the
    quota is small."""
    _, rows = swept(
        out,
        "demo",
        models=["spst", "mpmt", "event-loop"],
        limits={"cpus": [0.5, 1.0], "memory": "128MiB"},
        workload={"sleep": "5ms", "spin": "500us", "payload": "64B", "connection": {"requests": 20}},
    )
    all_ok(rows)
    assert len(rows) == 6
    for row in rows:
        assert row["throttled_periods"] != "" and row["memory_peak_bytes"] != ""
        assert float(row["cpu_used_s"]) <= float(row["cpus"]) * float(row["window_s"]) * 1.15, row
    hungry = [row for row in rows if row["cpus"] == "0.5" and row["model"] != "spst"]
    assert all(int(row["throttled_periods"]) > 0 for row in hungry), hungry
    return told(rows, "throughput_rps", "cpu_used_s", "throttled_periods", "periods", "memory_peak_bytes")


def limits(out: Path) -> Facts:
    """A CPU limit by quota, by processors, and by both: throttled where there is a quota, and never over the limit."""
    directory, rows = swept(
        out,
        "limits",
        models=["mpmt"],
        limits={"cpus": 1.0, "limit": ["quota", "cpuset", "both"], "memory": "64MiB"},
        workload={"spin": "2ms"},
    )
    all_ok(rows)
    used = {row["limit"]: float(row["cpu_used_s"]) / float(row["window_s"]) for row in rows}
    assert all(share <= 1.1 for share in used.values()), used
    in_force = {row["limit"]: file_of(directory, row, "probe.json")["limits"] for row in rows}
    quotas = {limit: found["cpus"] for limit, found in in_force.items()}
    assert quotas == {"quota": 1.0, "cpuset": None, "both": 1.0}, in_force
    assert all(found["memory_bytes"] == 64 * MIB and len(found["cpuset"]) == 1 for found in in_force.values()), in_force
    return {**told(rows, "throttled_periods", "periods", "cpu_used_s", "memory_peak_bytes"), "in_force": in_force}


def out_of_memory(out: Path) -> Facts:
    """64 users make a server that forks for each of them grow beyond 20 MiB: the kernel kills, that is said, and
    nothing is swapped."""
    _, rows = swept(
        out,
        "memory",
        code=1,
        models=["mpst"],
        limits={"cpus": 1.0, "memory": "20MiB"},
        load={"users": 64},
    )
    (row,) = rows
    assert row["status"] == "failed", row
    assert "memory" in row["reasons"], row["reasons"]
    return told(rows, "oom_kills", "memory_peak_bytes")


def networks(out: Path) -> Facts:
    """Over the bridge, and in one network name space."""
    _, rows = swept(out, "networks", network=["bridge", "shared"])
    all_ok(rows)
    return told(rows, "network", "throughput_rps", "latency_p50_us", "accept_queue_max", "listen_overflows")


@contextmanager
def _swarm() -> Iterator[None]:
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        yield
    finally:
        docker("swarm", "leave", "--force")


def overlay(out: Path) -> Facts:
    """Over an overlay network of the machine's own Swarm, of which it is the only node."""
    with _swarm():
        _, rows = swept(out, "overlay", network=["bridge", "overlay"])
    all_ok(rows)
    return told(rows, "network", "throughput_rps", "latency_p50_us")


def resizing(out: Path) -> Facts:
    """CPUs and memory that are given, and taken back, while the load is on."""
    steps = [
        {"change": "cpus", "steps": [{"at": "4s", "to": 1.0}]},
        {"change": "memory", "steps": [{"at": "4s", "to": "256MiB"}]},
    ]
    directory, rows = swept(
        out,
        "resizing",
        limits={"cpus": 0.25, "memory": "128MiB"},
        load={"mode": "open", "rate": 20, "users": 32},
        scaling=steps,
    )
    all_ok(rows)
    changes = {row["trial_id"]: file_of(directory, row, "trial.json")["actions"] for row in rows}
    return {**told(rows, "cpu_used_s"), "changes": changes}


def front(out: Path) -> Facts:
    """Two replicas behind HAProxy, and behind nginx."""
    _, rows = swept(
        out,
        "front",
        replicas={"count": 2, "cpus": "split"},
        front={"kind": ["haproxy", "nginx"], "cpus": 0.5},
        workload={"spin": "1ms", "connection": {"requests": 5}},
    )
    all_ok(rows)
    return told(rows, "front", "throughput_rps", "front_cpu_s", "front_connections", "imbalance")


def resume(out: Path) -> Facts:
    """A sweep that is killed in its second trial is completed by --resume; what was finished stays as it was."""
    path = write(out, "resume", repeat=3)
    with running(out, path) as shown:
        shown.wait_for("002-b2-event-loop-0.5cpu window")
    directory = results_of(out, "resume")
    before = rows_of(directory)
    assert [row["block"] for row in before] == ["1"], before
    abandoned = left()
    orchestrate("sweep", "--resume", directory)
    after = rows_of(directory)
    all_ok(after)
    assert [row["block"] for row in after] == ["1", "2", "3"] and after[0] == before[0]
    assert left() == [], left()
    return {**told(after, "throughput_rps"), "left by the killed one": len(abandoned)}


@contextmanager
def running(out: Path, path: Path) -> Iterator[Terminal]:
    """A sweep on a terminal, where it shows its phases; SIGKILL ends it with the block."""
    with terminal("sweep", path, "--results", out / "results") as shown:
        try:
            yield shown
        finally:
            shown.process.kill()


def watched(out: Path) -> Facts:
    """`watch` beside a sweep: what it says while a trial is measured."""
    # An emulated machine takes long to start another program.
    path = write(out, "watched", repeat=1, duration="90s")
    with running(out, path) as shown:
        shown.wait_for("cpu window")
        look: Facts = json.loads(orchestrate("watch", "--once", "--json").splitlines()[-1])
    orchestrate("down", "--runs")
    assert left() == [], left()
    unknown = sorted(name for name, value in look.items() if value is None)
    return {"model": look["model"], "limits": look["limits"], "unknown": unknown}
