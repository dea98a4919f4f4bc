"""Runs joined in pairs: the first is the base, each other one is compared with it; printed, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed.compare import gate, view
from testbed.compare.conditions import canary_ratio, conditions, speed_ratio
from testbed.compare.gate import Condition
from testbed.compare.join import as_json, join
from testbed.compare.pair import Pair
from testbed.errors import UserError
from testbed.results import reading
from testbed.results.reading import StoredRun
from testbed.terminal import plain

SCHEMA_VERSION = 1

# A table for each group, so that one has room on a terminal of 80.
_GROUPS = (("throughput", "p50", "p99"), ("cpu", "memory"))


def compare(paths: Sequence[Path], conditions_to_fail: Sequence[Condition], force: bool) -> list[Pair]:
    """Read and join. UserError where runs have no cell in common, or ran under other conditions without `force`."""
    if len(paths) < 2:
        raise UserError(f"compare: found {len(paths)} directory, allowed: two or more, the first is the base")
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError(f"compare: found {paths[-1]} twice or more, allowed: different directories")
    base = reading.read(paths[0])
    return [_pair(base, reading.read(path), conditions_to_fail, force) for path in paths[1:]]


def _pair(base: StoredRun, other: StoredRun, fail_if: Sequence[Condition], force: bool) -> Pair:
    found = conditions(base.manifest, other.manifest, base.sweep, other.sweep)
    problems = [f"{run.name}: {problem}" for run in (base, other) for problem in run.problems]
    found = replace(found, warned=[*found.warned, *problems])
    if found.refused and not force:
        raise UserError(
            f"{other.path}: ran under other conditions than {base.path}: {'; '.join(found.refused)}; "
            "--force compares them all the same"
        )
    joined = join(base.rows, other.rows, base.sweep.get("models") or (), (base.capacity, other.capacity))
    if not joined.cells and not joined.searches:
        raise UserError(
            f"{other.path}: no cell in common with {base.path}; allowed: runs of which some cells are equal in model, "
            "limits, workload and load"
        )
    return Pair(
        base,
        other,
        found,
        joined,
        [gate.apply(one, joined) for one in fail_if],
        canary_ratio(base.rows, other.rows),
        speed_ratio(base.manifest, other.manifest),
    )


def show(pair: Pair, console: Console) -> None:
    """Print one pair: conditions, tables, words, gates."""
    say = plain(console)
    say(f"first:  {pair.base.path} ({pair.base.manifest.get('started_utc', 'time not known')})")
    say(f"second: {pair.other.path} ({pair.other.manifest.get('started_utc', 'time not known')})")
    for line in view.condition_lines(pair.conditions):
        say(line)
    for measures in _GROUPS if pair.joined.cells else ():
        console.print(view.table("second / first", pair.joined.cells, measures))
    if pair.joined.searches:
        console.print(view.capacity_table("capacity", pair.joined.searches))
    say(view.LEGEND)
    for line in view.summary_words(pair.joined):
        say(line)
    for extra in (view.chance(pair.joined), pair.drift_line()):
        if extra:
            say(extra)
    for line in view.one_sided(pair.joined, pair.base.name, pair.other.name):
        say(line)
    name = view.cell_name(pair.joined)
    for one in pair.gates:
        for line in one.lines(name):
            say(line)


def _as_json(pair: Pair) -> dict[str, Any]:
    return {
        "first": str(pair.base.path),
        "second": str(pair.other.path),
        "conditions": asdict(pair.conditions),
        "drift": {"canary_throughput": pair.canary, "calibrated_speed": pair.speed},
        **as_json(pair.joined),
        "fail_if": [one.as_json() for one in pair.gates],
    }


def document(pairs: Sequence[Pair]) -> dict[str, Any]:
    """All of it, ready for JSON."""
    return {"schema_version": SCHEMA_VERSION, "comparisons": [_as_json(pair) for pair in pairs]}
