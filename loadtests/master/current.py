"""One run on the master, from its order until its result is written or known to be impossible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gevent.event import Event

from loadtests.master.served_by import Serving
from loadtests.messages import RunOrder
from loadtests.options import Options


@dataclass
class CurrentRun:
    options: Options
    trial_id: str
    order: RunOrder
    started_unix: float
    workers: frozenset[str]
    stopping: bool = False
    finishing: bool = False
    finals: dict[str, Any] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    trouble: str = ""
    """Why there will be no result; empty while all is well."""
    file: str = ""
    """Path of the result below the results directory, once it is written."""
    over: Event = field(default_factory=Event)
    replies_to_checks: int = 0
    """Requests the server answered when it was looked at before the start."""

    serving: Serving | None = None
    """Who served the target at the start, where that was asked."""

    @property
    def by_hand(self) -> bool:
        return not self.options.trial_id

    @property
    def closes_unix(self) -> float | None:
        return self.order.closes_unix
