"""A run from the web page as a trial: judged by the same code as a sweep's on what there is. Pure.

No verification precedes it and no server's exit report follows, so those gates stay unknown, and what nobody recorded
is empty, never zero. Limits and server figures come from the probe beside the server, where there was one.
"""

from dataclasses import asdict
from typing import Any

from testbed.judge.shape import is_known
from testbed.judge.verdict import judge
from testbed.plan.axes import AXES
from testbed.plan.axis import Axis, Form
from testbed.plan.cell import Cell
from testbed.plan.pools import has_threads, has_workers
from testbed.plan.profile import STEADY, mean_rps
from testbed.plan.settling import with_front
from testbed.results import web_boxes
from testbed.results.directory import SCHEMA_VERSION
from testbed.results.evidence import evidence
from testbed.results.findings import Findings, Seen
from testbed.results.metrics import metrics
from testbed.results.web_boxes import WebBoxes
from testbed.results.web_probe import probe_summary
from testbed.stack import needs
from testbed.stack.cpus import UNPINNED
from testbed.stack.services import Limits

Record = dict[str, Any]


def record(trial_id: str, load: Record, lines: list[Record], machine_cpus: int) -> Record:
    """The content of trial.json, out of the load's result and the probe's lines.

    `machine_cpus`: of the machine it was made on, where the result itself does not tell.
    """
    machine_cpus = (load.get("host") or {}).get("cpus") or machine_cpus
    boxes = web_boxes.found(load, lines)
    cell = _cell(load, boxes, machine_cpus)
    found = Findings(load=load, boxes=_seen(cell, boxes, load["window"]), other_echoes=None)
    found.workers_expected = load["workers_present"]["expected"]
    known = evidence(cell, found, UNPINNED, machine_cpus)
    verdict = judge(known)
    options = load["options"]
    unknown: Record = {name: boxes.of_servers(name) for name in ("cpus", "memory_bytes")}
    unknown |= {"limit": "quota" if unknown["cpus"] else None}
    unknown |= _front_not_known(boxes) | _behind_not_known(options)
    unknown |= _header_not_known(options)
    unknown |= {"spin_us": _asked_us(options, "spin_us", "spin_units")}
    unknown |= {"hash_us": _asked_us(options, "hash_us", "hash_rounds")}
    unknown |= _pools_not_known(cell)
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial_id,
        "block": 1,
        "canary": False,
        "seed": load["options"].get("seed"),
        **asdict(cell),
        **unknown,
        "status": "failed" if verdict.kind == "invalid" else "ok",
        "verdict": verdict.kind,
        "unsteady": verdict.unsteady,
        "disturbed": verdict.disturbed,
        "reasons": list(verdict.reasons),
        **metrics(cell, load, known.boxes),
        "overhead_s": None,
        "gates": [asdict(gate) for gate in verdict.gates],
        "verification": None,
        "by_hand": True,
        "started_unix": load["started_unix"],
        "host": load.get("host"),
        "options": options,
    }


def _seen(cell: Cell, boxes: WebBoxes, window: Record) -> list[Seen]:
    """The servers, and the front where there is one."""
    tasks = needs.tasks_limit(cell)
    servers = [
        Seen(
            box.name,
            "server",
            Limits(box.limits.get("cpus") or cell.cpus, memory_bytes=box.limits.get("memory_bytes"), tasks=tasks),
            probe=probe_summary(window, list(box.lines)),
        )
        for box in boxes.servers
    ]
    if boxes.front is None:
        return servers
    limits = Limits(cell.front_cpus, memory_bytes=boxes.front.limits.get("memory_bytes"))
    return [*servers, Seen(boxes.front.name, "front", limits, probe=probe_summary(window, list(boxes.front.lines)))]


def _front_not_known(boxes: WebBoxes) -> Record:
    """Of several servers and of what spreads the load over them, what nobody has recorded."""
    unknown: Record = {}
    if boxes.replicas is None:
        unknown |= {"replicas": None, "replica_cpus": None}
    if boxes.front_kind is None:
        unknown |= {"front": None}
    if boxes.front is not None:
        unknown |= {"front_cpus": boxes.front.limits.get("cpus"), "balance": None, "queue": None}
    return unknown


def _behind_not_known(options: Record) -> Record:
    """The load knows only of what kind it is."""
    return {} if options.get("behind", "none") == "none" else {"behind": None, "value_bytes": None}


def _header_not_known(options: Record) -> Record:
    """What the server was told by its environment."""
    return {"cache_control": None} if options.get("protocol", "line") == "http" else {}


def _asked_us(options: Record, time_name: str, units_name: str) -> int | None:
    """The time that was asked for, as the load calibrated it on the target. None where units were: what they take is
    not known."""
    asked: int = options.get(time_name, 0)
    return asked or (None if options[units_name] else 0)


def _cell(load: Record, boxes: WebBoxes, machine_cpus: int) -> Cell:
    """What was measured. Where no limit is known the machine's processors are one: nothing more could be used."""
    options, model = load["options"], boxes.model
    counted: Record = {
        "model": model,
        "cpus": boxes.of_servers("cpus") or float(machine_cpus),
        "memory_bytes": boxes.of_servers("memory_bytes") or 0,
        # As counted from outside: a pool is its first process, or thread, and its workers.
        "workers": max(0, (boxes.last_of_servers("processes") or 1) - 1) if has_workers(model) else 0,
        "threads": max(0, (boxes.last_of_servers("threads") or 1) - 1) if has_threads(model) else 0,
        "users": load["users"],
        # By hand a limit is that of each container.
        "replicas": len(boxes.servers),
        "replica_cpus": "each" if len(boxes.servers) > 1 else "split",
        "front": boxes.front_kind or "dns",
        "front_cpus": 0.0 if boxes.front is None else boxes.front.limits.get("cpus") or float(machine_cpus),
        "balance": "none",
        "queue": "none",
    }
    chosen = {axis.field: _chosen(axis, axis.form, options) for axis in AXES if axis.form}
    usual: Record = {axis.field: axis.usual for axis in AXES} | {"value_bytes": 0}
    if options.get("behind", "none") == "none" and options.get("method", "post") == "post":
        chosen["keys"] = 0
    if chosen["profile"] != STEADY and (window_s := load["window"]["duration_s"]):
        chosen["rate_rps"] = mean_rps(chosen["profile"], window_s)
    return with_front(Cell(**usual | chosen | counted))


def _chosen(axis: Axis, form: Form, options: Record) -> Any:
    """What the run was asked for; where its version did not know the option, what it then stood at."""
    if form.name not in options or form.told is None:
        return axis.usual if axis.earlier is None else axis.earlier
    return form.told(options[form.name])


def _pools_not_known(cell: Cell) -> Record:
    """Nothing has counted the pool, or the target is a server of which nobody knows whether it has one."""
    has = {"workers": has_workers(cell.model), "threads": has_threads(cell.model)}
    return {name: None for name, one in has.items() if not is_known(cell.model) or (one and not getattr(cell, name))}
