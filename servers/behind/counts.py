"""What a server has asked of what is behind it: shared memory, a row per process, so that a kill loses nothing."""

import mmap
import struct
import threading
from collections.abc import Mapping

from servers.behind.failures import NAMES
from servers.counters import ADDS_IN_ONE_STEP

# reads, writes, sends, scans: that were answered, stale and wrong ones included; hits, misses: of the cache; fetches:
# reads of the database for want of an entry, fewer than misses where some wait for another's; waited: how often a
# connection had to be waited for; connects: connections made.
PLAIN = (
    *("reads", "writes", "sends", "scans", "hits", "misses", "fetches"),
    *("stale", "wrong", "waited", "waited_us", "connects"),
)
_COLUMN: Mapping[str, int] = {name: column for column, name in enumerate((*PLAIN, *NAMES))}
_CELL_BYTES = struct.calcsize("q")


class Counts:
    """Rows as of ``counters.Counters``: one for each process, written by it alone, handed on with what it has."""

    def __init__(self, rows: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, rows * len(_COLUMN) * _CELL_BYTES)).cast("q")

    def row(self, row: int) -> "Row":
        return Row(self._cells[row * len(_COLUMN) : (row + 1) * len(_COLUMN)])

    def totals(self) -> dict[str, object]:
        """For the exit report: by name, errors in a mapping of their own."""
        sums = {name: sum(self._cells[column :: len(_COLUMN)]) for name, column in _COLUMN.items()}
        return {**{name: sums[name] for name in PLAIN}, "errors": {name: sums[name] for name in NAMES}}


class Row:
    """One process's counts. Threads of it may count at once."""

    def __init__(self, cells: "memoryview[int]") -> None:
        self._cells = cells
        self._lock = None if ADDS_IN_ONE_STEP else threading.Lock()

    def add(self, name: str, amount: int = 1) -> None:
        """Raises KeyError for a name that is neither in PLAIN nor in failures.NAMES."""
        column = _COLUMN[name]
        if self._lock is None:
            self._cells[column] += amount
        else:
            with self._lock:
                self._cells[column] += amount
