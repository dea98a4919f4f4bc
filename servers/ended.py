"""What ended threads and processes have used: kept where the probe can read it, since the kernel forgets it with them.

The memory is a memfd called ``threadmill-counters``. Whoever is the same user in the same PID namespace finds it in
``/proc/1/fd``, and can tell its layout by the header. Cells are signed 64-bit integers in the machine's byte order.

    header, _HEADER cells    MAGIC, LAYOUT, slots in use, 0, ...
    slots of SLOT cells      0: processes that the first one has reaped
                             1 + ROW: ended threads of the process that counts in that row

A slot begins with ``begun`` and ``done``: they differ while it is being written. Then come voluntary and involuntary
context switches, how many have ended, the process whose threads they were (0 in slot 0), and what that process had
used in all, by getrusage, when it last looked (voluntary, involuntary, CLOCK_MONOTONIC in ns): a thread may have to
wait once more on its way out, for the interpreter's lock or the memory map's, which only the kernel's sum has. Then a
reader that knows the threads alive has to take the greater of the two. The rest is a ring with
the last that have ended, each ``number << STAMP_BITS | milliseconds of CLOCK_MONOTONIC``: such a task may still be
seen in /proc for a moment and is not to be counted a second time.
"""

import _thread
import mmap
import os
import time
from resource import RUSAGE_SELF, RUSAGE_THREAD, getrusage, struct_rusage

NAME = "threadmill-counters"
MAGIC = int.from_bytes(b"thrdmill", "little")
LAYOUT = 1
SLOT = 1024  # two pages: only slots that are used take memory
STAMP_BITS = 40

# The kernel's sum is over all threads, so it is not asked for at every end.
_ALL_EVERY_NS = 5_000_000
_HEADER = 16
_CELL_BYTES = 8
_SLOTS_USED = 2
_BEGUN, _DONE, _VOLUNTARY, _INVOLUNTARY, _COUNT, _PID, _ALL_VOLUNTARY, _ALL_INVOLUNTARY, _ALL_AT, _RING = range(10)
_RING_SIZE = SLOT - _RING


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

    def first_process(self) -> None:
        """Whose threads until now were those of the program it was before, such as a container's init."""
        whole, alone, at = getrusage(RUSAGE_SELF), getrusage(RUSAGE_THREAD), _slot(0)
        self._cells[at + _VOLUNTARY] = max(0, whole.ru_nvcsw - alone.ru_nvcsw)
        self._cells[at + _INVOLUNTARY] = max(0, whole.ru_nivcsw - alone.ru_nivcsw)
        self.has_threads(0, os.getpid())

    def has_threads(self, row: int, pid: int) -> None:
        """The threads of this process will be counted in this row."""
        cells = self._cells
        cells[_slot(row) + _PID] = pid
        cells[_SLOTS_USED] = max(cells[_SLOTS_USED], 2 + row)

    def this_thread(self, row: int) -> None:
        """Count what the calling thread, about to end, has used. The caller holds its process's lock."""
        cells, at = self._cells, _slot(row)
        cells[at + _BEGUN] += 1
        now_ns = time.monotonic_ns()
        used = getrusage(RUSAGE_THREAD)
        cells[at + _RING + cells[at + _COUNT] % _RING_SIZE] = _stamped(_thread.get_native_id(), now_ns)
        cells[at + _COUNT] += 1
        cells[at + _VOLUNTARY] += used.ru_nvcsw
        cells[at + _INVOLUNTARY] += used.ru_nivcsw
        if now_ns - cells[at + _ALL_AT] >= _ALL_EVERY_NS:
            used = getrusage(RUSAGE_SELF)
            cells[at + _ALL_VOLUNTARY], cells[at + _ALL_INVOLUNTARY] = used.ru_nvcsw, used.ru_nivcsw
            cells[at + _ALL_AT] = now_ns
        cells[at + _DONE] += 1

    # Between these two a child that is no longer in /proc may not be counted yet. They nest: a handler of SIGCHLD may
    # be interrupted by another.

    def begin_reaping(self) -> None:
        self._cells[_HEADER + _BEGUN] += 1

    def end_reaping(self) -> None:
        self._cells[_HEADER + _DONE] += 1

    def process(self, pid: int, used: struct_rusage, row: int | None) -> None:
        """Count a reaped process: with all its threads and what it has reaped itself, so the row's own go."""
        cells, at = self._cells, _HEADER
        cells[at + _RING + cells[at + _COUNT] % _RING_SIZE] = _stamped(pid, time.monotonic_ns())
        cells[at + _COUNT] += 1
        cells[at + _VOLUNTARY] += used.ru_nvcsw
        cells[at + _INVOLUNTARY] += used.ru_nivcsw
        if row is not None and 2 + row <= cells[_SLOTS_USED]:
            at = _slot(row)
            if cells[at + _PID] == pid:
                for cell in range(at, at + _RING):  # what is in the ring soon is too old to matter
                    cells[cell] = 0


def _visible(size: int) -> mmap.mmap:
    """Memory that the probe can find. Where the kernel or a filter has no memfd it is not: then nothing is known."""
    try:
        descriptor = os.memfd_create(NAME)
    except OSError:
        return mmap.mmap(-1, size)
    try:
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)  # keeps a descriptor of its own, by which it is found
    finally:
        os.close(descriptor)


def _slot(row: int) -> int:
    return _HEADER + (1 + row) * SLOT


def _stamped(number: int, now_ns: int) -> int:
    return number << STAMP_BITS | now_ns // 1_000_000
