"""From what load, probe and server have left behind to the record of a trial: evidence, verdict, metrics. Pure."""

from dataclasses import asdict
from typing import Any

from testbed.judge.boxes import Box
from testbed.judge.verdict import Verdict, judge
from testbed.plan.trials import Trial
from testbed.results import behind_counts, fault_columns, front_counts
from testbed.results.directory import SCHEMA_VERSION
from testbed.results.evidence import evidence
from testbed.results.findings import Findings
from testbed.results.metrics import metrics
from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.stack.cpus import CpuSets


def _written(cpu_sets: CpuSets) -> dict[str, Any]:
    """As the record holds them: what is of several machines alone is only there with several."""
    return {name: value for name, value in asdict(cpu_sets).items() if name != "load_rest" or value is not None}


def record(trial: Trial, found: Findings, cpu_sets: CpuSets, machine_cpus: int) -> dict[str, Any]:
    """The content of trial.json."""
    known = evidence(trial.cell, found, cpu_sets, machine_cpus)
    verdict: Verdict = judge(known)
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial.trial_id,
        "block": trial.block,
        "canary": trial.canary,
        "search_id": trial.search_id,
        "step": trial.step,
        "redo_of": trial.redo_of,
        "seed": trial.seed,
        **asdict(trial.cell),
        "status": "failed" if verdict.kind == "invalid" else "ok",
        "verdict": verdict.kind,
        "unsteady": verdict.unsteady,
        "disturbed": verdict.disturbed,
        "reasons": list(verdict.reasons),
        **metrics(trial.cell, found.load, known.boxes),
        **front_counts.tried_again(found.front),
        **fault_columns.columns(found.load, found.actions, found.ejections, trial.cell.what_fails is not None),
        **behind_counts.columns(
            [seen.report for seen in found.boxes if seen.role == "server"],
            found.deliveries,
            [closed for _, closed in found.stood.values()],
        ),
        "speed_drift": rounded(found.speed_drift, 3),
        "server_steal_share": rounded(known.server_steal_share, 4),
        "generator_steal_share": rounded(known.generator_steal_share, 4),
        "overhead_s": round(found.overhead_s, 3),
        "gates": [asdict(gate) for gate in verdict.gates],
        "verification": found.verification,
        "cpu_sets": _written(cpu_sets),
        "boxes": [_shown(box) for box in known.boxes],
        "front_counts": None if found.front is None else asdict(found.front),
        "behind_counts": {name: [asdict(one) for one in both] for name, both in found.stood.items()},
        "deliveries": None if found.deliveries is None else asdict(found.deliveries),
        "check_connections": found.check_connections,
        "direct_connections": found.direct_connections,
        "sidecar_connections": found.sidecar_connections,
        "sidecar_counts": {name: asdict(counts) for name, counts in found.sidecars.items()},
        "ejections": found.ejections,
        "by_service": at(found.load, "by_service"),
        "actions": found.actions,
        "provision": found.provision,
        **_reports(found),
        "phases_began_s": {name: round(seconds, 3) for name, seconds in found.phases_s.items()},
        "total_s": round(found.total_s, 3),
    }


def _shown(box: Box) -> dict[str, Any]:
    """A box in trial.json, its times to the microsecond."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(box).items()}


def _reports(found: Findings) -> dict[str, Any]:
    """The exit report of the one server, or those of several by their names."""
    reports = {seen.name: seen.report for seen in found.boxes if seen.role == "server"}
    return {"exit_reports": reports} if len(reports) > 1 else {"exit_report": next(iter(reports.values()), None)}
