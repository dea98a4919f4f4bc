"""The master's side of idle holders: each worker is told its share, and all are there before a run begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import gevent
from locust.runners import MasterRunner

from loadtests.messages import HELD, HOLD, HoldOrder, before, share_of
from loadtests.options import Options
from loadtests.worker.patience import OPENING_AT_ONCE, longest_opening_s

HOLDING_MARGIN_S = 2.0
"""How much later than it has to a worker may say that its idle holders are there."""


class Holding:
    def __init__(self, runner: MasterRunner, targets: Mapping[str, tuple[str, int]]) -> None:
        self._runner = runner
        self._targets = targets
        self._hold_id = ""
        self._has_held: set[str] = set()
        runner.register_message(HELD, self._on_held)

    def open(self, wanted: Options, alive: Callable[[], set[str]]) -> None:
        """Have them all there before anything begins. As many as the server holds: the result says how many.

        `alive` tells the ids of the workers that are there: nobody waits for one that has gone.
        """
        asked = self._order(wanted, wanted.idle_holders)
        ends_at = time.monotonic() + longest_opening_s(wanted.idle_holders) + HOLDING_MARGIN_S
        while asked & alive() - self._has_held and time.monotonic() < ends_at:
            gevent.sleep(0.01)

    def let_go(self, wanted: Options) -> None:
        """Those of a run that does not start after all."""
        self._order(wanted, 0)

    def _order(self, options: Options, wanted: int) -> set[str]:
        """Tell each worker its share; the ids of those that have been told."""
        self._hold_id = uuid4().hex
        self._has_held = set()
        host, port = self._targets[options.target]
        workers = sorted(client.id for client in self._runner.clients.ready)
        for index, worker in enumerate(workers):
            at_once = max(4, OPENING_AT_ONCE // len(workers))
            share = share_of(wanted, index, len(workers))
            earlier = before(wanted, index, len(workers))
            to = (options.protocol, options.target, options.api_key)
            order = HoldOrder(self._hold_id, host, port, share, at_once, options.dns, earlier, *to)
            self._runner.send_message(HOLD, order.to_wire(), worker)
        return set(workers)

    def _on_held(self, msg: Any, **_: Any) -> None:
        if msg.data["hold"] == self._hold_id:
            self._has_held.add(msg.node_id)
