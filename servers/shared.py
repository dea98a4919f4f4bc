"""One count of all requests, to which every process and thread adds under one lock: what state in common costs.

Without it each adds to a count of its own (``servers.counters``), and nobody waits for another.
"""

import mmap
import os

# Of _multiprocessing, not multiprocessing: that imports threading, which makes each fork dearer (``servers.server``).
# It is a semaphore of the kernel's that processes share: free it costs no system call, and who waits for it sleeps.
from _multiprocessing import SemLock  # type: ignore[import-not-found]

_SEMAPHORE = 1  # of SemLock's two kinds the one that is no recursive lock
_BYTES = 8


class SharedCount:
    """To be made before the first fork. A process that is killed while it holds the lock leaves all others waiting."""

    def __init__(self) -> None:
        self._lock = SemLock(_SEMAPHORE, 1, 1, f"/threadmill-{os.urandom(8).hex()}", True)
        self._cell = memoryview(mmap.mmap(-1, _BYTES)).cast("Q")

    def add(self, requests: int) -> None:
        with self._lock:
            self._cell[0] += requests

    @property
    def value(self) -> int:
        """What all have added."""
        return self._cell[0]
