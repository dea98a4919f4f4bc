"""The workers as the master knows them: who is there, whose clock is set, and what each tells while a run is on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from locust.env import Environment
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, MasterRunner

from loadtests.messages import CLOCK, LIVE

CLOCK_LOOKS = 3
"""So many answers make one near enough, mostly the last of them."""


class Workers:
    """Answers those who ask for the master's time."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._runner = runner
        self._clock_asked: Counter[str] = Counter()
        """How often each has asked for this clock."""
        self.live: dict[str, dict[str, Any]] = {}
        """What each has last told of itself in the run under way, by its id."""
        runner.register_message(CLOCK, self._on_clock)
        environment.events.worker_report.add_listener(self._on_worker_report)  # type: ignore[no-untyped-call]

    def alive(self) -> set[str]:
        """Their ids."""
        alive = (STATE_INIT, STATE_SPAWNING, STATE_RUNNING)
        return {client.id for client in self._runner.clients.values() if client.state in alive}

    def are_timed(self) -> bool:
        """Whether all that are ready know the master's clock."""
        return all(self._clock_asked[client.id] >= CLOCK_LOOKS for client in self._runner.clients.ready)

    def held(self, workers: Collection[str]) -> int | None:
        """Idle holders that these hold now, as last reported; None until each of them has said."""
        counts = [self.live.get(worker, {}).get("idle_holders") for worker in workers]
        return None if None in counts else sum(count for count in counts if count is not None)

    def _on_clock(self, msg: Any, **_: Any) -> None:
        self._clock_asked[msg.node_id] += 1
        self._runner.send_message(CLOCK, {**msg.data, "said_unix": time.time()}, client_id=msg.node_id)

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if LIVE in data:
            self.live[client_id] = data[LIVE]
