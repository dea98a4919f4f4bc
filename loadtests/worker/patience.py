"""How long a server that does not take its idle holders is asked for them: not for ever. Pure.

A holder is tried `TRIES` times, and one that the server drops is opened again `REOPENINGS` times. Nobody is tried any
more once `FAILURES_IN_A_ROW` have failed, once nothing has gone forward for `STALL_S`, or once the opening has taken
longer than any that goes forward may.
"""

from __future__ import annotations

OPENING_AT_ONCE = 64
"""Connections under way at a time, over all workers: more would overflow the server's backlog, which costs a second
each."""

TRIES = 3
REOPENINGS = 5
PAUSE_S = 0.2
"""Before another try."""
FAILURES_IN_A_ROW = 4 * OPENING_AT_ONCE
STALL_S = 3.0
"""A connection that came just when the backlog was full is tried again by the kernel after one second."""


def longest_opening_s(wanted: int) -> float:
    """What opening so many may take at most, at a server that goes on taking them however slowly."""
    return 10.0 + wanted / 250


class Patience:
    """With all holders of a process together. Times are moments of perf_counter."""

    def __init__(self, wanted: int, now: float) -> None:
        self._wanted = wanted
        self._in_a_row = 0
        self._most = 0
        self._forward_at = now
        self._gives_up_at = now + longest_opening_s(wanted)

    @property
    def ends_at(self) -> float:
        """From when on nothing has gone forward, or the opening has taken too long."""
        return min(self._forward_at + STALL_S, self._gives_up_at)

    @property
    def has_failed(self) -> bool:
        """Whether too many in a row have."""
        return self._in_a_row >= FAILURES_IN_A_ROW

    def came(self, held: int, now: float) -> None:
        """One was opened, and with it so many are held."""
        self._in_a_row = 0
        # One more than ever: where each that comes costs another its place, nothing goes forward.
        if held > self._most:
            self._most, self._forward_at = held, now

    def failed(self) -> None:
        self._in_a_row += 1

    def begin_again(self, held: int, now: float) -> None:
        """Of all that were held so many are left, and the others are opened again."""
        self._most, self._forward_at = held, now
        self._gives_up_at = now + longest_opening_s(self._wanted)
