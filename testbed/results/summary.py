"""What all trials of a sweep say together: medians with intervals, ratios within blocks, warnings, the canary. Pure.

The unit is the trial. Invalid trials give no number anywhere; how many there are is always said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from testbed.plan.axes import BY_FIELD, FIELDS, OF_MODEL
from testbed.plan.calibration import FAR_OFF
from testbed.plan.cell import Cell
from testbed.plan.cells import varying_fields
from testbed.plan.redo import counted, is_redo, replaced
from testbed.results import searches
from testbed.statistics import (
    FEWEST_BLOCKS,
    Interval,
    coefficient_of_variation,
    compare_words,
    median_interval,
    ratio_interval,
    warnings,
)

Row = dict[str, Any]

# What is summarised per cell, from the columns of trials.csv.
MEASURES = ("throughput_rps", "latency_p50_us", "latency_p99_us", "cpu_us_per_request", "memory_peak_bytes")


def cell_of(row: Row) -> tuple[Any, ...]:
    """What makes two rows repeats of each other. At a share of what its block's search found that is the share: the
    rate differs from block to block."""
    pooled = row.get("share") is not None
    return tuple(None if name == "rate_rps" and pooled else row.get(name) for name in FIELDS)


def named(cell: tuple[Any, ...]) -> Row:
    """What `cell_of` gave, by the names of the fields."""
    return dict(zip(FIELDS, cell, strict=True))


def no_steps(rows: list[Row]) -> list[Row]:
    """The rows without the steps of searches, each of which is at a rate that only its search asked for."""
    return [row for row in rows if row.get("step") is None]


def good(rows: list[Row]) -> list[Row]:
    """The trials whose numbers mean what their columns say, without the canaries and what a redo replaced."""
    return [row for row in counted(rows) if row["verdict"] != "invalid" and not row["canary"]]


def summary(rows: list[Row], seed: int, searched: Sequence[Row] = (), models: Sequence[str] = ()) -> Row:
    """The content of summary.json; `searched` are the rows of capacity.csv, `models` those of the sweep in its order.

    Of a trial that was measured again only the one counts that `redo` says; the other is one of those set aside.
    """
    measured = [row for row in no_steps(rows) if not row["canary"]]
    set_aside = len(rows) - len(counted(rows))
    cells = dict.fromkeys(cell_of(row) for row in measured)
    return {
        # 1 counted both a trial and its redo.
        "schema_version": 2,
        "verdicts": dict(Counter(row["verdict"] for row in counted(rows))),
        "set_aside": set_aside,
        "cells": [_cell(cell, [row for row in measured if cell_of(row) == cell], seed) for cell in cells],
        "searches": [_search(found, seed) for found in searches.pooled(list(searched))],
        "comparisons": comparisons(no_steps(good(rows)), seed, models),
        "canary": canary(rows),
        "warnings": [*search_warnings(list(searched)), *sweep_warnings(rows)],
    }


def _search(found: searches.Found, seed: int) -> Row:
    """The capacity of one cell; with `client_bound` it is at least that."""
    values = list(found.by_block.values())
    return {
        **asdict(found.cell),
        "slo_p99_us": found.slo_p99_us,
        "answered": len(values),
        "not_answered": list(found.reasons),
        "confirmed": found.confirmed if values else None,
        "client_bound": found.client_bound if values else None,
        "capacity_rps": asdict(median_interval(values, seed=seed)) if values else None,
    }


def search_warnings(rows: list[Row]) -> list[str]:
    """What the searches have not found out."""
    lines = searches.not_answered(rows)
    if not lines:
        return []
    return [f"{len(lines)} of {len(rows)} searches are not answered; see `reason` in capacity.csv"]


def _cell(cell: tuple[Any, ...], rows: list[Row], seed: int) -> Row:
    usable = good(rows)
    measures = {}
    for name in MEASURES:
        values = [float(row[name]) for row in usable if row[name] is not None]
        measures[name] = asdict(median_interval(values, seed=seed)) if values else None
    counts = counted(rows)
    return {
        **named(cell),
        "trials": len(counts),
        "set_aside": len(rows) - len(counts),
        "verdicts": dict(Counter(row["verdict"] for row in counts)),
        "median": measures,
    }


def comparisons(rows: list[Row], seed: int, order: Sequence[str] = ()) -> list[Row]:
    """Every model against the first, where all else is equal: throughput as a ratio within blocks, and in words."""
    measured = dict.fromkeys(row["model"] for row in rows)  # in the order of the trials, which may be shuffled
    models = [*(model for model in order if model in measured), *(model for model in measured if model not in order)]
    conditions = dict.fromkeys(map(_condition, rows))
    found = []
    for condition in conditions:
        equal = [row for row in rows if _condition(row) == condition]
        base = _by_block(equal, models[0])
        for model in models[1:]:
            other = _by_block(equal, model)
            if base.keys() & other.keys():
                ratio = ratio_interval(other, base, seed=seed)
                words = compare_words(ratio, model, models[0])
                found.append(
                    {**dict(condition), "model": model, "against": models[0]}
                    | {"throughput": asdict(ratio), "words": words}
                )
    return found


def _condition(row: Row) -> tuple[tuple[str, Any], ...]:
    """All of a cell that is not the model, with its name."""
    return tuple((name, value) for name, value in named(cell_of(row)).items() if name not in OF_MODEL)


def _by_block(rows: list[Row], model: str) -> dict[int, float]:
    return {
        row["block"]: float(row["throughput_rps"]) for row in rows if row["model"] == model and row["throughput_rps"]
    }


def canary(rows: list[Row]) -> Row | None:
    """How much one and the same cell differed between blocks: the machine's own drift. None without canaries."""
    values = {row["block"]: float(row["throughput_rps"]) for row in rows if row["canary"] and row["throughput_rps"]}
    if not values:
        return None
    return {"throughput_rps": values, "coefficient_of_variation": coefficient_of_variation(list(values.values()))}


def sweep_warnings(rows: list[Row]) -> list[str]:
    """What a reader must know before believing a number; each line ends with what helps."""
    found = []
    usable = no_steps(good(rows))
    that_count = counted(rows)
    counts = Counter(row["verdict"] for row in that_count)
    if counts["invalid"]:
        found.append(
            f"{counts['invalid']} of {len(that_count)} trials are invalid and give no number; "
            "see `reasons` in trials.csv"
        )
    if counts["client-bound"]:
        found.append(
            f"{counts['client-bound']} of {len(that_count)} trials measured the load generator, not the server; "
            "set `load: {workers: N}` higher, or lower `users`, or use a larger machine"
        )
    if counts["front-bound"]:
        found.append(
            f"{counts['front-bound']} of {len(that_count)} trials measured the front, not the servers behind it; "
            "set `front: {cpus: C}` higher"
        )
    if counts["backend-bound"]:
        found.append(
            f"{counts['backend-bound']} of {len(that_count)} trials measured what stands behind the servers; the "
            "reasons name it, and `behind` sets its limits"
        )
    if unsteady := sum(bool(row["unsteady"]) for row in good(rows)):
        found.append(f"{unsteady} trials drifted within their window; set `warmup` and `duration` longer")
    found += [*_disturbed(rows), *_drifted(rows)]
    most = Counter(cell_of(row) for row in usable).most_common(1)
    if most and most[0][1] < FEWEST_BLOCKS:
        count = most[0][1]
        trials = "1 trial per cell shows" if count == 1 else f"{count} trials per cell show"
        found.append(f"{trials} too little spread for an interval; set `repeat: 5` or more")
        return found
    cells = list(dict.fromkeys(cell_of(row) for row in usable))
    these = [Cell(**named(cell)) for cell in cells]
    varying = [name for name in varying_fields(these) if name not in ("model", "cpus")]
    for cell in cells:
        values = [float(row["throughput_rps"]) for row in usable if cell_of(row) == cell and row["throughput_rps"]]
        known = named(cell)
        cpus = "cpus not known" if known["cpus"] is None else f"{known['cpus']:g} cpus"
        others = "".join(f", {name} {_in_words(name, known[name])}" for name in varying)
        found += warnings(values, f"{known['model']} at {cpus}{others}: throughput") if values else []
    return found


def _in_words(name: str, value: Any) -> Any:
    words = BY_FIELD[name].words
    return words(value) if words and value is not None else value


def _disturbed(rows: list[Row]) -> list[str]:
    ids = [str(row["trial_id"]) for row in rows if row.get("disturbed") and not row["canary"]]
    if not ids:
        return []
    out = replaced(rows)
    left = [one for one in ids if one not in out]
    named = ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    what = f"{len(ids)} of {len(rows)} trials were disturbed by others on the hypervisor ({named})"
    if not left:
        return [f"{what}; each was measured again, and the trial that less was stolen from counts"]
    again = "" if any(map(is_redo, rows)) else "; `order: {redo: disturbed}` measures such trials again"
    return [f"{what}; {len(left)} of them count all the same{again}"]


def _drifted(rows: list[Row]) -> list[str]:
    speeds = [float(row["speed_drift"]) for row in rows if row.get("speed_drift") is not None]
    if not speeds or 1 / FAR_OFF <= min(speeds) <= max(speeds) <= FAR_OFF:
        return []
    told = f"{min(speeds):.2f} to {max(speeds):.2f} of the speed that the work was calibrated at"
    return [f"the processors ran at {told}: the same work took more or less CPU time, alike for all models of a block"]


def relative_half_width(interval: Interval) -> float | None:
    """Half the interval's width over its estimate; None without an interval."""
    if interval.low is None or interval.high is None or not interval.estimate:
        return None
    return (interval.high - interval.low) / 2 / interval.estimate
