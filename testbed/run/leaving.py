"""Taking out a replica that was started by hand: HAProxy gives it no more connections, and then it is stopped."""

import contextlib
from collections.abc import Callable, Iterator

from testbed.errors import UserError
from testbed.interrupt import undisturbed
from testbed.parts.asking import PartError
from testbed.parts.haproxy import HAProxy
from testbed.run.fleet import DRAIN_TIMEOUT_S

# It asks for the name's addresses every second, and forgets one that is gone after 2 s.
FORGET_TIMEOUT_S = 10.0
_INTERVAL_S = 0.5

Clock = Callable[[], float]
Wait = Callable[[float], None]


def take_out(haproxy: HAProxy | None, address: str, stop: Callable[[], None], clock: Clock, wait: Wait) -> str:
    """Have the replica at this address drain for DRAIN_TIMEOUT_S at most, and stopped. What came of it, in words.

    Without a HAProxy, or where that does not answer, it is stopped at once. An interrupt while it drains leaves it in
    service.
    """
    began = clock()
    try:
        slot = None if haproxy is None else haproxy.slot_at(address)
    except PartError as error:
        stop()
        return f"is stopped without draining: {error}"
    if haproxy is None or slot is None:
        stop()
        return f"is stopped, {clock() - began:.1f} s"
    with _given_back(haproxy, slot):
        try:
            haproxy.drain(slot)
            left = _drained(haproxy, slot, clock, wait)
        except PartError as error:
            stop()
            return f"is stopped without draining: {error}"
        drained_s = clock() - began
        stop()
        _until_forgotten(haproxy, address, clock, wait)
    cut = f", {left} connections were cut" if left else ""
    return f"is stopped, {drained_s:.1f} s after it was told to drain{cut}"


def _drained(haproxy: HAProxy, slot: str, clock: Clock, wait: Wait) -> int:
    """How many connections are left once they have had their time."""
    until = clock() + DRAIN_TIMEOUT_S
    while (left := haproxy.sessions(slot)) and clock() < until:
        wait(_INTERVAL_S)
    return left


def _until_forgotten(haproxy: HAProxy, address: str, clock: Clock, wait: Wait) -> None:
    until = clock() + FORGET_TIMEOUT_S
    with contextlib.suppress(PartError):
        while haproxy.slot_at(address) is not None and clock() < until:
            wait(_INTERVAL_S)


@contextlib.contextmanager
def _given_back(haproxy: HAProxy, slot: str) -> Iterator[None]:
    """Afterwards the place takes connections again: the next server that is found gets it, and would get none."""
    try:
        yield
    finally:
        with undisturbed(), contextlib.suppress(PartError, UserError):
            haproxy.enable(slot)
