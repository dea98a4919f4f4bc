"""Recorded evidence: what real trials left behind and what became of it, and what f0f7ac4 said of evidence in its form.

tests/unit/testbed/judge/test_golden.py judges all of it again. Record anew, in the project's virtual environment:

    python -m tests.golden measured RESULTS_DIRECTORY ...     trials of finished sweeps, a few of each kind
    python -m tests.golden judged CHECKOUT_OF_F0F7AC4         its own tests' evidence, and that of the trials, changed

A change of these files is a change of what a verdict means: say in the commit why it is one.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.plan import calibration
from testbed.plan.axes import FIELDS
from testbed.plan.cell import Cell
from testbed.plan.trials import Trial
from testbed.results.columns import EARLIER
from testbed.results.evidence import evidence
from testbed.results.findings import Findings, Seen
from testbed.results.record import record
from testbed.stack import server_services
from testbed.stack.cpus import CpuSets
from testbed.stack.run import Run
from tests.unit.testbed.judge import made

PLACE = Path(__file__).parent / "fixtures" / "evidence"
MEASURED, JUDGED = PLACE / "measured.jsonl", PLACE / "judged_by_f0f7ac4.jsonl"

# Not what a trial is judged by or shown with, and most of its bytes.
_BULK = frozenset({"histograms", "hdr", "host", "options", "unavailable", "edges", "machine", "churn", "samples"})
# What tells when the record was made, or by which version.
NOT_COMPARED = frozenset({"schema_version", "phases_began_s", "total_s"})

Case = dict[str, Any]


def read(path: Path) -> list[Case]:
    """One case a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, cases: list[Case]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases), encoding="utf-8")


# --- from a case to what today's code takes: the one place to adapt when that changes its form ---


def trial_of(case: Case) -> Trial:
    """The trial whose record this is."""
    kept = case["record"]
    return Trial(kept["trial_id"], kept["block"], _cell(kept), kept["canary"], kept["search_id"], kept["step"])


def _cell(kept: dict[str, Any]) -> Cell:
    """What was measured; an axis that came later stood at what there was before it."""
    return Cell(**{name: kept.get(name, EARLIER.get(name)) for name in FIELDS})


def findings_of(case: Case) -> Findings:
    """What was found out in the trial, as it was before it was judged."""
    kept, facts = case["record"], case["facts"]
    run = Run("golden", "golden", "0:0", facts["workers_expected"], cpu_sets=CpuSets(**kept["cpu_sets"]))
    server = Seen.of(server_services.servers(run, trial_of(case))[0])
    server.probe, server.report, server.ended = case["probe"], kept["exit_report"], facts["server_ended"]
    return Findings(
        failure=facts["failure"],
        boxes=[server],
        verification=kept["verification"],
        shape_mismatch=facts["shape_mismatch"],
        other_echoes=facts["other_echoes"],
        workers_expected=facts["workers_expected"],
        load=case["load"],
        packets_dropped=facts["packets_dropped"],
        least_cpu_us=facts["least_cpu_us"],
        speed_drift=kept["speed_drift"],
        overhead_s=kept["overhead_s"],
        total_s=kept["total_s"],
    )


def record_again(case: Case) -> dict[str, Any]:
    """What trial.json would say today, from the same load's, probe's and server's words."""
    cpu_sets = CpuSets(**case["record"]["cpu_sets"])
    return json_of(record(trial_of(case), findings_of(case), cpu_sets, case["facts"]["machine_cpus"]))


def evidence_of(fields: dict[str, Any]) -> Evidence:
    """Evidence as f0f7ac4 had it: flat, of one server; what it did not know is left at its default."""
    # What f0f7ac4 called send_lag_p99_us was the dispatch lag already.
    renamed = {"send_lag_p99_us": "dispatch_lag_p99_us"}
    tuples = {renamed.get(name, name): tuple(one) if isinstance(one, list) else one for name, one in fields.items()}
    return made.evidence(**tuples | {"generator": _generator(fields.get("generator"))})


def _generator(workers: list[dict[str, Any]] | None) -> tuple[Box, ...]:
    boxes = []
    for one in workers or ():
        rest = {name: value for name, value in one.items() if name != "worker"}
        boxes.append(Box(name=one["worker"], role="load worker", **rest))
    return tuple(boxes)


# --- what was measured ---


def json_of(value: Any) -> Any:
    """As it reads back from a file: tuples become lists."""
    return json.loads(json.dumps(value))


def differences(case: Case) -> list[str]:
    """Names in the record of which today's code says something else."""
    kept, again = case["record"], record_again(case)
    return [name for name in kept if name not in NOT_COMPARED and again.get(name) != kept[name]]


def measured(directory: Path) -> Iterator[Case]:
    """A case of each trial of a sweep's results. What its record does not keep is read back from its gates' words."""
    facts = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    for path in sorted(directory.glob("trials/*/trial.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        load, probe = (_small(path.parent / name) for name in ("load.json", "probe.json"))
        yield {
            "facts": _facts(kept, load or {}, facts),
            "load": load,
            "probe": probe,
            "record": kept,
        }


def _small(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    return {name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if name not in _BULK}


def _facts(kept: dict[str, Any], load: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    gates = {gate["name"]: gate for gate in kept["gates"]}
    ended, failure = (gates[name] for name in ("server_survived", "completed"))
    dropped = re.match(r"(\d+) packets", gates.get("connection_tracking", {}).get("found", ""))
    least = re.match(r"(\d+)", gates["conservation"]["allowed"])
    outside = (load.get("replies_to_checks") or 0) + (load.get("idle_holders", {}).get("echoes") or 0)
    cell = _cell(kept)
    return {
        "commit": manifest["threadmill"]["commit"],
        "machine_cpus": manifest["host"]["cpus"],
        "failure": failure["found"] if failure["status"] == "fail" else "",
        "server_ended": ended["found"] if ended["status"] == "fail" else "",
        "shape_mismatch": "" if gates["model_shape"]["status"] == "pass" else gates["model_shape"]["found"],
        "other_echoes": int(least[1]) - load["totals"]["ok"] - outside if least and load else None,
        "workers_expected": load.get("workers_present", {}).get("expected"),
        "packets_dropped": int(dropped[1]) if dropped else None,
        "least_cpu_us": calibration.least_cpu_us(
            calibration.work(cell, manifest["calibration"]), manifest["calibration"]
        ),
    }


def _kind(case: Case) -> tuple[Any, ...]:
    """Of one kind a single case is kept."""
    kept = case["record"]
    names = ("model", "cpus", "mode", "network", "verdict", "unsteady", "disturbed", "idle_holders")
    return (*(kept[name] for name in names), kept["connection"] == "per-request")


def gather(directories: list[Path]) -> list[Case]:
    """A case of each kind from results directories, those that today's code judges as they were."""
    found: dict[tuple[Any, ...], Case] = {}
    for directory in directories:
        for case in measured(directory):
            if wrong := differences(case):
                print(f"left out: {directory.name} {case['record']['trial_id']}: {', '.join(wrong)}", file=sys.stderr)
            else:
                found.setdefault(_kind(case), case)
    return list(found.values())


# --- what f0f7ac4 says ---

# Runs in its checkout, so with its code: prints the fields it knows, then one verdict for each line it is given.
_JUDGE = """
import json, sys
from dataclasses import asdict, fields
from testbed.verdict import Evidence, GeneratorWorker, judge
known = {field.name for field in fields(Evidence)}
for line in sys.stdin:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(line).items()}
    given = {name: value for name, value in given.items() if name in known}
    workers = given.get("generator")
    evidence = Evidence(**given | {"generator": workers and tuple(GeneratorWorker(**one) for one in workers)})
    verdict = judge(evidence)
    gates = {gate.name: gate.status for gate in verdict.gates if gate.status != "pass"}
    print(json.dumps({"kind": verdict.kind, "reasons": verdict.reasons, "gates": gates, "of": len(verdict.gates)}))
"""

# Writes every evidence that its tests hand to `judge`.
_PLUGIN = """
import json, os
from dataclasses import asdict
import testbed.verdict
judge = testbed.verdict.judge
def recording(evidence, thresholds=None):
    if thresholds is None or thresholds == testbed.verdict.Thresholds():
        with open(os.environ["RECORDED_EVIDENCE"], "a") as file:
            file.write(json.dumps(asdict(evidence)) + "\\n")
    return judge(evidence, thresholds)
testbed.verdict.judge = recording
"""


def changed(evidence: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a trial might have found instead, each enough to change its verdict or a gate."""
    e = evidence
    ok, total, window_s = e["ok"] or 0, e["total_ok"] or 0, e["window_s"] or 1.0
    workers = e["generator"] or []

    def generator(**changes: Any) -> list[dict[str, Any]]:
        return [one | changes for one in workers]

    failures = dict(e["total_failures"] or {})
    slices = e["slice_ok"] or []
    yield "as measured", {}
    yield "a request lost", {"total_ok": total - 1}
    yield "a wrong echo", {"total_ok": total - 1, "total_failures": failures | {"bad_echo": 1}}
    yield "more served than sent", {"server_served": (e["server_served"] or 0) + 50}
    yield "no exit report", {"server_served": None, "workers_replaced": None}
    yield "checks not counted", {"other_replies": None}
    yield "out of memory", {"oom_kills": 2}
    yield "server killed", {"server_ended": "exit code 137, out of memory", "failure": "server ended during the window"}
    yield "a worker replaced", {"workers_replaced": 1}
    yield "another shape", {"shape_mismatch": "found 3 processes with 3 threads"}
    yield "a check failed", {"verification_failures": ["split: no reply within 5 s"]}
    yield "a load worker lost", {"workers_throughout": False}
    yield "no reply", {"ok": 0, "slice_ok": [0] * len(slices)}
    yield "no load result", {"ok": None, "window_s": None, "failure": "worker lost: 0 of 1 left"}
    yield "four times the replies", {"ok": ok * 4}
    yield "a quarter of the replies", {"ok": ok // 4}
    yield "failed requests", {"ok": ok // 2, "failed": 7}
    yield "users starved", {"users_starved": max(0, e["users"] - 1)}
    yield "a table of connections full", {"packets_dropped": 120, "tracked_limit": 262_144, "connection": "per-request"}
    yield "a busy generator", {"generator": generator(cpu_used_s=0.9 * window_s)}
    yield "a throttled generator", {"generator": generator(throttled_periods=9)}
    yield "a generator that is not known", {"generator": generator(cpu_used_s=None, throttled_periods=None)}
    yield "late in an open loop", {"mode": "open", "dispatch_lag_p99_us": 9_000.0, "achieved_over_offered": 0.99}
    yield "behind in an open loop", {"mode": "open", "dispatch_lag_p99_us": 90.0, "achieved_over_offered": 0.9}
    yield "a busy server", {"cpu_used_s": 0.95 * e["cpus"] * window_s}
    yield "more CPU than its limit", {"cpu_used_s": 2 * e["cpus"] * window_s}
    yield "a throttled server", {"periods": 40, "throttled_periods": 30}
    yield "CPU time not known", {"cpu_used_s": None, "throttled_periods": None}
    yield "on shared cores", {"isolated": False, "machine_cpus": 1}
    yield "unsteady", {"slice_ok": [900, 910, 905, 900, 500, 510, 505, 500], "slice_p50_us": [5000.0] * 8}
    yield "steady", {"slice_ok": [900, 910, 905, 900, 905, 910, 905, 900], "slice_p50_us": [5000.0] * 8}


def _of_its_tests(checkout: Path) -> list[dict[str, Any]]:
    recorded, plugin = checkout / "recorded_evidence.jsonl", checkout / "recording_plugin.py"
    recorded.unlink(missing_ok=True)
    plugin.write_text(_PLUGIN, encoding="utf-8")
    tests = [
        "tests/unit/testbed/test_verdict.py",
        "tests/unit/testbed/test_laws.py",
        "tests/unit/testbed/test_steady.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "recording_plugin", *tests]
    environment = {"RECORDED_EVIDENCE": str(recorded), "PYTHONPATH": str(checkout)}
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
    lines = dict.fromkeys(recorded.read_text(encoding="utf-8").splitlines())
    return [json.loads(line) for line in lines]


def _flat(found: Evidence) -> dict[str, Any]:
    """Evidence of one server in the names of f0f7ac4, without what stands at its default or came later."""
    server = asdict(found.servers[0])
    told = {name: value for name, value in asdict(found).items() if name != "boxes"}
    told |= {name: server[of_box] for name, of_box in {**made.BY_NAME, **_SAME_NAME}.items()}
    names = ("cpu_used_s", "window_s", "cpu_limit", "throttled_periods")
    told["generator"] = [
        {"worker": box.name, **{name: getattr(box, name) for name in names}} for box in found.generator
    ]
    return {name: value for name, value in json_of(told).items() if name not in _LATER}


_SAME_NAME = {
    name: name for name in ("cpu_used_s", "periods", "throttled_periods", "oom_kills", "memory_peak_bytes", "tasks_max")
} | {"workers_replaced": "workers_replaced"}
_LATER = frozenset({"least_cpu_us", "server_steal_share", "generator_steal_share", "memory_bytes"})
_DEFAULTS = {field.name: json_of(field.default) for field in fields(Evidence) if field.default is not MISSING}
_DEFAULTS |= {
    "server_said": "",
    "server_served": None,
    "generator": None,
    "server_ended": None,
    **dict.fromkeys(_SAME_NAME),
}


def _told(evidence: dict[str, Any]) -> dict[str, Any]:
    """Without what stands at its default anyway."""
    return {name: value for name, value in evidence.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}


def judged(checkout: Path) -> list[Case]:
    """Cases with the verdict of f0f7ac4's own code: `base` and, by name, what each trial has otherwise."""
    groups = [("tests of f0f7ac4", {}, [(f"number {n}", one) for n, one in enumerate(_of_its_tests(checkout))])]
    seen: set[tuple[Any, ...]] = set()
    for case in read(MEASURED):
        kept = case["record"]
        if (kind := (kept["model"], kept["verdict"] in ("invalid", "client-bound"))) in seen or kept["idle_holders"]:
            continue
        seen.add(kind)
        cpu_sets = CpuSets(**kept["cpu_sets"])
        found = evidence(trial_of(case).cell, findings_of(case), cpu_sets, case["facts"]["machine_cpus"])
        flat = _flat(found)
        groups.append((f"{kept['model']}, {kept['verdict']}", _told(flat), list(changed(flat))))
    lines = "".join(json.dumps(base | changes) + "\n" for _, base, cases in groups for _, changes in cases)
    code = [sys.executable, "-c", _JUDGE]
    told = subprocess.run(code, cwd=checkout, input=lines, check=True, stdout=subprocess.PIPE, text=True).stdout
    answers = iter(told.splitlines())
    return [
        {
            "of": of,
            "base": base,
            "cases": [
                {"what": what, "changes": _told(changes) if not base else changes, **json.loads(next(answers))}
                for what, changes in cases
            ],
        }
        for of, base, cases in groups
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("which", choices=["measured", "judged"])
    parser.add_argument("places", nargs="+", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    if chosen.which == "measured":
        write(MEASURED, gather(chosen.places))
    else:
        write(JUDGED, judged(chosen.places[0].resolve()))


if __name__ == "__main__":
    main()
