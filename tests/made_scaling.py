"""Results of sweeps with replicas, fronts and scaling, with every file the report reads, from made-up numbers."""

import json
import random
from pathlib import Path
from typing import Any

from testbed.plan.cell import Cell
from tests.unit.testbed.made_runs import make_run

OPENS = 1_700_000_000.0
SYSTEMS = {
    "models": ["spst"],
    "replicas": {"count": [1, 2, 4]},
    "front": {"kind": ["dns", "haproxy"], "cpus": 0.25},
    "workload": {"connection": ["persistent", "per-request"]},
    "load": {"users": 8},
    "limits": {"cpus": 1.0},
    "repeat": 5,
}
# Of what one server with all of the CPU does.
SHARE = {1: 1.0, 2: 0.9, 4: 0.7}
LAW = {"change": "replicas", "on": "cpu", "target": 0.6, "min": 1, "max": 4}
MOVING = {
    "models": ["spst"],
    "replicas": {"count": [1, 4], "cpus": "each"},
    "front": {"kind": "haproxy", "cpus": 0.25},
    "limits": {"cpus": 0.25},
    "load": {"mode": "open", "profile": "100x5s,400x15s", "objective": {"p99": "50ms"}},
    "scaling": ["none", LAW],
    "exclude": [{"scaling": LAW, "replicas": 4}],
    "duration": "20s",
    "repeat": 5,
}
"""One replica and four that stand still, and one that a law may make four."""
STEP_AT, GROWN_AT = 5, 9
OBJECTIVE_US = 50_000


def make_systems(path: Path) -> Path:
    """Every system in five blocks; behind dns with persistent connections one replica has it all."""
    chance = random.Random(3)

    def measured(cell: Cell, block: int) -> dict[str, Any]:
        rate = 1_000 * SHARE[cell.replicas] * (0.95 if cell.front == "haproxy" else 1.0) * chance.uniform(0.99, 1.01)
        uneven = cell.front == "dns" and cell.connection == "persistent"
        served = [round(rate * 12 / cell.replicas)] * cell.replicas
        if uneven:
            served = [round(rate * 12), *([0] * (cell.replicas - 1))]
        boxes = [
            _server(cell, number, count, cpu_used_s=10 * cell.cpus_of_each * (0.97 if count else 0.01))
            for number, count in enumerate(served, 1)
        ]
        if cell.is_proxied:
            about = {"cpu_limit": 0.25, "cpu_used_s": 1.1, "connections": sum(served), "window_s": 10.0}
            boxes.append({"name": "front", "role": "front", **about})
        boxes.append({"name": "w1", "role": "load worker", "cpu_limit": None, "cpu_used_s": 4.0, "window_s": 10.0})
        several = cell.replicas > 1
        return {
            "throughput_rps": rate,
            "latency_p99_us": round(20_000 / SHARE[cell.replicas] * chance.uniform(0.98, 1.02)),
            "ok": round(rate * 10),
            "window_s": 10.0,
            "imbalance": max(served) * len(served) / sum(served) if several else None,
            "front_cpu_us_per_request": 110.0 if cell.is_proxied else None,
            "boxes": boxes,
            "reasons": ["CPU: used 0.97 of its limit"],
        }

    make_run(path, SYSTEMS, measured=measured)
    return path


def _server(cell: Cell, number: int, served: int, **about: Any) -> dict[str, Any]:
    name = cell.model if cell.is_single else f"{cell.model}-{number}"
    counted = {"served": served, "connections": served // 10 + 1, "cpu_limit": cell.cpus_of_each, "window_s": 10.0}
    return {"name": name, "role": "server", **counted, **about}


def make_moving(path: Path) -> Path:
    """Five blocks of a load that rises fourfold in its sixth second: one replica does not bear it, four do, and a law
    that starts three more has them in the tenth second."""

    def measured(cell: Cell, block: int) -> dict[str, Any]:
        grows = cell.scaling != "none"
        boxes = [_server(cell, number, 800) for number in range(1, cell.replicas + 1)]
        boxes += [_server(cell, number, 600, joined=True) for number in (2, 3, 4)] if grows else []
        actions = [
            {
                "at_s": 7.2,
                "what": "replicas",
                "was": 1,
                "to": 4,
                "reason": "cpu 1.00 of target 0.60 x 1 replica: 2 <b>bounded</b>",
                "took_s": GROWN_AT - 7.2,
                "done": True,
                "said": ["spst-2 serves, 1.7 s after its start"],
            }
        ]
        before = {"at_s": 0.004, "serving": cell.replicas, "running": cell.replicas, "cpus": 0.25 * cell.replicas}
        grown = [
            {"at_s": 7.2, "serving": 1, "running": 4, "cpus": 1.0},
            {"at_s": float(GROWN_AT), "serving": 4, "running": 4, "cpus": 1.0},
        ]
        front = {"name": "front", "role": "front", "cpu_limit": 0.25, "cpu_used_s": 1.0, "window_s": 20.0}
        return {
            "verdict": "transient",
            "throughput_rps": 300.0 + block,
            "window_s": 20.0,
            "failed": 0,
            "missed": 0,
            "boxes": [*boxes, front],
            "actions": actions if grows else [],
            "provision": [before, *(grown if grows else [])],
        }

    make_run(path, MOVING, measured=measured)
    for directory in sorted((path / "trials").iterdir()):
        _seconds(directory)
    return path


def _seconds(directory: Path) -> None:
    """What the load and the probes have written of every second."""
    record = json.loads((directory / "trial.json").read_text())
    enough = {"none": STEP_AT if record["replicas"] == 1 else 0}.get(record["scaling"], GROWN_AT)
    slices = []
    for second in range(20):
        rate = 100 if second < STEP_AT else 400
        slow = second >= STEP_AT and ((record["scaling"] == "none" and record["replicas"] == 1) or second < enough)
        counts = {"ok": 100 if slow else rate, "failed": 0, "offered": rate, "missed": 0}
        times = {"p50_us": 9_000, "p99_us": 400_000 if slow else 20_000}
        slices.append({"start_s": float(second), "duration_s": 1.0, "in_window": True, **counts, **times})
    late = sum(one["ok"] for one in slices if one["p99_us"] > OBJECTIVE_US)
    histogram = [[9_000, 9_100, sum(one["ok"] for one in slices) - late], [400_000, 401_000, late]]
    window = {"opens_unix": OPENS, "duration_s": 20.0}
    load = {"window": window, "slices": slices, "histograms": {"unit": "us", "latency": histogram}}
    (directory / "load.json").write_text(json.dumps(load))
    for box in record["boxes"]:
        begins = OPENS + 7.5 if box.get("joined") else OPENS - 2
        samples = []
        while begins + len(samples) / 4 <= OPENS + 20:
            used = round(len(samples) / 4 * 200_000)
            samples.append({"unix": begins + len(samples) / 4, "cpu_used_us": used, "accept_queue": 0})
        lines = "".join(json.dumps(one) + "\n" for one in samples)
        (directory / f"{box['name']}.probe.ndjson").write_text(lines)
        (directory / f"{box['name']}.probe.json").write_text(json.dumps({"closed": {"processes": 1}}))
