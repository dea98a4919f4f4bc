"""A server with a store, in memory."""

import re
import socket
import threading

KEYS = 20
_ASKED = re.compile(rb"!(read|write|send)=(all|\d+)(?::(\d+))? ")


class Store:
    """Of versions in memory, with what its answers may be made to lack."""

    def __init__(self, lost=0.0):
        self.lost = lost
        """Share of the writes that are confirmed and not done."""
        self.versions = dict.fromkeys(range(KEYS), 0)
        self.asked = []
        self.writing = set()
        self.overlapped = 0
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket, line: bytes) -> None:
        connection.sendall(self.answer(line))

    def answer(self, line):
        if (asked := _ASKED.match(line)) is None:
            return line
        verb, key, version = asked.groups()
        with self._lock:
            self.asked.append((verb, key, int(version or 0)))
            if key == b"all" or verb == b"send":
                return line
            key, version = int(key), int(version or 0)
            if verb == b"read":
                return line if self.versions.get(key, 0) >= version else b"!stale\n"
            assert version > self.versions[key]
            if len(self.asked) % 100 >= 100 * self.lost:
                self.versions[key] = version
        return line
