"""The replicas of a trial that come and go while the load is on."""

import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from testbed.errors import UserError
from testbed.results.directory import ResultsDirectory
from testbed.run.boxes import Boxes
from testbed.run.checks import Checks
from testbed.stack.engine import ContainerGone, Engine, LaidOut
from testbed.stack.naming import PROBE_PREFIX, SERVER_PORT

# A replica that does not echo for so long after its start has failed to come.
JOIN_TIMEOUT_S = 15.0
# Connections that are still open so long after a replica was told to drain are cut.
DRAIN_TIMEOUT_S = 10.0


@runtime_checkable
class Balancer(Protocol):
    """What stands before the replicas and can be told of them. An OSError where it does not answer."""

    def set_address(self, server: str, address: str, port: int) -> None:
        """Where a server is."""

    def enable(self, server: str) -> None:
        """It is given connections from now on."""

    def drain(self, server: str) -> None:
        """It keeps those it has, and is given no more."""

    def sessions(self, server: str) -> int:
        """How many it has."""


class Fleet:
    """Those in service, those on their way into it, and those on their way out.

    `grow` and `shrink` begin what `look`, called again and again, brings to its end: a replica serves once it has
    echoed, and goes once its connections have gone. Nothing is waited for but the engine, which takes a second to start
    a container. Each returns a line for whatever has happened to a replica.
    """

    def __init__(
        self,
        boxes: Boxes,
        checks: Checks,
        engine: Engine,
        laid: LaidOut,
        directory: ResultsDirectory,
        names: Sequence[str],
        balancer: Balancer | None,
    ) -> None:
        """`names`: of all replicas there can be, in the order in which they join. Without a balancer clients find a
        replica by its name alone: then one serves as soon as it runs, and a connection to one that goes is cut."""
        self._boxes, self._checks, self._engine = boxes, checks, engine
        self._laid = laid
        self._directory, self._balancer = directory, balancer
        self._names = list(names)
        self.serving: list[str] = list(boxes.servers)
        self.joining: dict[str, float] = {}
        """Since when, by time.monotonic()."""
        self.leaving: dict[str, float] = {}

    @property
    def meant(self) -> int:
        """How many are to serve once those that join have joined."""
        return len(self.serving) + len(self.joining)

    def lost(self) -> list[str]:
        """Take out those that have died; their names."""
        dead = [name for name in (*self.serving, *self.joining, *self.leaving) if self._boxes.seen[name].ended]
        for name in dead:
            self._forget(name)
        return dead

    def _forget(self, name: str) -> None:
        self.serving = [one for one in self.serving if one != name]
        self.joining.pop(name, None)
        self.leaving.pop(name, None)

    def grow(self, count: int) -> list[str]:
        """Start so many more. A name is used once: what a container has counted is that container's."""
        fresh = [name for name in self._names if name not in self._boxes.seen][:count]
        lacking = count - len(fresh)
        short = [f"{lacking} of {count} not started: every container of the plan was used"] if lacking else []
        return [*self._started(fresh), *short]

    def _started(self, fresh: list[str]) -> list[str]:
        """What did not come of starting these."""
        if not fresh:
            return []
        services = [one for name in fresh for one in (name, f"{PROBE_PREFIX}{name}")]
        began = time.monotonic()
        why = "is gone right after its start"
        try:
            self._engine.up(self._laid, services)
        except UserError as error:
            why = f"could not be started: {error}"
        return [f"{name} {why}" for name in fresh if not self._joined(name, began)]

    def _joined(self, name: str, since: float) -> bool:
        try:
            self._boxes.join(name, self._directory)
        except ContainerGone:
            return False
        self.joining[name] = since
        return True

    def shrink(self, count: int) -> list[str]:
        """Begin to take so many out, those that came last first: one that does not serve yet simply goes."""
        changes: list[str] = []
        for name in list(reversed(self.joining))[:count]:
            del self.joining[name]
            self._boxes.remove(name, self._directory)
            changes.append(f"{name} is stopped before it served")
            count -= 1
        for name in list(reversed(self.serving))[:count]:
            self.serving.remove(name)
            self.leaving[name] = time.monotonic()
            try:
                if self._balancer is not None:
                    self._balancer.drain(name)
            except OSError as error:
                changes.append(f"the front could not be told to drain {name}: {error}")
        return changes

    def look(self) -> list[str]:
        """Bring further what has begun; what has come to an end."""
        return [*self._look_at_joining(), *self._look_at_leaving()]

    def _look_at_joining(self) -> list[str]:
        changes: list[str] = []
        for name, since in list(self.joining.items()):
            error = self._checks.echo_of(name)
            took_s = time.monotonic() - since
            if error and took_s < JOIN_TIMEOUT_S:
                continue
            del self.joining[name]
            if error:
                changes.append(f"{name} did not echo within {JOIN_TIMEOUT_S:g} s: {error}")
                self._boxes.remove(name, self._directory)
                continue
            changes.append(self._enabled(name, took_s))
        return changes

    def _enabled(self, name: str, took_s: float) -> str:
        try:
            if self._balancer is not None:
                self._balancer.set_address(name, self._boxes.running(name).address, SERVER_PORT)
                self._balancer.enable(name)
        except OSError as error:
            self._boxes.remove(name, self._directory)
            return f"the front could not be told of {name}: {error}"
        self.serving.append(name)
        return f"{name} serves, {took_s:.1f} s after its start"

    def _look_at_leaving(self) -> list[str]:
        changes: list[str] = []
        for name, since in list(self.leaving.items()):
            left, took_s = self._sessions(name), time.monotonic() - since
            if left and took_s < DRAIN_TIMEOUT_S:
                continue
            del self.leaving[name]
            self._boxes.remove(name, self._directory)
            cut = f", {left} connections were cut" if left else ""
            changes.append(f"{name} is stopped, {took_s:.1f} s after it was told to drain{cut}")
        return changes

    def _sessions(self, name: str) -> int:
        """How many connections it has; without anybody who knows, 0: it goes at once."""
        if self._balancer is None:
            return 0
        try:
            return self._balancer.sessions(name)
        except OSError:
            # Until it answers again, or for too long.
            return 1
