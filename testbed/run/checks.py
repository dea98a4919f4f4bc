"""What stands between a trial's start and its load: every server is there, echoes right, and is what it is called."""

import time

from testbed.judge import shape
from testbed.parts import front
from testbed.plan.axes.front import API_KEY
from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.results.findings import Findings
from testbed.run.boxes import Boxes, TrialFailed
from testbed.stack.load_services import target
from testbed.stack.locust_api import Echo, Load, asked_behind
from testbed.stack.naming import BEHIND_SIDECAR_PORT
from testbed.stack.server_services import cell_of

READY_TIMEOUT_S = 30.0
# How often a server that starts is asked for an echo. Python under a small CPU limit takes 0.1 to 2 s to start.
READY_INTERVAL_S = 0.05
# Connections held while a server's processes and threads are counted.
SHAPE_CONNECTIONS = 3
SHAPE_TIMEOUT_S = 2.0


class Checks:
    """Of one trial. What is found, and how many requests and connections it took, goes to `found`."""

    def __init__(self, load: Load, boxes: Boxes, cell: Cell, found: Findings) -> None:
        self._load = load
        self._boxes = boxes
        self._cell = cell
        self._found = found
        # What the load generator calls each server by itself.
        past = "" if cell.sidecar == NO_SIDECAR else f":{BEHIND_SIDECAR_PORT}"
        self._called = {name: f"{target(cell) if cell.is_single else name}{past}" for name in boxes.servers}

    def wait_until_ready(self) -> None:
        """Ask every server for a real echo over the load's network until one comes back: nothing runs inside their
        limits. Then take the way that the load will take; what speaks HTTP keeps the connections that it makes, so that
        comes when `verify` has counted. TrialFailed, BoxEnded where none comes."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        for called in self._called.values():
            self._wait_for_echo(called, deadline)
        if not self._cell.is_single and self._cell.is_direct:
            self._wait_for_echo(target(self._cell), deadline)

    def echo_of(self, name: str) -> str:
        """Ask one server, by its own name, for an echo; empty when it came back, else why not."""
        return self._echo_of(self._called.get(name, name))

    def _echo_of(self, called: str) -> str:
        echo = self._asked(called)
        # One that was reached and did not echo has taken the connection, or left it in its queue.
        self._connected(None if echo.reached and echo.error else int(echo.reached))
        return echo.error

    def crash(self, name: str, how: str) -> str:
        """Ask one server to crash, by a request of its own; empty when its connection ended, else what came of it."""
        came = self._load.crash(self._called[name], how, self._cell.protocol)
        # Whether it was taken from the queue, counted, or answered, nobody can say of one that ended over it.
        self._found.perhaps_echoed += 1
        self._connected(int(came.reached) if not came.error else None if came.reached else 0)
        return came.error

    def _echo_on_the_way_of_the_load(self, called: str) -> str:
        echo = self._asked(called, API_KEY if self._cell.auth == "key" else "")
        self._found.front_echoes = _added(self._found.front_echoes, echo.echoes)
        self._found.check_connections = _added(self._found.check_connections, int(echo.reached))
        return echo.error

    def _echo_of_its_sidecar(self, called: str) -> str:
        echo = self._asked(called)
        self._found.sidecar_connections = _added(self._found.sidecar_connections, int(echo.reached))
        return echo.error

    def _asked(self, called: str, key: str = "") -> Echo:
        """One try for an echo, with what it adds to what the servers will have counted."""
        echo = self._load.echo(called, self._cell.protocol, **({"key": key} if key else {}))
        self._echoed(echo.echoes)
        self._found.perhaps_echoed += int(echo.reached and bool(echo.error))
        return echo

    def _wait_for_echo(self, called: str, deadline: float) -> None:
        ask = self._echo_on_the_way_of_the_load
        if called in self._called.values():
            ask = self._echo_of
        elif called in self._called and not self._cell.is_single:
            ask = self._echo_of_its_sidecar
        while True:
            if not (error := ask(called)):
                return
            self._boxes.fail_if_ended("before it was ready")
            if time.monotonic() > deadline:
                who = "server" if self._cell.is_single and self._cell.is_direct else called
                raise TrialFailed(f"{who} did not answer within {READY_TIMEOUT_S:g} s: {error}")
            time.sleep(READY_INTERVAL_S)

    def verify(self) -> None:
        """Does each server echo as the protocol says, and is it the model it is called?"""
        checks: list[dict[str, str]] = []
        mismatches: list[str] = []
        for name in self._called:
            checks += self._verified(name)
            mismatches.append(self._mismatch(name))
        self._found.verification = checks
        self._found.shape_mismatch = next(filter(None, mismatches), "")
        deadline = time.monotonic() + READY_TIMEOUT_S
        if self._cell.sidecar != NO_SIDECAR and not self._cell.is_single:
            for name in self._called:
                self._wait_for_echo(name, deadline)
        # Of several fronts each by its own name: their common one may lead to one and the same every time.
        fronts = front.names(self._cell) if self._cell.fronts > 1 else ()
        if not self._cell.is_direct:
            for called in fronts or (target(self._cell),):
                self._wait_for_echo(called, deadline)
        if self._cell.auth == "key":
            checks.append(self._without_key())

    def _without_key(self) -> dict[str, str]:
        """Does the gateway keep out who shows no key? No server is asked then."""
        echo = self._load.echo(target(self._cell), self._cell.protocol)
        self._found.check_connections = _added(self._found.check_connections, int(echo.reached))
        if not echo.error:
            self._echoed(echo.echoes)
            self._found.front_echoes = _added(self._found.front_echoes, echo.echoes)
        right = echo.reached and "401" in echo.error
        reason = "" if right else f"asked without a key: {echo.error or 'echoed'}, instead of 401"
        return {"name": "no key is answered 401", "status": "pass" if right else "fail", "reason": reason}

    def _verified(self, name: str) -> list[dict[str, str]]:
        of = cell_of(self._cell, name)
        model, workers, threads = of.model, of.workers, of.threads
        at_once = shape.checked_at_once(model, workers, threads)
        verified = self._load.verify(self._called[name], at_once, asked_behind(self._cell), self._cell.protocol)
        self._echoed(verified.echoes)
        self._connected(verified.connections)
        if len(self._called) == 1:
            return verified.checks
        return [{**check, "name": f"{name}: {check['name']}"} for check in verified.checks]

    def _mismatch(self, name: str) -> str:
        """How it differs from its model while it holds connections; empty when it does not."""
        of = cell_of(self._cell, name)
        slots = shape.serving_slots(of.model, of.workers, of.threads)
        connections = min(slots or SHAPE_CONNECTIONS, SHAPE_CONNECTIONS)
        held = self._load.hold(self._called[name], connections, self._cell.protocol)
        try:
            self._echoed(held.echoes)
            self._connected(held.held)
            return self._settled_mismatch(name, held.held)
        finally:
            self._echoed(self._load.release())

    def _settled_mismatch(self, name: str, connections: int) -> str:
        """Empty as soon as the server looks like its model: a thread or child that is being made needs a moment."""
        deadline = time.monotonic() + SHAPE_TIMEOUT_S
        while True:
            self._boxes.fail_if_ended("during the verification")
            mismatch = self._boxes.shape_mismatch(name, cell_of(self._cell, name), connections)
            if not mismatch or time.monotonic() > deadline:
                return mismatch
            time.sleep(READY_INTERVAL_S)

    def _echoed(self, count: int | None) -> None:
        """The servers have echoed so many requests outside of the load's counts; None when that is not certain."""
        self._found.other_echoes = _added(self._found.other_echoes, count)

    def _connected(self, count: int | None) -> None:
        """So many connections were made straight to a single server."""
        self._found.direct_connections = _added(self._found.direct_connections, count)


def _added(known: int | None, more: int | None) -> int | None:
    """Their sum; None where one of them is not certain."""
    return None if known is None or more is None else known + more
