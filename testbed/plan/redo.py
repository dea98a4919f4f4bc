"""Trials measured again because the machine was taken away under them, and which of the two counts. Pure.

The rule looks at the cause, the stolen time, and never at a result: of a disturbed trial and its redo the one counts
that less was stolen from, and the redo where both lost the same. A redo without a share that is known, since it never
came to its window, replaces nothing. Both are kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from testbed.plan.trials import Trial

Row = dict[str, Any]


def redo_id(trial_id: str) -> str:
    """What the redo of a trial is called."""
    return f"{trial_id}-redo"


def redo_of(trial: Trial) -> Trial:
    """The same once more."""
    return replace(trial, trial_id=redo_id(trial.trial_id), redo_of=trial.trial_id)


def is_redo(row: Row) -> bool:
    return row["redo_of"] is not None


def _redone(trial: Trial, rows: Iterable[Row]) -> bool:
    """Whether it is to be measured again. A canary shows what state the machine is in, so that it stays."""
    return not trial.canary and any(row["trial_id"] == trial.trial_id and row.get("disturbed") for row in rows)


def with_redos(trials: list[Trial], rows: list[Row], wanted: bool) -> Iterator[Trial]:
    """The trials in their order, each block followed by one redo of each of its disturbed ones, where wanted.

    `rows` is the list that grows while trials are measured: it is read when a block is through. Made of the rows alone,
    so that a resumed sweep comes to the same redos.
    """
    for _, block in groupby(trials, key=lambda trial: trial.block):
        entries = list(block)
        yield from entries
        if wanted:
            for trial in entries:
                if _redone(trial, rows):
                    yield redo_of(trial)


def owed(rows: list[Row]) -> int:
    """How many disturbed trials are there without their redo, in a sweep that wants it."""
    redone = {row["redo_of"] for row in rows}
    return sum(
        bool(row.get("disturbed")) and not row["canary"] and not is_redo(row) and row["trial_id"] not in redone
        for row in rows
    )


def most_stolen(row: Row) -> float | None:
    """The greater of the shares taken from server and generator; None where either is not known."""
    shares = row.get("server_steal_share"), row.get("generator_steal_share")
    return None if shares[0] is None or shares[1] is None else max(float(shares[0]), float(shares[1]))


def replaced(rows: Iterable[Row]) -> set[str]:
    """The ids of trials that do not count because another measurement of the same trial does."""
    by_id = {str(row["trial_id"]): row for row in rows}
    out = set()
    for trial_id, again in by_id.items():
        first = by_id.get(str(again["redo_of"])) if is_redo(again) else None
        if first is None:
            continue
        before, after = most_stolen(first), most_stolen(again)
        counts = after is not None and (before is None or after <= before)
        out.add(str(first["trial_id"]) if counts else trial_id)
    return out


def counted(rows: list[Row]) -> list[Row]:
    """The rows without those that are replaced. Expects a trial and its redo together, before rows are dropped."""
    out = replaced(rows)
    return [row for row in rows if row["trial_id"] not in out]
