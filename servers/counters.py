"""Counts that survive fork: one row of shared memory per process, written by that process alone."""

import errno
import sys
from typing import NamedTuple

from servers.ended import Ended

# Whether `cells[cell] += n` is one step to all threads of a process, so that it needs no lock of ours. It is under the
# interpreter's own lock, which a thread hands on at calls and jumps backwards only: there is neither in it.
ADDS_IN_ONE_STEP: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


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


_SERVED = Totals._fields.index("served")
_OPEN = len(Totals._fields)
_COLUMNS = _OPEN + 1


class Counters:
    """Row 0 belongs to the first process; it claims one for each child (or pool thread), released when that has ended.

    A released row keeps its counts and is handed on. Within a process the caller holds a lock around its writes.
    """

    def __init__(self, rows: int, visible: bool = False) -> None:
        """``visible``: the probe is to find what ended tasks have used."""
        self._rows = rows
        self.ended = Ended(rows, 1 + rows * _COLUMNS, visible)
        self.ended.first_process()
        cells = self.ended.further
        # How many rows were ever claimed, shared too: a sum need not touch the others.
        self._used, self.cells = cells[:1], cells[1:]
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
                self.cells[column] += amount

    def served_cell(self, row: int) -> int:
        """Which of ``cells`` counts what a row served: adding there is a tenth of what ``add`` costs, per request."""
        return row * _COLUMNS + _SERVED

    def row(self, row: int) -> Totals:
        """What all holders of a row have counted in it."""
        return Totals(*self.cells[row * _COLUMNS : row * _COLUMNS + _OPEN])

    def set_open(self, row: int, connections: int) -> None:
        self.cells[row * _COLUMNS + _OPEN] = connections

    def open(self) -> int:
        """Connections open now, in all processes."""
        return sum(self.cells[_OPEN : self._used[0] * _COLUMNS : _COLUMNS])

    def totals(self) -> Totals:
        end = self._used[0] * _COLUMNS
        return Totals(*(sum(self.cells[column:end:_COLUMNS]) for column in range(_OPEN)))


class Tenure:
    """One worker's time in a row. What it has counted stays its own when the row is handed on."""

    def __init__(self, counters: Counters, kind: str, number: int, row: int) -> None:
        self.kind = kind  # "pid" or "thread"
        self.number = number
        self.row = row
        self._counters = counters
        self._before = counters.row(row)
        self._after: Totals | None = None

    def end(self) -> None:
        self._after = self._counters.row(self.row)

    def counts(self) -> dict[str, int]:
        now = self._after or self._counters.row(self.row)
        return {
            self.kind: self.number,
            "accepted": now.accepted - self._before.accepted,
            "served": now.served - self._before.served,
        }
