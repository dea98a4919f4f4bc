"""What decides when a connection sends: the part that closed and open loops have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from loadtests.record.counts import Batch
from loadtests.replies import EchoError
from loadtests.worker.fast.connection import UserConnection


class Pacing(ABC):
    """Told of every completion, it begins requests. All moments are of perf_counter."""

    fail: Callable[[UserConnection, float, EchoError], None]
    """The engine's: count a failure at a moment, close the connection, and call `failed` here."""

    requests_per_connection: int | None = None
    """After so many right echoes a connection is closed; None: never."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.active = True
        self.until = math.inf
        """When the engine wants to let others go on."""

    @property
    @abstractmethod
    def next_at(self) -> float:
        """When `run_due` has something to do next; infinite while that depends on completions only."""

    @abstractmethod
    def join(self, connection: UserConnection, now: float) -> None:
        """One more user, without a request under way."""

    @abstractmethod
    def answered(self, connection: UserConnection, now: float) -> None:
        """A right echo came: record it, and let its user go on."""

    @abstractmethod
    def failed(self, connection: UserConnection) -> None:
        """The user of a recorded failure is free; it must not send within this call."""

    @abstractmethod
    def run_due(self, now: float) -> None:
        """Begin what is due at `now`, and what becomes due meanwhile, but nothing more once it is `until`."""

    @abstractmethod
    def stop(self, now: float) -> Iterable[float]:
        """Begin nothing more. Returns the slots of an open loop that were due before `now` and never sent."""

    def behind_s(self, _now: float) -> float | None:
        """How long the oldest slot not yet sent is overdue; None in a closed loop."""
        return None

    def release(self, connection: UserConnection) -> None:
        """The user has nothing more to do. Its connection is closed at once, so that a server with room for one client
        gets to the next before the run is over."""
        connection.close()
        connection.over.set()
