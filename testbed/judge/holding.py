"""Connections held beside the users: the gate that judges them. Pure."""

import re

from testbed.judge import shape
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown
from testbed.units import format_bytes

# In use or reached beyond this share, it is what has run out: the last piece that did not fit may have been large.
FULL = 0.97

_SAYS = re.compile(
    r"^\[INFO\] (.*(?:cannot serve|cannot accept|cannot start|Too many open files|out of memory).*)$", re.MULTILINE
)
_NO_DESCRIPTORS = "Too many open files"


def said(log: str) -> str:
    """The first line of a server's log that says why it could not take a connection; empty without one."""
    found = _SAYS.search(log)
    return "" if found is None else found[1]


def held(e: Evidence) -> Gate | None:
    """Whether every idle holder was served when it came and stayed through the window. None where none was asked for.

    A model that serves few at once holds no more than those, and with all of them held serves no user.
    """
    if not e.idle_holders:
        return None
    allowed = f"all {e.idle_holders} idle holders served when they come, and held through the window beside the users"
    number = e.holders_opened if e.holders_held is None else e.holders_held
    if number is None:
        return unknown("held", "no load result", allowed)
    slots = shape.serving_slots(e.model, e.workers, e.threads)
    if slots is not None and slots <= e.idle_holders:
        each = "1 connection" if slots == 1 else f"{slots} connections"
        return decide("held", False, f"{number} of {e.idle_holders} held: {e.model} serves {each} at once", allowed)
    if number < e.idle_holders and slots != shape.surely_served(e.model, e.workers, e.threads):
        found = f"{number} of {e.idle_holders} held: {e.model} has a queue for each worker, where one waits for another"
        return decide("held", False, found, allowed)
    if number < e.idle_holders:
        return decide("held", False, f"{number} of {e.idle_holders} held: {cause(e)}", allowed)
    if e.holders_held is None:
        return unknown("held", "the window did not open", allowed)
    return decide("held", True, f"{number} of {e.idle_holders} held", allowed)


def cause(e: Evidence) -> str:
    """Why there were not more, in words: the first that is shown of what can run out."""
    if e.server_ended:
        return f"memory: {e.server_ended}" if "out of memory" in e.server_ended else e.server_ended
    if e.oom_kills:
        return f"memory: {e.oom_kills} processes killed within {format_bytes(e.memory_bytes)}"
    said = e.server_said or ""
    if _NO_DESCRIPTORS in said:
        return f"descriptors: the server says: {said}"
    words = f"; the server says: {said}" if said else ""
    if e.tasks_limit and e.tasks_max is not None and e.tasks_max >= FULL * e.tasks_limit:
        return f"processes and threads: {e.tasks_max} of at most {e.tasks_limit}{words}"
    if e.memory_bytes and e.memory_peak_bytes is not None and e.memory_peak_bytes >= FULL * e.memory_bytes:
        return f"memory: all of its {format_bytes(e.memory_bytes)} were in use{words}"
    if said:
        return f"processes and threads: the server says: {said}"
    return _seen_by_the_holders(e)


_SEEN = {
    "refused": "admission: turned away by the server",
    "connect": "no connection",
    "timeout": "no reply",
    "reset": "connections reset by the server",
    "eof": "connections closed by the server before a reply",
    "bad_echo": "wrong replies",
}


def _seen_by_the_holders(e: Evidence) -> str:
    failures = e.holders_failures or {}
    if failures:
        kind = max(failures, key=lambda one: failures[one])
        words = f"{_SEEN[kind]} ({failures[kind]} times)"
        return f"{words}: {e.holders_said}" if e.holders_said and kind in ("refused", "connect", "reset") else words
    if e.holders_dropped:
        return f"connections ended by the server while they were held: {e.holders_dropped}"
    return "the cause is not known"
