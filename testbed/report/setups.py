"""What stands in a trial's system, in words: how many replicas, of how much CPU, behind what, scaled by what. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from testbed.plan import behind, scaling
from testbed.plan.fields import GATEWAYS
from testbed.report.source import Row
from testbed.report.view import Group, View, axis_text, axis_title, varying_fields

# The axes of what stands in the system, as far as it stands still.
SPREAD = (
    *("replicas", "replica_cpus", "front", "fronts", "front_cpus", "balance", "queue", "dns", "behind"),
    *("rate_limit_rps", "auth"),
    *("front_timeout_us", "retries", "breaker", "eject", "eject_for_us", "sidecar", "sidecar_cpus"),
)
# Of those, what only some fronts and what only sidecars have.
_OFF = {"front_timeout_us", "retries", "breaker", "eject", "eject_for_us", "sidecar_cpus"}
# What stands in for the axes where only few of their combinations were measured.
CONDITION = "condition"


def varied(view: View) -> list[str]:
    """The fields of a cell that differ within these results."""
    return varying_fields([group.rows[0] for group in view.groups])


def in_words(view: View, row: Row, without: Iterable[str] = ()) -> str:
    """A trial by all that varies but what is left out; empty where nothing does."""
    left = set(without)
    names = [name for name in varied(view) if name not in left]
    parts = [part(name, row) for name in names]
    return ", ".join(part for part in parts if part)


def told(view: View, group: Group) -> str:
    """A cell by its model and all that varies."""
    return ", ".join(filter(None, (group.series, in_words(view, group.rows[0]))))


def system(row: Row) -> str:
    """`2 replicas of 0.5 CPU behind haproxy`, `1 replica of 1 CPU`."""
    count, cpus, front = row.get("replicas", 1), cpus_of_each(row), row.get("front") or "none"
    each = "" if cpus is None else f" of {axis_text('cpus', cpus)}"
    beside = row.get("sidecar") or "none"
    each += "" if beside == "none" else f"{' each' if count != 1 else ''} with a sidecar"
    several = (row.get("fronts") or 1) > 1
    before = "" if front == "none" else f" behind {row['fronts']} {front}" if several else f" behind {front}"
    known = "an unknown number of" if count is None else f"{count:g}"
    return f"{known} replica{'s' if count != 1 else ''}{each}{before}"


def cpus_of_each(row: Row) -> float | None:
    """The CPU limit of one replica when the trial began."""
    cpus, count = row.get("cpus"), row.get("replicas", 1)
    if cpus is None or row.get("replica_cpus") == "each":
        return None if cpus is None else float(cpus)
    return None if count is None else float(f"{cpus / count:.6g}")


def has_several(view: View) -> bool:
    """Whether there were replicas, fronts or sidecars, or something was to change or to fail."""
    return any(
        (row.get("replicas") or 1) > 1
        or row.get("front") not in (None, "none")
        or any(row.get(name) not in (None, "", scaling.NONE) for name in ("profile", "scaling", "sidecar", "fault"))
        for group in view.groups
        for row in group.rows
    ) or has_several_behind(view)


def has_several_behind(view: View) -> bool:
    """Whether what stands behind the servers is not the same everywhere."""
    return len({row.get("behind") for group in view.groups for row in group.rows}) > 1


def selectors(view: View, without: Iterable[str] = SPREAD) -> list[str]:
    """The page's selectors that still hold for a figure which shows the axes `without` at once."""
    left = {*without, CONDITION}
    return [axis.name for axis in view.axes if axis.name not in left]


def shown_at_once(view: View, without: Iterable[str] = SPREAD) -> list[str]:
    """The fields by which such a figure tells its lines apart: all that vary and that no selector chooses."""
    chosen = set(selectors(view, without))
    return [name for name in varied(view) if name not in chosen]


def not_chosen(view: View, without: Iterable[str] = SPREAD) -> list[str]:
    """The axes of the groups that such a figure does not leave to the page's selectors."""
    chosen = set(selectors(view, without))
    return [axis.name for axis in view.axes if axis.name not in chosen]


def named(group: Group, name: str) -> Group:
    """The group as one that is compared under this name."""
    return replace(group, series=name)


def part(name: str, row: Row) -> str:
    value: Any = row.get(name)
    if value is None:
        return f"{axis_title(name)} not known"
    text = axis_text(name, value)
    if name in _OFF and not value and row.get("front" if name != "sidecar_cpus" else "sidecar") != "envoy":
        return ""
    if name in ("balance", "queue", "front_cpus"):
        if row.get("front_cpus") in (None, 0, 0.0):
            return ""
        return {"balance": text, "queue": f"queue in the {value}"}.get(name, f"front of {text}")
    if name == "fronts":
        return f"{text} fronts" if value > 1 else ""
    if name in ("rate_limit_rps", "auth"):
        return _of_gateway(name, value) if row.get("front") in GATEWAYS else ""
    if name == "dns":
        return f"asked {text}" if row.get("front") == "dns" else ""
    if name == "replica_cpus":
        return f"CPU {text}" if (row.get("replicas") or 1) > 1 else ""
    words = {
        "cpus": text,
        "replicas": f"{text} replica{'s' if value != 1 else ''}",
        "front": "no front" if value == "none" else text,
        "behind": "nothing behind" if value == behind.NONE else text,
        "sidecar": "no sidecar" if value == "none" else f"sidecar {text}",
        "fault": "no fault" if value == scaling.NONE else text,
        "retries": f"{text} retr{'ies' if value != 1 else 'y'}",
        "scaling": "no scaling" if value == scaling.NONE else f"scaling {text}",
        "users": f"{text} users",
    }
    return words.get(name) or f"{axis_title(name)} {text}"


def _of_gateway(name: str, value: Any) -> str:
    if name == "auth":
        return "asks for a key" if value == "key" else "asks for no key"
    return f"limited to {value:,.6g} requests/s" if value else "no limit"
