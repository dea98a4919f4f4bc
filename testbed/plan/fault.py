"""What goes wrong with a replica on purpose while the load is on. Pure.

One value of the sweep file's `fault` is `none` or a mapping:

    {is: stopped, replica: 2, at: 3s, for: 4s}
    {is: failing, at: 3s, for: 4s, share: 0.5}
    {is: slow, at: 3s, for: 4s, by: 500ms}
    {is: crashed, at: 3s, how: segv}

Lists cross. In a cell it is its canonical text: one text for each meaning. `fault_values` reads either.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from testbed.plan.scaling import duration

NONE = "none"

Kind = Literal["stopped", "failing", "slow", "crashed"]
How = Literal["segv", "exit", "raise", "oom"]

# Those that the sidecar of a replica brings about: what it does, its server knows nothing of.
OF_SIDECARS: tuple[Kind, ...] = ("failing", "slow")


@dataclass(frozen=True)
class Fault:
    """Of one replica, from `at_us` of the window on.

    `stopped`: none of its processes runs; its kernel goes on. `failing`: its sidecar answers a `share` of the requests
    with 503, its server none the wiser. `slow`: it lets as many wait `by_us` first. `crashed`: a request asks the
    server itself for it, once, or `every_us` again.
    """

    kind: Kind
    at_us: int
    replica: int = 1
    """By its number, from 1."""
    for_us: int = 0
    """How long; 0: until the window closes."""
    share: float = 1.0
    by_us: int = 1_000_000
    how: How = "segv"
    """A fault in native code; an exit; an exception; or memory asked for until there is none."""
    every_us: int = 0

    @property
    def ends_us(self) -> int:
        """From the opening of the window on; 0: with it."""
        return self.at_us + self.for_us if self.for_us else 0


def written(given: str) -> Any:
    """The form of the sweep file, from the canonical text."""
    return NONE if given == NONE else json.loads(given)


def text(fault: Fault | None) -> str:
    """The canonical text: JSON with every key that means something, in one order."""
    if fault is None:
        return NONE
    said: dict[str, Any] = {"is": fault.kind, "replica": fault.replica, "at": duration(fault.at_us)}
    said |= {"for": duration(fault.for_us)} if fault.for_us else {}
    said |= {"share": fault.share} if fault.kind in OF_SIDECARS else {}
    said |= {"by": duration(fault.by_us)} if fault.kind == "slow" else {}
    said |= {"how": fault.how} if fault.kind == "crashed" else {}
    said |= {"every": duration(fault.every_us)} if fault.every_us else {}
    return json.dumps(said, separators=(",", ":"))
