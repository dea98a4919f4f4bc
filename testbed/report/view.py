"""The rows of a report sorted into groups: one model under one condition. Pure.

A condition is one value for each axis: each field of a cell that differs in these results, the model and the sizes of
its pools left out. Where the results hold only a few of the combinations, whole combinations are the only axis.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from testbed.plan.axes import BY_FIELD, FIELDS, OF_MODEL
from testbed.plan.axes.words import number
from testbed.plan.redo import counted
from testbed.report.source import Results, Row
from testbed.statistics import Interval, median_interval
from testbed.units import format_bytes, format_us

LOAD_AXES = ("users", "rate_rps", "share")
_OF_TRIAL = ("trial_id", "search_id", "block", "canary", "status", "verdict", "reasons")
# More selectors than values to choose with them help nobody.
SPARSE = 2


def duration(us: float) -> str:
    """Microseconds as people write them: `950 µs`, `5 ms`."""
    text = format_us(us)
    number, unit = (text[:-2], text[-2:]) if text.endswith(("us", "ms")) else (text[:-1], text[-1:])
    return f"{number} {'µs' if unit == 'us' else unit}"


def size(count: float) -> str:
    """Bytes as people write them: `64 B`, `12.5 MiB`."""
    text = format_bytes(count)
    cut = next(index for index, letter in enumerate(text) if letter.isalpha())
    return f"{text[:cut]} {text[cut:]}"


def percent(share: float) -> str:
    """A share as people write it, `95 %`; no line ends within it."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def axis_title(name: str) -> str:
    """How an axis is headed."""
    axis = BY_FIELD.get(name)
    return (axis.title if axis else "") or name.replace("_", " ")


def axis_text(name: str, value: Any) -> str:
    """One value of an axis as people read it."""
    if value is None:
        return "not known"
    axis = BY_FIELD.get(name)
    if axis is None:
        return number(value)
    return (axis.words or {"us": duration, "bytes": size}.get(axis.unit, number))(value)


@dataclass(frozen=True)
class Varied:
    """An axis that differs in these results, or `condition`: whole combinations of them."""

    name: str
    values: tuple[Any, ...]

    @property
    def title(self) -> str:
        return axis_title(self.name)

    @property
    def preferred(self) -> Any:
        """What a selector shows first: half a CPU where it was measured, else the middle."""
        if self.name == "cpus" and 0.5 in self.values:
            return 0.5
        return self.values[(len(self.values) - 1) // 2]


@dataclass
class Group:
    """The repeats of one model under one condition."""

    model: str
    series: str
    """The model; with its pools where several sizes were measured."""
    when: dict[str, Any]
    """A value for each axis."""
    rows: list[Row] = field(default_factory=list)
    seed: int = 0

    @property
    def good(self) -> list[Row]:
        """The trials whose numbers mean what they say, without those that a redo replaced."""
        return [row for row in counted(self.rows) if row["verdict"] != "invalid" and not row.get("not_answered")]

    @property
    def client_bound(self) -> bool:
        """Whether any trial measured the load generator instead of the server."""
        return self.has("client-bound")

    def has(self, verdict: str) -> bool:
        """Whether any trial that counts has this verdict."""
        return any(row["verdict"] == verdict for row in self.good)

    @property
    def capacity_at_least(self) -> bool:
        """Whether in some search the generator was the limit, so that the server's capacity may be more."""
        return any(row.get("capacity_client_bound") for row in self.good)

    @property
    def not_answered(self) -> list[str]:
        """Why, of each search that has no answer."""
        return [str(row["not_answered"]) for row in self.rows if row.get("not_answered")]

    def values(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.good if row.get(name) is not None]

    def by_block(self, name: str) -> dict[int, float]:
        """For ratios within blocks; without zeros, which have none."""
        return {row["block"]: float(row[name]) for row in self.good if row.get(name)}

    def interval(self, name: str) -> Interval | None:
        """The median of a column with its interval; None where no valid trial has a value."""
        if name not in self._intervals:
            values = self.values(name)
            self._intervals[name] = median_interval(values, seed=self.seed) if values else None
        return self._intervals[name]

    def median(self, name: str) -> float | None:
        found = self.interval(name)
        return None if found is None else found.estimate

    @cached_property
    def _intervals(self) -> dict[str, Interval | None]:
        return {}


@dataclass
class View:
    """What the figures and words are made of."""

    results: Results
    axes: list[Varied]
    groups: list[Group]
    fixed: dict[str, Any]
    """The fields that are the same in all rows."""
    left_out: int = 0
    """Trials of a search at rates other than the one it found."""

    @property
    def series(self) -> list[str]:
        """In the order of the sweep, so that a model has its place in every table."""
        return list(dict.fromkeys(group.series for group in self.groups))

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(group.model for group in self.groups))

    def axis(self, name: str) -> Varied | None:
        return next((axis for axis in self.axes if axis.name == name), None)

    def conditions(self) -> list[dict[str, Any]]:
        """Every condition that was measured, in the order of the axes' values."""
        found = {tuple(group.when.items()): group.when for group in self.groups}
        order = {axis.name: {value: index for index, value in enumerate(axis.values)} for axis in self.axes}
        return sorted(found.values(), key=lambda when: [order[name][when[name]] for name in order])

    def under(self, when: dict[str, Any]) -> list[Group]:
        """The groups of a condition, or of all that agree with a part of one."""
        return [group for group in self.groups if all(group.when.get(name) == value for name, value in when.items())]


def view(results: Results) -> View:
    """Sort the rows.

    Canaries are extra trials of a cell and stay out; of a search the trials at what it found count.
    """
    rows = [dict(row) for row in results.rows if not row.get("canary")]
    used = _found_rates(rows, results.capacity) if results.is_search else rows
    varying = varying_fields(used)
    fixed = {name: used[0].get(name) for name in FIELDS if name not in (*OF_MODEL, *varying)} if used else {}
    combinations = {tuple(row.get(name) for name in varying) for row in used}
    values = {name: _ordered({row.get(name) for row in used}, name, results) for name in varying}
    if len(varying) > 1 and prod(len(one) for one in values.values()) > SPARSE * len(combinations):
        for row in used:
            row["condition"] = "; ".join(f"{axis_title(n)} {axis_text(n, row.get(n))}" for n in varying)
        varying = ["condition"]
        values = {"condition": tuple(dict.fromkeys(row["condition"] for row in used))}
    axes = [Varied(name, values[name]) for name in varying]
    groups = _groups(used, axes, results)
    return View(results, axes, groups, fixed, len(rows) - len(used))


# What follows from the replicas and what is before them, unless it was varied by itself.
_OF_FRONT = ("replica_cpus", "fronts", "front_cpus", "balance", "queue", "rate_limit_rps", "auth", "dns")


def varying_fields(rows: list[Row]) -> list[str]:
    """The fields of a cell that differ between these rows, those left out that belong to the model or follow from its
    replicas and front, or from the profile of its load."""
    names = [name for name in FIELDS if name not in OF_MODEL]
    varying = [name for name in names if len({row.get(name) for row in rows}) > 1]

    def follows(name: str) -> bool:
        of = ("replicas", "front") if name == "fronts" else ("replicas", "front", "fronts")
        systems = {tuple(row.get(one) for one in of) for row in rows}
        return len({(*(row.get(one) for one in of), row.get(name)) for row in rows}) == len(systems)

    profiles = {row.get("profile") for row in rows}
    if len(profiles) > 1 and len({(row.get("profile"), row.get("rate_rps")) for row in rows}) == len(profiles):
        # A profile's mean.
        varying.remove("rate_rps")
    return [name for name in varying if name not in _OF_FRONT or not follows(name)]


def _groups(rows: list[Row], axes: list[Varied], results: Results) -> list[Group]:
    names = [axis.name for axis in axes]
    pools: dict[Any, set[Any]] = {}
    for row in rows:
        pools.setdefault((row["model"], row["cpus"]), set()).add((row["workers"], row["threads"]))
    sized = {model for (model, _), sizes in pools.items() if len(sizes) > 1}
    seed = results.manifest.get("seed")
    found: dict[Any, Group] = {}
    for row in rows:
        series = str(row["model"]) + (_pool(row) if row["model"] in sized else "")
        when = {name: row.get(name) for name in names}
        key = (series, *when.values())
        if key not in found:
            found[key] = Group(str(row["model"]), series, when, seed=seed if isinstance(seed, int) else 0)
        found[key].rows.append(row)
    listed = [str(model) for model in results.sweep.get("models") or ()]
    place = {model: index for index, model in enumerate(listed)}

    def order(group: Group) -> tuple[int, str, int, int]:
        first = group.rows[0]
        return place.get(group.model, len(place)), group.model, first["workers"] or 0, first["threads"] or 0

    return sorted(found.values(), key=order)


def _pool(row: Row) -> str:
    parts = [f"{row[name]} {name}" for name in ("workers", "threads") if row[name]]
    return f" ({', '.join(parts)})" if parts else ""


def _ordered(values: set[Any], name: str, results: Results) -> tuple[Any, ...]:
    """Numbers by size, words as the sweep lists them; what is not known last."""
    listed = [str(value) for value in _listed(results.sweep, name)]
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in known):
        ordered = sorted(known)
    else:
        ordered = sorted(known, key=lambda v: (listed.index(str(v)) if str(v) in listed else len(listed), str(v)))
    return (*ordered, *([None] if None in values else []))


def _listed(sweep: dict[str, Any], name: str) -> list[Any]:
    axis = BY_FIELD[name]
    part = sweep.get(axis.section) if axis.section else sweep
    value = part.get(axis.name) if isinstance(part, dict) else None
    listed = value if isinstance(value, list) else []
    # What has keys is JSON in the rows, as the sweep has them.
    return [json.dumps(one, separators=(",", ":")) if isinstance(one, dict) else one for one in listed]


def _found_rates(rows: list[Row], capacity: list[Row]) -> list[Row]:
    """Of each search the last trial at the rate it found, and those at shares of it; rates become shares.

    A search that found no rate that was sent (none held, or there is no answer) has a row without a measurement.
    """
    answers = {str(answer["trial_id"]): answer for answer in capacity}
    at_found: dict[str, Row] = {}
    at_share: dict[tuple[str, float], Row] = {}
    for row in rows:
        name, share = str(row.get("search_id")), row.get("share")
        answer = answers.get(name)
        found = {} if answer is None else {column: answer[source] for column, source in _OF_ANSWER.items()}
        if share is not None:
            # At the whole of it the search has a row already, or gets this one: it was measured after the search.
            at_share[(name, share)] = row | (found if share == 1 else {})
        elif answer is not None and not answer["rate_rps"]:
            kept = {column: row.get(column) for column in (*FIELDS, *_OF_TRIAL)}
            at_found[name] = dict.fromkeys(row) | kept | found
        elif answer is not None and row["rate_rps"] == answer["rate_rps"] and row["verdict"] != "invalid":
            at_found[name] = row | found
    used = {(name, 1.0): row for name, row in at_found.items()} | at_share
    return [row | {"share": share, "rate_rps": None} for (_, share), row in used.items()]


# What a report's row holds of the answer of its search.
_OF_ANSWER = {"capacity_rps": "rate_rps", "capacity_client_bound": "client_bound", "not_answered": "reason"}
