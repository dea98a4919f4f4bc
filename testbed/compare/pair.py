"""Two runs side by side: the base and one that is compared with it."""

from dataclasses import dataclass

from testbed.compare.conditions import Conditions
from testbed.compare.gate import Gate
from testbed.compare.join import Join
from testbed.results.reading import StoredRun


@dataclass(frozen=True)
class Pair:
    """One run against the base."""

    base: StoredRun
    other: StoredRun
    conditions: Conditions
    joined: Join
    gates: list[Gate]
    canary: float | None
    """How much more the canaries of the second run served: the machine's own drift between the runs."""
    speed: float | None
    """How much faster the machine calibrated in the second run."""

    def drift_line(self) -> str | None:
        """The machine's drift in words; None where nothing tells it."""
        known = [("the canary served", self.canary), ("the calibration gave", self.speed)]
        parts = [f"{what} {ratio:.2f} times as much" for what, ratio in known if ratio is not None]
        if not parts:
            return None
        return (
            f"the machine itself between the runs: {', '.join(parts)} in the second; "
            "no interval here covers that: believe only differences well beyond it, or run both sides again in turn"
        )
