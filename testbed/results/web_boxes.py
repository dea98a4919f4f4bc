"""Which containers served a run from the web page, and what the probes told of each. Pure.

A run's lines are of all its containers; each says of which one it is. Where one had no probe it is there all the same,
with nothing known of it: what all used together is not known then either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.names import model_of

Record = dict[str, Any]


@dataclass(frozen=True)
class WebBox:
    """One container. `lines`: its probe's, in order; empty without one."""

    name: str
    lines: tuple[Record, ...]

    @property
    def limits(self) -> Record:
        """The last that were told; empty where none were."""
        return next((line["limits"] for line in reversed(self.lines) if line.get("limits")), {})

    def last(self, name: str) -> Any:
        return self.lines[-1].get(name) if self.lines else None


@dataclass(frozen=True)
class WebBoxes:
    model: str
    servers: tuple[WebBox, ...]
    """At least one."""
    replicas: int | None
    """None where it is not known how many there were throughout."""
    front: WebBox | None

    @property
    def front_kind(self) -> str | None:
        """As a sweep calls it: several under one name are behind `dns`. None where their number is not known."""
        if self.front is not None:
            return self.front.name
        return None if self.replicas is None else "none" if self.replicas == 1 else "dns"

    def of_servers(self, name: str) -> Any:
        """A limit that all of them have; None where one's is not known, or not that of the others."""
        return _common(box.limits.get(name) for box in self.servers)

    def last_of_servers(self, name: str) -> Any:
        """The same of a level in their last lines."""
        return _common(box.last(name) for box in self.servers)


def _common(values: Iterable[Any]) -> Any:
    found = list(values)
    return found[0] if len(set(found)) == 1 else None


def found(load: Record, lines: Sequence[Record]) -> WebBoxes:
    """Out of the run's result and the probes' lines. A result that does not say who served is of one server."""
    told = load.get("served_by") or {"model": load["options"]["target"], "front": None, "servers": [""]}
    model, front = told["model"], told["front"]
    by_name: dict[str, list[Record]] = {}
    for line in lines:
        if line.get("model", model) == model:
            by_name.setdefault(line.get("container", ""), []).append(line)
    named: list[str] | None = told["servers"]
    if named is not None and len(named) == len(by_name) == 1:
        # One server and one probe: whatever they call each other.
        named = list(by_name)
    known = named is not None and by_name.keys() <= set(named)
    # Besides those that a probe has told of, nobody knows how many more there were: one stands for them.
    names = list(named) if named is not None and known else [*by_name, ""]
    alone = len(names) == 1
    before = None if front is None else WebBox(front, tuple(line for line in lines if line.get("model") == front))
    # By hand those that speak HTTP are targets of their own, as their images are.
    model = model_of(model)
    servers = tuple(WebBox(model if alone else name or "others", tuple(by_name.get(name, ()))) for name in names)
    return WebBoxes(model, servers, len(names) if known else None, before)
