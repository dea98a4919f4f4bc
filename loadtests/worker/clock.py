"""The master's clock, as a worker knows it: on another machine than the master's it is another clock.

A run's times are the master's. Asked for its time now and then, the nearest answer counts, as in Cristian's algorithm
(Probabilistic clock synchronization, Distributed Computing 3, 1989): what an answer took at most is how far off it is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent

from loadtests.messages import CLOCK

if TYPE_CHECKING:
    from locust.runners import WorkerRunner

# The first look is rarely the nearest; later ones follow the drift of the two clocks.
_FIRST_LOOKS, _FIRST_INTERVAL_S, _INTERVAL_S = 8, 0.1, 5.0
# So many looks count: two clocks drift by less than a millisecond in their time.
_KEPT = 8


@dataclass(frozen=True)
class Ahead:
    """By how much the master's clock is ahead of this one, and by how much that can be off."""

    ahead_s: float
    uncertain_s: float

    @property
    def applied_s(self) -> float:
        """What to reckon with: nothing, where the two may as well be one clock."""
        return self.ahead_s if abs(self.ahead_s) > self.uncertain_s else 0.0

    def as_json(self) -> dict[str, float]:
        """For the result of a run."""
        return {
            "ahead_s": round(self.ahead_s, 6),
            "uncertain_s": round(self.uncertain_s, 6),
            "applied_s": round(self.applied_s, 6),
        }


def look(asked_unix: float, said_unix: float, heard_unix: float) -> Ahead:
    """One answer: when it was asked for and heard by this clock, and what it said. Pure."""
    return Ahead(said_unix - (asked_unix + heard_unix) / 2, (heard_unix - asked_unix) / 2)


class MasterClock:
    """Asks for the master's time by Locust's own messages, and never while a run needs the processor."""

    def __init__(self, runner: WorkerRunner, is_idle: Callable[[], bool]) -> None:
        self._runner = runner
        self._is_idle = is_idle
        self._looks: deque[Ahead] = deque(maxlen=_KEPT)
        runner.register_message(CLOCK, self._on_answer)
        gevent.spawn(self._keep_asking)

    @property
    def ahead(self) -> Ahead | None:
        """By the nearest of the last answers; None before the first."""
        return min(self._looks, key=lambda one: one.uncertain_s, default=None)

    def _keep_asking(self) -> None:
        while True:
            if self._is_idle() and self._runner.worker_index >= 0:
                self._runner.send_message(CLOCK, {"asked_unix": time.time()})
            gevent.sleep(_FIRST_INTERVAL_S if len(self._looks) < _FIRST_LOOKS else _INTERVAL_S)

    def _on_answer(self, msg: Any, **_: Any) -> None:
        self._looks.append(look(msg.data["asked_unix"], msg.data["said_unix"], time.time()))
