"""What master and workers tell each other beside Locust's own messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

RUN = "threadmill_run"
"""Name under which the order of a run travels: Locust sends parsed options to workers before users start."""

LIVE = "threadmill"
"""Name under which a worker adds its own state to Locust's regular reports."""

HOLD = "threadmill_hold"
"""Type of the message with which the master has a worker open idle holders before a run (HoldOrder)."""

HELD = "threadmill_held"
"""Type of the message with which a worker says that its holders are there, or that it has given up on some."""

CLOCK = "threadmill_clock"
"""Type of the message with which a worker asks for the master's time, and of the answer."""

FINAL = "threadmill_final"
"""Type of the message with which a worker reports a run that is over."""


def share_of(total: int, index: int, workers: int) -> int:
    """One worker's share of a whole number; the shares add up to it."""
    return total // workers + (index < total % workers)


def before(total: int, index: int, workers: int) -> int:
    """The shares of the workers before it, together."""
    return sum(share_of(total, earlier, workers) for earlier in range(index))


@dataclass(frozen=True)
class HoldOrder:
    """One worker's idle holders for the run that is about to start. `wanted` 0 closes those of a run that did not."""

    id: str
    host: str
    port: int
    wanted: int
    at_once: int
    dns: str
    """As the option of that name."""
    before: int
    """How many holders the workers before this one have."""
    protocol: str
    target: str
    """Whom a request names as its host, by HTTP."""
    api_key: str
    """What a gateway is shown, by HTTP."""

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RunOrder:
    """One run, as the master orders it. Times are of its clock: a worker turns them into its own monotonic one."""

    id: str
    host: str
    port: int
    begins_unix: float
    """Users send nothing before; the first slot of an open loop."""
    opens_unix: float
    closes_unix: float | None
    """None: the window closes when the run is stopped."""
    workers: tuple[str, ...]
    """Ids of those that take part, in the order in which they share slots and users."""
    users: int = 0
    """Of all of them."""

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> RunOrder:
        return cls(**{**wire, "workers": tuple(wire["workers"])})
