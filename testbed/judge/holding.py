"""Connections held beside the users: the gate that judges them. Pure."""

import re

from testbed.judge.boxes import Box, said_of
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown
from testbed.judge.laws import serving_slots, surely_served
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
    slots = serving_slots(e)
    if slots is not None and slots <= e.idle_holders:
        each = "1 connection" if slots == 1 else f"{slots} connections"
        return decide("held", False, f"{number} of {e.idle_holders} held: {e.model} serves {each} at once", allowed)
    if number < e.idle_holders and slots != surely_served(e):
        who = f"{e.model} has a queue for each worker" if len(e.servers) == 1 else "there is a queue for each server"
        found = f"{number} of {e.idle_holders} held: {who}, where one waits for another"
        return decide("held", False, found, allowed)
    if number < e.idle_holders:
        return decide("held", False, f"{number} of {e.idle_holders} held: {cause(e)}", allowed)
    if e.holders_held is None:
        return unknown("held", "the window did not open", allowed)
    return decide("held", True, f"{number} of {e.idle_holders} held", allowed)


def cause(e: Evidence) -> str:
    """Why there were not more, in words: the first that is shown of what can run out, in whichever server or front."""
    for box in e.measured:
        if box.ended:
            return f"memory: {box.ended}" if "out of memory" in box.ended else box.ended
    for find in (_killed, _out_of_descriptors, _out_of_tasks, _out_of_memory, _says):
        for box in e.measured:
            if found := find(box):
                return said_of(box, e.measured, found)
    return _seen_by_the_holders(e)


def _killed(server: Box) -> str:
    if not server.oom_kills:
        return ""
    return f"memory: {server.oom_kills} processes killed within {format_bytes(server.memory_limit_bytes or 0)}"


def _out_of_descriptors(server: Box) -> str:
    return f"descriptors: the server says: {server.said}" if _NO_DESCRIPTORS in server.said else ""


def _out_of_tasks(server: Box) -> str:
    if not server.tasks_limit or server.tasks_max is None or server.tasks_max < FULL * server.tasks_limit:
        return ""
    return f"processes and threads: {server.tasks_max} of at most {server.tasks_limit}{_besides(server)}"


def _out_of_memory(server: Box) -> str:
    limit, peak = server.memory_limit_bytes, server.memory_peak_bytes
    if not limit or peak is None or peak < FULL * limit:
        return ""
    return f"memory: all of its {format_bytes(limit)} were in use{_besides(server)}"


def _says(server: Box) -> str:
    return f"processes and threads: the server says: {server.said}" if server.said else ""


def _besides(server: Box) -> str:
    return f"; the server says: {server.said}" if server.said else ""


_SEEN = {
    "refused": "admission: turned away by the server",
    "connect": "no connection",
    "timeout": "no reply",
    "reset": "connections reset by the server",
    "eof": "connections closed by the server before a reply",
    "bad_echo": "wrong replies",
    "status": "another status than 200",
    "framing": "no HTTP replies with a Content-Length",
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
