"""Several containers of a model by hand, and what stands before them: what can be asked for, and what Compose is told.
Pure."""

import math
from dataclasses import dataclass, replace
from typing import get_args

from testbed.errors import UserError
from testbed.plan.cell import NO_SIDECAR
from testbed.plan.fields import MIN_CPUS, OF_HTTP, PROXIES, Front, Machine, Sidecar
from testbed.plan.fitting import FRONT_MEMORY_BYTES
from testbed.stack.naming import BEHIND_SIDECAR_PORT
from testbed.units import format_bytes

MOST_REPLICAS = 8
"""docker-compose.yml has a probe for each of so many."""
FRONT_CPUS = 0.5
SERVER_CPUS = 1.0
FRONTS: tuple[str, ...] = get_args(Front)
SIDECARS: tuple[str, ...] = get_args(Sidecar)
SIDECAR_SERVICE = "sidecar"
"""In docker-compose.yml."""


@dataclass(frozen=True)
class Scale:
    """`front`: none, dns (the model's name has the addresses of all), or a container of its own with `front_cpus`."""

    replicas: int = 1
    front: str = "none"
    front_cpus: float = FRONT_CPUS
    sidecar: str = "none"
    """Of the one server: none, envoy."""

    @property
    def is_proxied(self) -> bool:
        return self.front in PROXIES

    @property
    def is_single(self) -> bool:
        return self.replicas == 1 and not self.is_proxied


def check_scale(models: list[str], replicas: int, front: str | None, front_cpus: float | None) -> Scale:
    """UserError names the flag, what was found and what is allowed. Without a front, several are behind their name."""
    if not 1 <= replicas <= MOST_REPLICAS:
        raise UserError(f"--replicas: found {replicas}, allowed: a whole number from 1 to {MOST_REPLICAS}")
    chosen = front or ("none" if replicas == 1 else "dns")
    if chosen not in FRONTS:
        raise UserError(f"--front: found {chosen!r}, allowed: {', '.join(FRONTS[:-1])} or {FRONTS[-1]}")
    if chosen == "none" and replicas > 1:
        raise UserError(f"--front: found none with {replicas} replicas, allowed: {', '.join(FRONTS[1:])}")
    if front_cpus is not None and chosen not in PROXIES:
        allowed = f"with --front {', '.join(PROXIES[:-1])} or {PROXIES[-1]}, which are containers of their own"
        raise UserError(f"--front-cpus: found {front_cpus:g} with front {chosen}, allowed: {allowed}")
    scale = Scale(replicas, chosen, FRONT_CPUS if front_cpus is None else front_cpus)
    if len(models) > 1 and not scale.is_single:
        flag = "--front" if replicas == 1 else "--replicas"
        raise UserError(f"{flag}: found with {len(models)} models ({', '.join(models)}), allowed: with one")
    return scale


def check_front(scale: Scale, http: bool) -> None:
    """UserError where the front does not speak what the servers are to speak."""
    if scale.front in OF_HTTP and not http:
        raise UserError(
            f"--front: found {scale.front} without --http, allowed: with it: a line is nothing that it could read"
        )


def with_sidecar(scale: Scale, sidecar: str | None, models: list[str], http: bool) -> Scale:
    """The same with what stands beside the server. UserError, one line, where that cannot be."""
    if sidecar in (None, NO_SIDECAR):
        return scale
    if sidecar not in SIDECARS:
        raise UserError(f"--sidecar: found {sidecar!r}, allowed: {', '.join(SIDECARS)}")
    if not http:
        raise UserError(f"--sidecar: found {sidecar} without --http, allowed: with it: a line is nothing it could read")
    if scale.replicas > 1 or len(models) > 1:
        found = f"{scale.replicas} replicas" if scale.replicas > 1 else f"{len(models)} models"
        raise UserError(f"--sidecar: found {sidecar} with {found}, allowed: with one server; a sweep has several")
    return replace(scale, sidecar=str(sidecar))


def default_cpus(scale: Scale, machine: Machine) -> float:
    """The limit of each server where none was given: SERVER_CPUS, or less where all together would have more than the
    machine; in steps of a twentieth."""
    if scale.is_single:
        return SERVER_CPUS
    left = machine.cpus - (scale.front_cpus if scale.is_proxied else 0.0)
    return max(MIN_CPUS, min(SERVER_CPUS, math.floor(left / scale.replicas * 20 + 1e-9) / 20))


def check_sum(scale: Scale, cpus: float, memory_bytes: int, machine: Machine) -> None:
    """UserError where several servers and their front would together have more than the machine."""
    if scale.is_single:
        return
    front_cpus = scale.front_cpus if scale.is_proxied else 0.0
    all_cpus = cpus * scale.replicas + front_cpus
    if all_cpus > machine.cpus + 1e-9:
        front = f" and {front_cpus:g} for the front" if front_cpus else ""
        raise UserError(
            f"--cpus: found {cpus:g} for each of {scale.replicas}{front}, {all_cpus:g} in all, allowed: at most the "
            f"{machine.cpus} CPUs of this machine"
        )
    all_bytes = memory_bytes * scale.replicas + (FRONT_MEMORY_BYTES if scale.is_proxied else 0)
    if all_bytes > machine.memory_bytes:
        raise UserError(
            f"--memory: found {format_bytes(memory_bytes)} for each of {scale.replicas}, {format_bytes(all_bytes)} in "
            f"all, allowed: at most the {format_bytes(machine.memory_bytes)} of this machine"
        )


def variables(scale: Scale, model: str) -> dict[str, str]:
    """What docker-compose.yml is told of it by its environment."""
    # A port of its own has room for one container.
    found = {"SERVER_PORT": ""} if scale.replicas > 1 else {}
    if not scale.is_single or scale.sidecar != NO_SIDECAR:
        found |= {"BACKEND": model}
    if scale.sidecar != NO_SIDECAR:
        found |= {"PORT": str(BEHIND_SIDECAR_PORT)}
    if scale.is_proxied:
        found |= {"FRONT_CPUS": f"{scale.front_cpus:g}", "FRONT_THREADS": str(math.ceil(scale.front_cpus))}
    return found


def probes(scale: Scale, model: str) -> list[str]:
    """What docker-compose.yml calls the probes, without what is before each name."""
    servers = [model] if scale.replicas == 1 else [str(number + 1) for number in range(scale.replicas)]
    return [*servers, *([scale.front] if scale.is_proxied else [])]
