"""What stands beside the servers and what the front finds out about them, in the course of a trial."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from testbed.parts import envoy, sidecar
from testbed.parts.asking import Address
from testbed.parts.counts import FrontCounts
from testbed.parts.envoy import Envoy
from testbed.parts.front import Client
from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.results.findings import Findings
from testbed.run.boxes import Boxes
from testbed.run.checks import Checks
from testbed.run.faulting import Faulting
from testbed.run.kill import Watcher
from testbed.stack.engine import Engine

# How often a front is asked which servers it has ejected.
_EVERY_S = 0.25


class Sidecars:
    """Of one trial, once its containers were started."""

    def __init__(self, clients: Mapping[str, Envoy]) -> None:
        """`clients`: by the server they stand beside."""
        self._clients = clients

    @classmethod
    def of(cls, cell: Cell, boxes: Boxes, engine: Engine, run_id: str) -> "Sidecars":
        """Of a trial without any, none."""
        clients: dict[str, Envoy] = {}
        for server in boxes.servers if cell.sidecar != NO_SIDECAR else []:
            # Their ports are those of the network namespace, which is the server's.
            host, port = engine.published(run_id, server, envoy.COUNTERS_PORT)
            clients[server] = Envoy(Address(sidecar.called(server), port, host))
        return cls(clients)

    def beside(self, server: str) -> Envoy | None:
        return self._clients.get(server)

    def read(self) -> dict[str, FrontCounts]:
        """By sidecar, what it has counted; of those that do not say nothing."""
        found = {}
        for server, client in self._clients.items():
            try:
                found[sidecar.called(server)] = client.read()
            except OSError:
                continue
        return found


class Ejections:
    """Looks every 250 ms which servers a front gives nothing, beside whatever else acts."""

    def __init__(self, front: Envoy, clock: Callable[[], float], beside: Watcher | None = None) -> None:
        """`clock`: seconds since the window opened."""
        self._front, self._clock, self._beside = front, clock, beside
        self._looks_at = 0.0
        self._out: frozenset[str] = frozenset()
        self.seen: list[dict[str, Any]] = []
        """Each change, in its order."""

    def look(self) -> float:
        """As of Watcher."""
        now = self._clock()
        if now >= self._looks_at:
            self._looks_at = now + _EVERY_S
            self._read(now)
        wanted_s = _EVERY_S if self._beside is None else self._beside.look()
        return min(wanted_s, self._looks_at - self._clock())

    def _read(self, now: float) -> None:
        try:
            out = self._front.ejected()
        except OSError:
            # What it had ejected then is not known; the next look says.
            return
        for name in sorted(out ^ self._out):
            self.seen.append({"at_s": round(now, 3), "server": name, "is_ejected": name in out})
        self._out = out


class Mesh:
    """Of one trial: its sidecars, its fault, and what its front ejects."""

    def __init__(self, cell: Cell, boxes: Boxes, checks: Checks, front: Client | None) -> None:
        """`front`: None without one of its own."""
        self._cell, self._boxes, self._checks, self._front = cell, boxes, checks, front
        self._sidecars = Sidecars({})
        self._faulting: Faulting | None = None
        self._ejections: Ejections | None = None

    def started(self, engine: Engine, run_id: str) -> None:
        """Its containers were. ContainerGone, EngineGone where that is over already."""
        self._sidecars = Sidecars.of(self._cell, self._boxes, engine, run_id)

    def watcher(self, clock: Callable[[], float], beside: Watcher | None) -> Watcher | None:
        """What acts while the window is open. `clock`: seconds since it opened."""
        if self._cell.eject and isinstance(self._front, Envoy):
            beside = self._ejections = Ejections(self._front, clock, beside)
        if (fault := self._cell.what_fails) is not None:
            name = self._boxes.servers[fault.replica - 1]
            told = self._sidecars.beside(name)
            beside = self._faulting = Faulting(fault, name, self._boxes, self._checks, told, clock, beside)
        return beside

    def window_closed(self) -> None:
        """What was wrong on purpose is right again: what stands still has counted, and is to say what."""
        if self._faulting is not None:
            self._faulting.end()

    def tell(self, found: Findings) -> None:
        """What came of it so far."""
        if self._faulting is not None:
            found.actions = [asdict(action) for action in self._faulting.actions]
            if lacking := self._faulting.lacking:
                # It is another trial than was asked for.
                found.failure = found.failure or f"the fault did not come: {lacking}"
        if self._ejections is not None:
            found.ejections = list(self._ejections.seen)

    def count(self, found: Findings) -> None:
        """What the sidecars have counted."""
        found.sidecars = self._sidecars.read()
