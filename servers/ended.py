"""What ended threads and processes have used: kept where the probe can read it, since the kernel forgets it with them.

The memory is a memfd called ``threadmill-counters``. Whoever is the same user in the same PID namespace finds it in
``/proc/1/fd``, and can tell its layout by the header. Cells are signed 64-bit integers in the machine's byte order.

    header, _HEADER cells    MAGIC, LAYOUT, slots in use, 0, ...
    slots of SLOT cells      0: processes that the first one has reaped
                             1 + ROW: ended threads of the process that counts in that row

A slot holds, in this order: ``begun``; the process whose threads they are (0 in slot 0); what that process had used in
all, by getrusage, when it last looked (voluntary and involuntary context switches, CLOCK_MONOTONIC in ns); voluntary
and involuntary switches of those that have ended; how many have; and ``done``, which differs from ``begun`` while the
slot is being written. Not every thread is counted by itself: one that lived for a moment only, as with a connection for
each request, is in the process's sum, for which getrusage is asked at the end of a thread every few milliseconds. So is
what a thread does on its way out. A reader that knows the threads alive takes the greater of the two.
The rest is a ring with
the last that have ended, each ``number << STAMP_BITS | milliseconds of CLOCK_MONOTONIC``: such a task may still be
seen in /proc for a moment and is not to be counted a second time.
"""

import mmap
import os
import struct
from _thread import get_native_id
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, getrusage
from time import monotonic_ns

NAME = "threadmill-counters"
MAGIC = int.from_bytes(b"thrdmill", "little")
LAYOUT = 1
SLOT = 1024  # two pages: only slots that are used take memory
STAMP_BITS = 40

# A thread that lived for less is not asked for its own use: where each request has a connection of its own, that would
# take more than 2 % of the request's CPU time.
_MOMENT_NS = 5_000_000
# The process's sum is made by the kernel over all threads, some 25 ns for each: a two-hundredth of a core at most.
_LOOK_EVERY_NS = 1_000_000
_LOOK_EVERY_NS_PER_THREAD = 5_000
_HEADER = 16
_CELL_BYTES = 8
_SLOTS_USED = 2
_BEGUN, _PID, _ALL_VOLUNTARY, _ALL_INVOLUNTARY, _ALL_AT, _VOLUNTARY, _INVOLUNTARY, _COUNT, _DONE, _RING = range(10)
_RING_SIZE = SLOT - _RING
# Voluntary to done. In one call: what is done for every connection has to be short.
_put_end = struct.Struct("=4q").pack_into


class Ended:
    """Written by the first process (slot 0) and by each process for its own threads; a SIGKILL spoils no other slot."""

    def __init__(self, rows: int, further_cells: int, visible: bool) -> None:
        """``further_cells``: so many after the slots are the caller's. ``visible``: for the probe to find."""
        at = _HEADER + (1 + rows) * SLOT
        size = (at + further_cells) * _CELL_BYTES
        cells = memoryview(_visible(size) if visible else mmap.mmap(-1, size)).cast("q")
        self._cells, self.further = cells[:at], cells[at:]
        self._cells[_SLOTS_USED] = 1
        self._cells[1] = LAYOUT
        self._cells[0] = MAGIC  # last: the header is whole
        # Of this process's own slot, once it has one.
        self._row = -1
        self._at = self._end_at = self._begun = self._count = self._voluntary = self._involuntary = 0
        self._look_at_ns = 0

    def first_process(self) -> None:
        """Whose threads and children until now were those of the program it was before, such as a container's init."""
        whole, alone, at = getrusage(RUSAGE_SELF), getrusage(RUSAGE_THREAD), _slot(0)
        self._cells[at + _VOLUNTARY] = max(0, whole.ru_nvcsw - alone.ru_nvcsw)
        self._cells[at + _INVOLUNTARY] = max(0, whole.ru_nivcsw - alone.ru_nivcsw)
        self.has_threads(0, os.getpid())
        self.begin_reaping()
        self.end_reaping()

    def has_threads(self, row: int, pid: int) -> None:
        """The threads of this process will be counted in this row."""
        cells = self._cells
        cells[_slot(row) + _PID] = pid
        cells[_SLOTS_USED] = max(cells[_SLOTS_USED], 2 + row)

    def is_due(self, began_ns: int) -> bool:
        """Whether a thread that began then and is about to end has to call `this_thread`."""
        now_ns = monotonic_ns()
        return now_ns >= self._look_at_ns or now_ns - began_ns >= _MOMENT_NS

    def this_thread(self, row: int, others: int = 0) -> None:
        """Count what the calling thread, about to end, has used; so many others are there. The caller holds its
        process's lock.
        """
        if row != self._row:
            self._own(row)
        cells, at, count = self._cells, self._at, self._count
        cells[at + _BEGUN] = self._begun = begun = self._begun + 1
        now_ns = monotonic_ns()
        cells[at + _RING + count % _RING_SIZE] = get_native_id() << STAMP_BITS | now_ns // 1_000_000
        if now_ns >= self._look_at_ns:
            whole = getrusage(RUSAGE_SELF)
            cells[at + _ALL_VOLUNTARY], cells[at + _ALL_INVOLUNTARY] = whole.ru_nvcsw, whole.ru_nivcsw
            cells[at + _ALL_AT] = now_ns
            self._look_at_ns = now_ns + max(_LOOK_EVERY_NS, _LOOK_EVERY_NS_PER_THREAD * others)
        used = getrusage(RUSAGE_THREAD)
        self._voluntary += used.ru_nvcsw
        self._involuntary += used.ru_nivcsw
        self._count = count = count + 1
        _put_end(cells, self._end_at, self._voluntary, self._involuntary, count, begun)

    def _own(self, row: int) -> None:
        """This process counts its threads in that row from now on, and nobody else does."""
        cells, at = self._cells, _slot(row)
        self._row, self._at, self._end_at = row, at, (at + _VOLUNTARY) * _CELL_BYTES
        self._begun, self._count = cells[at + _DONE], cells[at + _COUNT]
        self._voluntary, self._involuntary = cells[at + _VOLUNTARY], cells[at + _INVOLUNTARY]
        self._look_at_ns = 0

    # Between these two a child that is no longer in /proc may not be counted yet. They nest: a handler of SIGCHLD may
    # be interrupted by another.

    def begin_reaping(self) -> None:
        self._cells[_HEADER + _BEGUN] += 1

    def end_reaping(self) -> None:
        """Count what all reaped children have used: with their threads, and what they have reaped themselves."""
        cells, used = self._cells, getrusage(RUSAGE_CHILDREN)
        if used.ru_nvcsw + used.ru_nivcsw >= cells[_HEADER + _VOLUNTARY] + cells[_HEADER + _INVOLUNTARY]:
            cells[_HEADER + _VOLUNTARY], cells[_HEADER + _INVOLUNTARY] = used.ru_nvcsw, used.ru_nivcsw
        cells[_HEADER + _DONE] += 1

    def reaped(self, pid: int) -> None:
        cells = self._cells
        cells[_HEADER + _RING + cells[_HEADER + _COUNT] % _RING_SIZE] = pid << STAMP_BITS | monotonic_ns() // 1_000_000
        cells[_HEADER + _COUNT] += 1

    def clear(self, row: int, pid: int) -> None:
        """The threads of this reaped process are in its own use."""
        cells, at = self._cells, _slot(row)
        if cells[at + _PID] == pid:
            for cell in range(at, at + _RING):  # what is in the ring soon is too old to matter
                cells[cell] = 0


def _visible(size: int) -> mmap.mmap:
    """Memory that the probe can find. Where the kernel or a filter has no memfd it is not: then nothing is known."""
    try:
        descriptor = os.memfd_create(NAME)
    except OSError:
        return mmap.mmap(-1, size)
    os.ftruncate(descriptor, size)
    # It stays open: the probe finds it by that. (mmap has a copy, but closing this one would leave a gap in the
    # numbers, which makes a limit of descriptors mean one more than it says.)
    return mmap.mmap(descriptor, size)


def _slot(row: int) -> int:
    return _HEADER + (1 + row) * SLOT
