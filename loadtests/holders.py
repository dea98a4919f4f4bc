"""Idle holders: silent connections that cost the server whatever a connection costs it, and are no users."""

from __future__ import annotations

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Group

from loadtests.client import Address, EchoClient, EchoError

OPENING_AT_ONCE = 64
"""Connections under way at a time: more would overflow the server's backlog, which costs a second each."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


class Holders:
    """`wanted` connections, opened in the background and opened again when the server drops them."""

    def __init__(self, address: Address | None, wanted: int) -> None:
        self.wanted = wanted
        self.held = 0
        self.dropped = 0
        """Times a held connection ended although nobody here closed it."""
        self._opening = BoundedSemaphore(OPENING_AT_ONCE)
        self._holders = Group()
        if address is not None:
            for _ in range(wanted):
                self._holders.spawn(self._hold, address)

    def _hold(self, address: Address) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            client = EchoClient(address, _LONGEST_PAUSE_S)
            try:
                with self._opening:
                    client.connect()
                self.held += 1
                try:
                    client.wait_for_end()
                finally:
                    self.held -= 1
                self.dropped += 1
                pause_s = _FIRST_PAUSE_S
            except EchoError:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            finally:
                client.close()
            gevent.sleep(pause_s)

    def close(self) -> None:
        """Close them all, which is not dropping them; harmless when they are closed."""
        self._holders.kill(block=True)
