"""Which containers are behind a name: its addresses, and what each is called where the engine's DNS tells.

Docker's own DNS, on a network of a compose project, has all addresses for a service's name, the one address for a
container's short id, and a container's name for an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent import socket

TIMEOUT_S = 1.0
KEPT_S = 2.0


@dataclass(frozen=True)
class Container:
    """`name` is its address where nothing else is known."""

    address: str
    name: str


Look = Callable[[str], list[str]]
"""The addresses of a host. OSError where there are none."""
Name = Callable[[str], str]
"""The name of an address. OSError where it has none."""


def _addresses(host: str) -> list[str]:
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


def _name(address: str) -> str:
    return str(socket.gethostbyaddr(address)[0])


class Containers:
    """Asks the resolver, and keeps an answer for KEPT_S: however many pages ask, it is asked no more often."""

    def __init__(
        self, look: Look = _addresses, name: Name = _name, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._name = name
        self._clock = clock
        self._found: dict[str, tuple[float, tuple[Container, ...]]] = {}

    def behind(self, host: str) -> tuple[Container, ...]:
        """All that this name stands for, by name; empty where it is not known. Waits for TIMEOUT_S at most."""
        found = self._found.get(host)
        if found is None or self._clock() > found[0] + KEPT_S:
            try:
                with gevent.Timeout(TIMEOUT_S):
                    addresses = self._look(host)
                    # One alone needs no name to be told apart.
                    named = [self._named(one) if len(addresses) > 1 else Container(one, host) for one in addresses]
            except (OSError, UnicodeError, gevent.Timeout):
                named = []
            found = self._clock(), tuple(sorted(named, key=lambda one: one.name))
            self._found[host] = found
        return found[1]

    def address_of(self, host: str) -> str | None:
        """Of a container by the name it gives itself; None where it is not known."""
        found = self.behind(host)
        return found[0].address if len(found) == 1 else None

    def _named(self, address: str) -> Container:
        # Asked anew each time: an address may go to another container. `NAME.NETWORK` is what Docker answers.
        try:
            return Container(address, self._name(address).partition(".")[0] or address)
        except OSError:
            return Container(address, address)
