"""What a report says was measured: work, load, limits, machine, and what became of the trials. Pure."""

from collections import Counter
from typing import Any

from testbed.plan import trials
from testbed.plan.axes import AXES
from testbed.plan.redo import counted
from testbed.plan.schema import Sweep
from testbed.report import cost, work
from testbed.report.glossary import in_short
from testbed.report.view import View, axis_text, size

VERDICTS = {
    "server-bound": "the server was at its limit: its throughput is what it can do",
    "front-bound": "what stands before the servers was at its limit: they may be capable of more",
    "backend-bound": "what stands behind the servers was at its limit: they may be capable of more",
    "not-saturated": "the server could have done more: its throughput is what the load asked for",
    "client-bound": "the load generator was at its limit: the server may be capable of more; marked by hollow markers",
    "transient": "load, limits or replicas were to change in the window: its throughput is a mean over that",
    "invalid": "a check failed, so its numbers do not mean what they say; left out of every median, marked by crosses",
}


def facts(view: View) -> list[tuple[str, object]]:
    """What was measured, how, and on what, by name. None: it differs between the conditions."""
    row = view.groups[0].rows[0] if view.groups else view.results.rows[0]
    varied = [axis for axis in view.axes if axis.name not in ("cpus", "share")]
    names = {axis.name for axis in view.axes}
    entries: list[tuple[str, object]] = [("Models", [(one, in_short(one)) for one in view.models])]
    if names & {"condition", *_told_in("work")}:
        entries.append(("Work", None))
    else:
        entries.append(("Work", work.asked(row)))
    if not names & {"condition", *_told_in("load")}:
        entries.append(("Load", work.load(row)))
    if used := cost.told(view):
        entries.append(("CPU time", used))
    if varied:
        entries.append(("Also varied", "; ".join(_values(axis.title, axis.name, axis.values) for axis in varied)))
    entries += [("Limits", _limits(view)), ("Machine", machine(view.results.manifest)), ("Trials", _trials(view))]
    return entries


def _told_in(sentence: str) -> set[str]:
    """The axes of which `work.asked` or `work.load` tells."""
    return {axis.field for axis in AXES if axis.told_in == sentence}


def _values(title: str, name: str, values: tuple[Any, ...]) -> str:
    if name == "condition":
        return f"{len(values)} different settings"
    return f"{title}: {', '.join(axis_text(name, value) for value in values)}"


def _limits(view: View) -> str:
    axis = view.axis("cpus")
    values = axis.values if axis else (view.fixed.get("cpus"),)
    known = axis is not None or "cpus" in view.fixed
    cpus = ", ".join(axis_text("cpus", value) for value in values) if known else "CPU limits differ"
    how = {
        "quota": "enforced by a quota: in every tenth of a second the server may use that share, then it stands still",
        "cpuset": "enforced by a set of processors that it may run on",
        "both": "enforced by a quota and by a set of processors",
    }.get(str(view.fixed.get("limit")), "")
    memory = view.fixed.get("memory_bytes")
    parts = [f"{cpus}{_of_which(view)}{', ' + how if how else ''}"]
    if memory:
        parts.append(f"memory {size(memory)} without swap")
    if view.fixed.get("network") == "shared":
        parts.append("load and server share one network namespace: no virtual bridge between them")
    return "; ".join(parts)


def _of_which(view: View) -> str:
    """Of which replicas the CPU limit is, where there are several."""
    rows = [group.rows[0] for group in view.groups if (group.rows[0].get("replicas") or 1) > 1]
    kinds = {row.get("replica_cpus") for row in rows}
    told = {"split": " for all replicas together", "each": " for each replica"}
    return told.get(str(kinds.pop()), "") if len(kinds) == 1 else ""


def machine(manifest: dict[str, Any]) -> str:
    """Host and engine in a line; "not known" for what is missing."""
    host, engine = manifest.get("host") or {}, manifest.get("engine") or {}
    memory = host.get("memory_bytes")
    parts = [
        f"{host.get('cpus') or 'an unknown number of'} processors ({host.get('cpu_model') or 'model not known'})",
        f"{size(memory)} of memory" if memory else "",
        f"Linux {host['kernel']}" if host.get("kernel") else "",
        f"Docker {engine['ServerVersion']}" if engine.get("ServerVersion") else "",
        f"cgroup v{engine['CgroupVersion']}" if engine.get("CgroupVersion") else "",
    ]
    started = manifest.get("started_utc")
    return ", ".join(filter(None, parts)) + (f"; {started}" if started else "")


def _trials(view: View) -> dict[str, object]:
    """How many, in words, and how many of each verdict."""
    rows = counted(view.results.rows)
    counts = Counter(str(row["verdict"]) for row in rows)
    told = [
        (count, kind, VERDICTS.get(kind, ""))
        for kind, count in ((kind, counts[kind]) for kind in (*VERDICTS, *(k for k in counts if k not in VERDICTS)))
        if count
    ]
    blocks = len({row["block"] for row in rows})
    repeats = (
        ""
        if view.results.by_hand
        else f" in {blocks} block{'s' if blocks != 1 else ''}, each with every combination once"
    )
    one = "one run from the page" if view.results.by_hand else "one fresh server container under load"
    text = f"{len(rows)} trial{'s' if len(rows) != 1 else ''}{repeats}; a trial is {one}."
    planned = planned_trials(view)
    if planned and planned > len(rows):
        text += (
            f" {planned} were planned: the sweep was cut off or is still running, and can be completed with --resume."
        )
    if again := len(view.results.rows) - len(rows):
        text += (
            f" {again} of them {'was' if again == 1 else 'were'} disturbed and measured again: of each two, the one "
            "counts that less was stolen from."
        )
    if lacking := _searches_not_over(view):
        text += (
            f" {lacking} searches are not over: the sweep was cut off or is still running, and can be completed with "
            "--resume."
        )
    if view.left_out:
        text += f" {view.left_out} of them are steps of the searches and show only in the table of trials."
    return {"words": text, "verdicts": told}


def planned_trials(view: View) -> int | None:
    """How many trials the sweep has; None for a search, and where it is not known."""
    sweep = None if view.results.is_search else _planned(view)
    return None if sweep is None else len(trials.trials(sweep))


def _searches_not_over(view: View) -> int:
    """How many searches of the plan have neither an answer nor a reason why there is none."""
    sweep = _planned(view) if view.results.is_search else None
    over = {answer["trial_id"] for answer in view.results.capacity}
    return 0 if sweep is None else sum(one.trial_id not in over for one in trials.searches(sweep))


def _planned(view: View) -> Sweep | None:
    """The sweep as it was asked for; None where that is not known."""
    if view.results.by_hand or not view.results.sweep:
        return None
    from testbed.errors import UserError
    from testbed.plan import sweepfile
    from testbed.plan.fields import Machine

    host = view.results.manifest.get("host") or {}
    known = Machine(host.get("cpus") or 1, host.get("memory_bytes") or 2**60)
    try:
        path = view.results.path / "sweep.yaml"
        return sweepfile.load(path, known)
    except UserError:
        return None
