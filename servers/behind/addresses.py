"""Where a host is, looked up by us: an event loop that did it would start a thread for it."""

import os
import socket
import time

from servers.behind.config import Address
from servers.behind.failures import UNREACHABLE, BackendError

# How soon a name that was not found, or whose host did not answer, is looked up again: that blocks an event loop.
AGAIN_S = 2.0
# Of the C library, read at the first look-up of a process: one that is not answered must not take its five seconds.
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")


class Place:
    """A host and a port, with the IP address that it had last. Threads may ask at once: then both look it up."""

    def __init__(self, address: Address) -> None:
        self.host, self.port = address
        self._ip = ""
        self._doubted = False
        self._not_before = 0.0
        self._why = ""

    def ip(self) -> str:
        """Raises BackendError where the name is not known."""
        if (self._doubted or not self._ip) and time.monotonic() >= self._not_before:
            self._look_up()
            # Not before it is known what came of it: who asks in the meantime has to look it up as well.
            self._not_before = time.monotonic() + AGAIN_S
        if not self._ip:
            raise BackendError(UNREACHABLE, self._why)
        return self._ip

    def doubt(self) -> None:
        """It did not answer: perhaps it is somewhere else now."""
        self._doubted = True

    def _look_up(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            self._why = error.strerror or str(error)
        else:
            self._ip, self._doubted = str(found[0][4][0]), False
