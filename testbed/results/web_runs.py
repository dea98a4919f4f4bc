"""Runs made from Locust's web page, brought from the results volume into results/web/, laid out like a sweep's.

They are judged by the same code on what there is. No verification precedes them and no server's exit report follows,
so those gates stay unknown, and what nobody recorded is empty, never zero. Limits and server figures come from the
probe beside the server, where there was one.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.errors import UserError
from testbed.files import write_atomically, write_json
from testbed.judge.shape import is_known
from testbed.judge.verdict import judge
from testbed.names import image_name
from testbed.plan.axes import AXES
from testbed.plan.axis import Axis, Form
from testbed.plan.cells import Cell, has_threads, has_workers, with_front
from testbed.plan.profile import STEADY, mean_rps
from testbed.results import reading, web_boxes
from testbed.results.directory import SCHEMA_VERSION, csv_text
from testbed.results.evidence import evidence
from testbed.results.findings import Findings, Seen
from testbed.results.metrics import metrics
from testbed.results.summary import summary
from testbed.results.web_boxes import WebBoxes
from testbed.stack import needs
from testbed.stack.cpus import UNPINNED
from testbed.stack.docker import DockerEngine
from testbed.stack.services import Limits

VOLUME = "threadmill_results"
DIRECTORY = "web"
_NAME = re.compile(r"load/(web-[A-Za-z0-9._-]+?)\.(json|probe\.ndjson)")
_PLACES = {"json": "load.json", "probe.ndjson": "probe.ndjson"}

Record = dict[str, Any]


def collect(results: Path, say: Callable[[str], None], source: Path | None = None) -> Path:
    """Bring over what is new and return results/web/. UserError where no run was ever made from the page.

    From the results volume of this machine's engine, or from below `source`, a directory with files of such a volume.
    """
    directory = results / DIRECTORY
    found, cpus = _of_volume(DockerEngine()) if source is None else (_brought(source), os.cpu_count() or 1)
    fresh = sorted(trial_id for trial_id in found if not (directory / "trials" / trial_id / "trial.json").exists())
    for trial_id in fresh:
        store(directory, trial_id, found[trial_id], cpus)
    if fresh:
        say(f"{len(fresh)} run{'s' if len(fresh) > 1 else ''} from the web page brought to {directory}")
    if not (directory / "trials").is_dir():
        raise UserError(
            "no run was made from the web page yet: `.venv/bin/python orchestrate.py up MODEL`, then open the page it "
            "names; a run is recorded when it stops"
        )
    describe(directory)
    return directory


def _of_volume(engine: DockerEngine) -> tuple[dict[str, dict[str, str]], int]:
    """Of each run whose result is whole, its files as a trial's directory has them; and the engine's processors."""
    return _by_run(engine.volume_files(VOLUME, "load", image_name("locust"))), engine.cpus


def _brought(source: Path) -> dict[str, dict[str, str]]:
    """The runs below a directory. UserError, one line, where there is none."""
    try:
        files = (path for path in sorted(source.rglob("web-*")) if path.is_file())
        found = _by_run((f"load/{path.name}", path.read_text(encoding="utf-8")) for path in files)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--from: {source}: cannot be read: {error}") from None
    if not found:
        raise UserError(f"--from: found {source}, allowed: a directory with results of Locust below it (web-*.json)")
    return found


def _by_run(files: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, text in files:
        if match := _NAME.fullmatch(name):
            found.setdefault(match[1], {})[_PLACES[match[2]]] = text
    return {trial_id: files for trial_id, files in found.items() if "load.json" in files}


def store(directory: Path, trial_id: str, files: dict[str, str], machine_cpus: int) -> None:
    """Write one run as a trial. Its record comes last: a trial with a record is whole."""
    place = directory / "trials" / trial_id
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(place / name, text)
    load = json.loads(files["load.json"])
    lines = [json.loads(line) for line in files.get("probe.ndjson", "").splitlines()]
    write_json(place / "trial.json", record(trial_id, load, lines, machine_cpus))


def record(trial_id: str, load: Record, lines: list[Record], machine_cpus: int) -> Record:
    """The content of trial.json, out of the load's result and the probe's lines. Pure.

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


_OF_TASKS = ("voluntary_switches", "involuntary_switches")
_COUNTERS = (
    *("cpu_used_us", "periods", "throttled_periods", "throttled_us", "listen_overflows", "oom_kills"),
    *_OF_TASKS,
)
_LEVELS = ("memory_now_bytes", "accept_queue", "processes", "threads", "established", "pss_bytes", "memory_peak_bytes")
# Less of the window than this the lines of a second each must not stand for.
_LEAST_COVERED = 0.5


def probe_summary(window: Record, lines: list[Record]) -> Record | None:
    """What the probe's lines say of the window, in the form of a sweep's probe.json. None without lines enough. Pure.

    Lines come once a second whenever the window opens, so what they cover is scaled to it: off by a second's use at
    most. Growth is that since the line before; the first line in the window has part of its growth from before it.
    """
    places = [n for n, one in enumerate(lines) if n and window["opens_unix"] <= one["unix"] <= window["closes_unix"]]
    if not places:
        return None
    inside = [lines[n] for n in places]
    covered_s = inside[-1]["unix"] - lines[places[0] - 1]["unix"]
    if covered_s <= 0 or covered_s < _LEAST_COVERED * window["duration_s"]:
        return None
    scale = window["duration_s"] / covered_s
    grown: Record = {}
    for name in _COUNTERS:
        values = [one[f"{name}_since_last"] for one in inside if f"{name}_since_last" in one]
        grown[name] = round(sum(values) * scale) if values and _is_whole(name, inside) else None
    levels = {name: [one[name] for one in inside if one.get(name) is not None] for name in _LEVELS}
    last = {name: values[-1] if values else None for name, values in levels.items()}
    # Kills are counted one by one, and never estimated.
    last["oom_kills"] = grown["oom_kills"] and sum(one.get("oom_kills_since_last", 0) for one in lines)
    return {
        "schema_version": 1,
        "by_hand": True,
        "difference": {"duration_s": window["duration_s"], **grown},
        "closed": last,
        "max": {name: max(values) if values else None for name, values in levels.items()},
    }


def _is_whole(name: str, lines: list[Record]) -> bool:
    """Whether each line that could tell it does: the rest would be a part of the growth."""
    if name not in _OF_TASKS:
        return True
    # Lines of schema 1 told that of the tasks alive alone.
    return all(one.get("schema_version", 1) >= 2 and f"{name}_since_last" in one for one in lines if "threads" in one)


def describe(directory: Path) -> None:
    """What a sweep's directory has besides its trials."""
    facts = reading.json_file(directory / "manifest.json") or {}
    found = reading.trials(directory, facts)
    write_json(directory / "manifest.json", manifest(list(found.records.values())))
    write_atomically(directory / "sweep.yaml", "# Runs from the web page: each has its own settings.\nname: web\n")
    write_atomically(directory / "trials.csv", csv_text(found.kept))
    write_json(directory / "summary.json", summary(found.kept, seed=0))


def manifest(records: list[Record]) -> Record:
    """What the runs tell of where they were made. Pure.

    Each run has its own record of its machine; here stands what all have in common, and None for what differs between
    them or was not recorded: neither the machine nor the code of whoever collects them is theirs.
    """
    hosts = [record.get("host") or {} for record in records]
    names = dict.fromkeys(name for host in hosts for name in host)
    common = {name: hosts[0].get(name) if len({host.get(name) for host in hosts}) == 1 else None for name in names}
    first = min((record["started_unix"] for record in records if "started_unix" in record), default=None)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": DIRECTORY,
        "by_hand": True,
        "started_utc": None if first is None else datetime.fromtimestamp(first, UTC).isoformat(timespec="seconds"),
        "host": common or None,
        "engine": None,
        "threadmill": None,
        "calibration": None,
    }
