"""Who serves a target: the containers behind its name, what stands before them, and the probe that tells of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadtests.master.containers import Container, Containers
from loadtests.master.figures import Shown
from loadtests.master.samples import Line, Samples, Told

NUMBERED_PROBES = 8
"""docker-compose.yml has one for each of so many containers of a model."""


@dataclass(frozen=True)
class Serving:
    """At one moment, or throughout a run. `servers` is None where that is not known."""

    model: str
    front: str | None
    servers: tuple[Container, ...] | None

    def throughout(self, other: Serving) -> Serving:
        """What is the same then and now: containers that came or went leave nothing to say of how many there were."""
        return self if self == other else replace(self, servers=None)

    def as_json(self) -> dict[str, Any]:
        servers = None if self.servers is None else [one.name for one in self.servers]
        return {"model": self.model, "front": self.front, "servers": servers}


class ServedBy:
    def __init__(
        self,
        targets: Mapping[str, tuple[str, int]],
        fronts: Mapping[str, str],
        samples: Samples,
        containers: Containers | None = None,
    ) -> None:
        """`fronts`: what is behind each target that is a front."""
        self._targets = targets
        self._fronts = fronts
        self._samples = samples
        self._containers = containers or Containers()

    def now(self, target: str) -> Serving:
        front = target if target in self._fronts else None
        model = self._fronts.get(target, target)
        return Serving(model, front, self._containers.behind(self._targets[model][0]) or None)

    def shown(self, target: str) -> list[Shown]:
        """The front first, then each server: those that the name has, and those of which only a probe tells."""
        serving = self.now(target)
        model = serving.model
        fresh, there = self._samples.fresh(model), serving.servers or ()
        found: dict[str, Told | None]
        if len(fresh) <= 1 and len(there) <= 1:
            found = {model: next(iter(fresh), None)}
        else:
            absent: dict[str, Told | None] = {one.name: None for one in there}
            found = absent | {self._name_of(one.host, serving): one for one in fresh}
        servers = [Shown(name, told, _start(name, model), serving.front is None) for name, told in found.items()]
        return [*self._shown_front(serving.front), *servers]

    def _shown_front(self, front: str | None) -> list[Shown]:
        if front is None:
            return []
        return [Shown(front, next(iter(self._samples.fresh(front)), None), _start(front, front))]

    def lines(self, target: str, from_unix: float, to_unix: float) -> list[Line]:
        """What probes have told of all of them in between, each line with the name of its `container`."""
        serving = self.now(target)
        servers = self._samples.between(serving.model, from_unix, to_unix)
        named = {host: self._name_of(host, serving) for host in {str(line["host"]) for line in servers}}
        found: list[Line] = [{**line, "container": named[line["host"]]} for line in servers]
        if serving.front is not None:
            before = self._samples.between(serving.front, from_unix, to_unix)
            found += [{**line, "container": serving.front} for line in before]
        return found

    def _name_of(self, host: str, serving: Serving) -> str:
        """The container of this address; what it calls itself where the model's name does not have it.

        Where DNS does not know what it calls itself, a probe that shares its network speaks from its address.
        """
        address = self._containers.address_of(host) or self._samples.sender_of(serving.model, host)
        return next((one.name for one in serving.servers or () if one.address == address), host)


def _start(name: str, model: str) -> str:
    """The command that starts a probe beside it. One of several has its number at the end."""
    if name == model:
        return f"docker compose up -d probe-{model}"
    number = name.rpartition("-")[2]
    numbered = number if number.isdecimal() and 1 <= int(number) <= NUMBERED_PROBES else "N"
    return f"BACKEND={model} docker compose up -d --no-deps probe-{numbered}"
