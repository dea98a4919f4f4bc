"""Counts that survive fork: one row of shared memory per process, written by that process alone."""

import errno
import mmap
from typing import NamedTuple

_CELL_BYTES = 8


class Totals(NamedTuple):
    """What the whole server has counted since it started.

    accepted: connections taken into service; served: requests echoed; refused: connections turned away;
    errors: lines answered with ``!error`` and connections that ended in a fault; replaced: workers that died.
    """

    accepted: int = 0
    served: int = 0
    refused: int = 0
    errors: int = 0
    replaced: int = 0


_OPEN = len(Totals._fields)
_COLUMNS = _OPEN + 1


class Counters:
    """Row 0 belongs to the first process; it claims one for each child and releases it after the child is reaped.

    A released row keeps its counts and is handed on. Within a process the caller holds a lock around its writes.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._memory = mmap.mmap(-1, (1 + rows * _COLUMNS) * _CELL_BYTES)
        cells = memoryview(self._memory).cast("q")
        # How many rows were ever claimed, shared too: a sum need not touch the others.
        self._used, self._cells = cells[:1], cells[1:]
        self._used[0] = 1
        self._free: list[int] = []

    def claim(self) -> int:
        """A row for a child about to be forked. Raises OSError (EAGAIN) if none is left."""
        if self._free:
            row = self._free.pop()
        elif self._used[0] < self._rows:
            row = self._used[0]
            self._used[0] += 1
        else:
            raise OSError(errno.EAGAIN, "no row left for another process")
        return row

    def release(self, row: int) -> None:
        self.set_open(row, 0)
        self._free.append(row)

    def add(
        self, row: int, *, accepted: int = 0, served: int = 0, refused: int = 0, errors: int = 0, replaced: int = 0
    ) -> None:
        for column, amount in enumerate((accepted, served, refused, errors, replaced), row * _COLUMNS):
            if amount:
                self._cells[column] += amount

    def set_open(self, row: int, connections: int) -> None:
        self._cells[row * _COLUMNS + _OPEN] = connections

    def open(self) -> int:
        """Connections open now, in all processes."""
        return sum(self._cells[_OPEN : self._used[0] * _COLUMNS : _COLUMNS])

    def totals(self) -> Totals:
        end = self._used[0] * _COLUMNS
        return Totals(*(sum(self._cells[column:end:_COLUMNS]) for column in range(_OPEN)))
