"""What the server's ended threads and processes have used, out of the memory that the server keeps for that.

The kernel forgets a task's context switches with the task; our servers keep them (servers/ended.py has the layout).
What has been used at a moment is that and what the tasks alive have used. The tasks are read first: one that ends
meanwhile is then in these counts too, where it is known by its number, and so is counted once.
"""

import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from probe.files import SAME_USER

NAME = "threadmill-counters"
MAGIC = int.from_bytes(b"thrdmill", "little")
LAYOUT = 1
SLOT = 1024
STAMP_BITS = 40

_HEADER = 16
_CELL_BYTES = 8
_RING = 9
RING_SIZE = SLOT - _RING
# The server opens it before its first connection.
_HIGHEST_DESCRIPTOR = 63
# A task that has given its use is gone within microseconds, or once its control group may run again.
_FRESH_MS = 10_000
# Servers do not count each thread that lives for a moment, but then one of them every few milliseconds.
SETTLED_NS = 200_000_000
# A server that its CPU limit stops in mid-count goes on within 0.1 s.
_PATIENCE_S = 0.3
_PAUSE_S = 0.0005


class NotKnown(Exception):
    """Why the use of ended tasks cannot be told."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Ended threads of one process; of the first slot, ended processes."""

    begun: int = 0
    pid: int = 0
    # By getrusage of the whole process when it last looked.
    all_voluntary: int = 0
    all_involuntary: int = 0
    all_at_ns: int = 0
    voluntary: int = 0
    involuntary: int = 0
    count: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The counts at one moment."""

    slots: tuple[Slot, ...]
    # Those that may still be seen although they are in these counts.
    processes: frozenset[int] = field(default_factory=frozenset)
    threads: frozenset[int] = field(default_factory=frozenset)
    read_ns: int = 0  # by CLOCK_MONOTONIC

    @property
    def voluntary(self) -> int:
        return sum(slot.voluntary for slot in self.slots)

    @property
    def involuntary(self) -> int:
        return sum(slot.involuntary for slot in self.slots)

    @property
    def counts(self) -> tuple[int, ...]:
        """Equal at two moments: nothing has ended in between."""
        return tuple(slot.count for slot in self.slots)

    @property
    def is_settled(self) -> bool:
        """False while a thread may have ended of which `counts` know nothing yet."""
        looks = [slot.all_at_ns for slot in self.slots if slot.all_at_ns]
        return not looks or self.read_ns - max(looks) >= SETTLED_NS

    def of(self, pid: int) -> Slot | None:
        """The ended threads of a process; None if it is one that has no threads besides its first."""
        return next((slot for slot in self.slots[1:] if slot.pid == pid), None)


def slots_of(content: bytes) -> tuple[Slot, ...]:
    places = range(0, len(content), SLOT * _CELL_BYTES)
    return tuple(Slot(*struct.unpack_from(f"={_RING}q", content, at)) for at in places)


def parse(content: bytes, now_ms: int) -> Ended:
    """The counts out of whole slots. `now_ms` by CLOCK_MONOTONIC."""
    cells = struct.unpack(f"={len(content) // _CELL_BYTES}q", content)
    mask = (1 << STAMP_BITS) - 1
    fresh = [
        {each >> STAMP_BITS for each in cells[at + _RING : at + SLOT] if each and now_ms - (each & mask) < _FRESH_MS}
        for at in range(0, len(cells), SLOT)
    ]
    return Ended(slots_of(content), frozenset(fresh[0]), frozenset().union(*fresh[1:]), now_ms * 1_000_000)


class Memory:
    """The memory of the server, which its first process has open."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        first: int = 1,
    ) -> None:
        self._proc = proc
        self._first = first
        self._clock = clock
        self._sleep = sleep
        self._descriptor: int | None = None

    def counts(self) -> tuple[int, ...]:
        """How many have ended, for each slot. NotKnown."""
        return tuple(slot.count for slot in slots_of(self._once()))

    def read(self) -> Ended:
        """The counts now, waiting while the server writes. NotKnown where it keeps none, or writes for too long."""
        give_up = self._clock() + _PATIENCE_S
        before: bytes | None = None
        while True:
            now = self._once()
            # Read twice alike, nothing was written in between.
            if now == before:
                return parse(now, int(self._clock() * 1000))
            if self._clock() > give_up:
                raise NotKnown("the server was stopped, or too busy, while it counted what ended tasks have used")
            before = now
            if any(slot.begun != slot.done for slot in slots_of(now)):
                before = None
                self._sleep(_PAUSE_S)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _once(self) -> bytes:
        if self._descriptor is None:
            self._descriptor = self._find()
        try:
            header = os.pread(self._descriptor, _HEADER * _CELL_BYTES, 0)
            magic, layout, used = struct.unpack_from("=3q", header)
            if magic != MAGIC or layout != LAYOUT:
                raise NotKnown(f"the server counts ended tasks in another way (layout {layout}, known: {LAYOUT})")
            # Read, not mapped: pages that the server never touched are not made by it.
            return os.pread(self._descriptor, used * SLOT * _CELL_BYTES, _HEADER * _CELL_BYTES)
        except (OSError, struct.error) as error:
            raise NotKnown(f"the server's counts of ended tasks: {error}") from None

    def _find(self) -> int:
        directory = self._proc / f"{self._first}/fd"
        for number in range(_HIGHEST_DESCRIPTOR + 1):
            path = f"{directory}/{number}"
            try:
                if os.readlink(path).startswith(f"/memfd:{NAME} "):  # noqa: PTH115 - as text, and fast
                    return os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            except PermissionError:
                raise NotKnown(f"what ended tasks have used: permission denied: {SAME_USER}") from None
            except OSError as error:
                raise NotKnown(f"what ended tasks have used: {error.strerror}") from None
        raise NotKnown("the server does not count what its ended threads and processes have used")
