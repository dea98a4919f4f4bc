"""Two machines on which the same was tried, laid beside each other: what each knows, how it judged, what failed. Pure
but for reading the two directories.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]
# How fast a machine is, and what follows from that, is no difference of what it can tell.
_MACHINE_STEP = "machine"


def steps_of(out: Path) -> dict[str, Record]:
    """What each step left, by its name. `out`: where tests.vm.inside wrote."""
    found = (json.loads(path.read_text()) for path in out.glob("*.json"))
    return {record["step"]: record for record in sorted(found, key=lambda one: str(one["step"]))}


def trials_of(out: Path) -> dict[str, tuple[Record, Record]]:
    """Of each trial its row, with what its probe could not read, and its gates' status by name; by `sweep trial`,
    without the sweep's time."""
    found = {}
    for table in sorted(out.glob("results/*/trials.csv")):
        sweep = table.parent.name.rpartition("-")[0]
        with table.open() as file:
            for row in csv.DictReader(file):
                trial = table.parent / "trials" / row["trial_id"]
                gates = _read(trial / "trial.json").get("gates", [])
                row |= {
                    f"unread {name}": why for name, why in _read(trial / "probe.json").get("unavailable", {}).items()
                }
                found[f"{sweep} {row['trial_id']}"] = row, {gate["name"]: gate["status"] for gate in gates}
    return found


def _read(path: Path) -> Record:
    found: Record = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _sides(here: set[str], there: set[str], names: tuple[str, str]) -> Iterator[str]:
    for alone, name in ((here - there, names[0]), (there - here, names[1])):
        if alone:
            yield f"{', '.join(sorted(alone))} only {name}"


def known(row: Record) -> set[str]:
    return {name for name, value in row.items() if value not in ("", None)}


def of_a_trial(
    here: tuple[Record, Record], there: tuple[Record, Record], names: tuple[str, str] = ("here", "there")
) -> list[str]:
    """What differs, a line each; nothing where nothing does. Figures are not compared, only whether they are known."""
    (row, gates), (other, others) = here, there
    lines = [f"known {line}" for line in _sides(known(row), known(other), names)]
    judged = {what: (row.get(what), other.get(what)) for what in ("verdict", "unsteady", "disturbed")}
    judged |= {f"gate {name}": (gates.get(name), others.get(name)) for name in sorted(gates.keys() | others.keys())}
    return lines + [
        f"{what}: {one or 'not known'} {names[0]}, {two or 'not known'} {names[1]}"
        for what, (one, two) in judged.items()
        if one != two
    ]


def _cell(value: object) -> str:
    text = "not known" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text.split()).replace("|", "\\|")[:400]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    head = list(head)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows), ""]


def _how(record: Record | None) -> str:
    if record is None:
        return "not tried"
    return f"as it should, {record['seconds']:g} s" if record["failed"] is None else f"failed: {record['failed']}"


def differences(here: Path, there: Path, names: tuple[str, str] = ("here", "there")) -> str:
    """A page in Markdown. `names`: what the two machines are called on it."""
    mine, others = steps_of(here), steps_of(there)
    lines = ["# What differs", "", "## The machines", ""]
    facts = [side.get(_MACHINE_STEP, {}).get("facts", {}) for side in (mine, others)]
    lines += _table(("", *names), ((name, *(one.get(name) for one in facts)) for name in facts[0] | facts[1]))
    lines += ["## What was tried", ""]
    every = dict.fromkeys((*mine, *others))
    lines += _table(("step", *names), ((name, _how(mine.get(name)), _how(others.get(name))) for name in every))
    lines += ["## Trials", ""]
    trials = trials_of(here), trials_of(there)
    same = 0
    for name in dict.fromkeys((*trials[0], *trials[1])):
        pair = trials[0].get(name), trials[1].get(name)
        if pair[0] is None or pair[1] is None:
            lines.append(f"- {name}: only {names[0] if pair[1] is None else names[1]}")
        elif found := of_a_trial(pair[0], pair[1], names):
            lines += [f"- {name}:", *(f"  - {line}" for line in found)]
        else:
            same += 1
    lines += ["" if same == 0 else f"- {same} trials know the same and are judged alike, gate by gate", ""]
    return "\n".join(lines)
