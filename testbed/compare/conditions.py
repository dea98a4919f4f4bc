"""Whether two runs may be compared: what must be equal, what is worth saying, and how far the machine moved. Pure.

What is under test (the images, this project's version) may differ and is stated. The machine may not.
"""

from dataclasses import dataclass, field
from statistics import geometric_mean
from typing import Any

from testbed.plan import calibration
from testbed.results.manifest import differences
from testbed.units import parse_duration_us

# Of what `manifest.differences` names, what a comparison is usually about.
_UNDER_TEST = ("images", "threadmill.version")

# Settings of a sweep that are not axes, and so are no part of a cell, but change what a number means.
_SETTINGS = ("warmup", "duration", "isolate")
_LOAD_SETTINGS = ("workers", "worker_cpus", "slo")

# Closer than this two calibrations are the same: three runs on one idle machine gave 1,879 to 2,012 units/ms.
SAME_SPEED = 1.07

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Conditions:
    """What differs between two runs besides their numbers. Each entry is one line."""

    refused: list[str] = field(default_factory=list)
    """The machine or the engine: the ratios would compare machines."""
    warned: list[str] = field(default_factory=list)
    """Settings that change what a number means, or a machine that changed its speed."""
    stated: list[str] = field(default_factory=list)
    """What the comparison may well be about: images and versions."""


def conditions(base: Manifest, other: Manifest, base_sweep: Manifest, other_sweep: Manifest) -> Conditions:
    """What differs between two runs, from their manifests and their sweeps as resolved."""
    found = differences(base, other)
    stated = [line for line in found if line.startswith(_UNDER_TEST)]
    # Runs from the web page do not know all of it: that is no difference, and no agreement either.
    not_known = [name for name in ("host", "engine") if not base.get(name) or not other.get(name)]
    refused = [line for line in found if line not in stated and not line.startswith(tuple(not_known))]
    commits = [(run.get("threadmill") or {}).get("commit") for run in (base, other)]
    if commits[0] != commits[1]:
        stated.append(f"threadmill.commit was {_short(commits[0])}, is {_short(commits[1])}")
    for name, run in (("the first", base), ("the second", other)):
        if (run.get("threadmill") or {}).get("uncommitted_changes"):
            stated.append(f"{name} run was made with uncommitted changes: its commit does not tell its code")
    warned = [f"the {name} of a run is not known: the ratios may compare machines" for name in not_known]
    warned += _settings(base_sweep, other_sweep)
    warned += [
        f"{name} was resumed under other conditions: {'; '.join(part['differences'])}"
        for name, run in (("the first run", base), ("the second run", other))
        for part in run.get("resumed", [])
        if part.get("differences")
    ]
    if (speed := speed_ratio(base, other)) is not None and not 1 / SAME_SPEED < speed < SAME_SPEED:
        warned.append(
            f"the machine's own speed moved {speed:.2f}-fold between the runs, by their calibrations: "
            "ratios of requests without calibrated work may owe as much to that"
        )
    return Conditions(refused, warned, stated)


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "not known"


def _settings(base: Manifest, other: Manifest) -> list[str]:
    pairs = [(name, base.get(name), other.get(name)) for name in _SETTINGS]
    loads = [run.get("load") or {} for run in (base, other)]
    pairs += [(f"load.{name}", loads[0].get(name), loads[1].get(name)) for name in _LOAD_SETTINGS]
    return [
        f"{name} was {_readable(before)}, is {_readable(after)}" for name, before, after in pairs if before != after
    ]


def _readable(value: Any) -> str:
    """Sweeps as resolved say every duration in microseconds."""
    try:
        return f"{parse_duration_us(value) / 1e6:g} s"
    except ValueError:
        return str(value)


def speed_ratio(base: Manifest, other: Manifest) -> float | None:
    """How much faster the machine calibrated in the second run; None where one has no calibration."""
    before, after = (run.get("calibration") for run in (base, other))
    return calibration.drift(*calibration.alike(before, after))


def canary_ratio(base: list[Manifest], other: list[Manifest]) -> float | None:
    """How much more one and the same cell served in the second run's canaries; None where one has none."""
    values = [
        [float(row["throughput_rps"]) for row in rows if row["canary"] and row["throughput_rps"]]
        for rows in (base, other)
    ]
    cells = [{row["model"] for row in rows if row["canary"]} for rows in (base, other)]
    if not all(values) or cells[0] != cells[1]:
        return None
    return geometric_mean(values[1]) / geometric_mean(values[0])
