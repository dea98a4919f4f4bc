"""Where the connections of a run go: who asks DNS for a target's name, how often, and which of its addresses is taken.

`once`: each worker asks when the run begins and goes to the first address of the answer ever after, as a program does
that resolves a name when it starts. `all`: it asks when the run begins and takes the addresses in turn, in an order
that all workers have in common. `each`: every connection asks anew and takes one address of its answer at random.

At random rather than the first: C libraries may sort what a server has shuffled, by how near each address is to the
client's own (RFC 6724, section 6, rule 9), and one and the same would be the first for ever. That of these images
leaves the shuffled answers of Docker's DNS as they are; there both come to the same.
"""

from __future__ import annotations

import random
from _queue import SimpleQueue
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.monkey import get_original

from loadtests.client import Address, resolve_all
from loadtests.replies import ConnectError

THREADS = 4
"""Look-ups under way at a time. They wait for another process, so a few keep it busy."""

# The system's own: what gevent puts in their place is made of greenlets, and would wait in its loop.
_start_thread = get_original("_thread", "start_new_thread")

Found = Callable[["Address | None"], None]
"""Told the address that a look-up has found; None where there is none."""


class Destination:
    """A target as the connections of one worker's run see it, and how many it has got at each address."""

    def __init__(self, host: str, port: int, dns: str = "once", before: int = 0) -> None:
        """`before`: how many users the workers before this one have, whose turns come first. OSError where the name
        does not resolve."""
        self.host, self.port = host, port
        self.looks_up = dns == "each"
        """Whether every connection asks anew: then `look_up` says where it goes, and `next` is for nobody."""
        addresses = resolve_all(host, port)
        self._addresses = sorted(addresses, key=_order) if dns == "all" else addresses[:1]
        self._turn = before % len(self._addresses)
        self._opened: Counter[Address] = Counter()
        self._look_ups: _LookUps | None = None

    def next(self) -> Address:
        """Where the next connection goes, at once."""
        address = self._addresses[self._turn]
        self._turn = (self._turn + 1) % len(self._addresses)
        return address

    def choose(self) -> Address:
        """Where the next connection goes, for whoever has a greenlet to wait in. Raises ConnectError."""
        if not self.looks_up:
            return self.next()
        try:
            return random.choice(resolve_all(self.host, self.port))
        except OSError as error:
            raise ConnectError(error.strerror or str(error)) from None

    def look_up(self, found: Found) -> None:
        """The same for whoever must not wait: `found` is called from gevent's loop."""
        if self._look_ups is None:
            self._look_ups = _LookUps(self.host, self.port)
        self._look_ups.ask(found)

    def opened(self, address: Address) -> None:
        """A connection was made."""
        self._opened[address] += 1

    @property
    def connections(self) -> dict[str, int]:
        """How many were made to each address, as `10.0.0.7:8081`."""
        return {f"{address.sockaddr[0]}:{address.sockaddr[1]}": count for address, count in self._opened.items()}

    def close(self) -> None:
        """No look-up is answered any more; harmless when there were none."""
        if self._look_ups is not None:
            self._look_ups.close()
            self._look_ups = None


def _order(address: Address) -> tuple[int, str]:
    return address.family, str(address.sockaddr)


class _LookUps:
    """Threads of the system's own that ask the resolver, so that gevent's loop never waits for it."""

    def __init__(self, host: str, port: int) -> None:
        self._asked: SimpleQueue[Found | None] = SimpleQueue()
        self._is_over = False
        self._answered: deque[tuple[Found, Address | None]] = deque()
        self._wake: Any = get_hub().loop.async_()
        self._wake.start(self._tell)
        for _ in range(THREADS):
            _start_thread(self._work, (host, port))

    def ask(self, found: Found) -> None:
        self._asked.put(found)

    def _work(self, host: str, port: int) -> None:
        # The C function: gevent's would hand the question to threads of its own.
        look_up = get_original("socket", "getaddrinfo")
        while (found := self._asked.get()) is not None:
            if self._is_over:
                continue
            address = None
            try:
                family, _, _, _, sockaddr = random.choice(look_up(host, port, type=1))
                address = Address(family, sockaddr)
            except OSError:
                pass
            self._answered.append((found, address))
            self._wake.send()

    def _tell(self) -> None:
        while self._answered:
            found, address = self._answered.popleft()
            found(address)

    def close(self) -> None:
        """Nobody waits for the threads: one may be at a resolver that does not answer."""
        self._is_over = True
        for _ in range(THREADS):
            self._asked.put(None)
        # Not closed: a thread that is late still wakes it, to no effect.
        self._wake.stop()
