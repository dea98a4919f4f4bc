"""The columns of what a fault on purpose has done to the load. Pure; None is "not known"."""

from collections.abc import Sequence
from typing import Any

from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.sums import total

# Of the requests that end in a second, or are due in it.
MOST_FAILED = 0.01
# How many are under way at any time varies by so many by itself.
_LEAST_WAITING = 3
# A request whose connection ended before its reply.
_LOST = ("reset", "eof")


Records = Sequence[dict[str, Any]]


def columns(load: dict[str, Any] | None, actions: Records, ejections: Records, fault: bool) -> dict[str, Any]:
    """`actions`, `ejections`: as trial.json has them. `fault`: whether the trial is to have one."""
    failures = at(load, "failures")
    found = outage(at(load, "slices"), actions[0]["at_s"]) if fault and actions else None
    return {
        **(ejected(actions, ejections) if fault and actions else dict.fromkeys(("ejected_after_s", "back_after_s"))),
        "connections_lost": None if failures is None else total(failures.get(kind, 0) for kind in _LOST),
        "outage_s": None if found is None else rounded(found[0], 3),
        "outage_over": None if found is None else found[1],
    }


def ejected(actions: Records, ejections: Records) -> dict[str, float | None]:
    """Seconds from the fault until its server was ejected, and from the end of the fault until that was given requests
    again. None where it never came to that within the window."""
    name, began_s = actions[0]["what"], actions[0]["at_s"]
    ended_s = actions[-1]["at_s"] if len(actions) > 1 else None
    seen = [one for one in ejections if one["server"] == name and one["at_s"] >= began_s]
    out = next((one["at_s"] for one in seen if one["is_ejected"]), None)
    back = seen[-1]["at_s"] if seen and not seen[-1]["is_ejected"] else None
    return {
        "ejected_after_s": None if out is None else rounded(out - began_s, 3),
        # Before the fault was over it may have come back to be ejected again; once and for all is what counts.
        "back_after_s": None if back is None or ended_s is None else rounded(max(0.0, back - ended_s), 3),
    }


def outage(slices: Records | None, since_s: float) -> tuple[float, bool] | None:
    """Seconds from this one of the window to the end of the last that was not served, and whether others followed.

    A second is served where no more than 1 % of the requests that ended in it failed, and where at its end no more wait
    than before the fault, those that were due and could not be sent included; 1 % of a second's requests is nothing.
    0 where every second was served. None where nothing is known of seconds, or of what was due in them.
    """
    seconds = [one for one in slices or () if one["in_window"]]
    after = [one for one in seconds if one["start_s"] + one["duration_s"] > since_s]
    if not after or any(one.get("offered") is None for one in seconds):
        return None
    before = [one for one in slices or () if one["start_s"] + one["duration_s"] <= since_s][-1:]
    usual = max([_LEAST_WAITING, *(one["in_flight"] for one in before)])
    unserved, waiting = [], 0
    for one in after:
        ended = one["ok"] + one["failed"]
        waiting += one["offered"] - ended
        if one["failed"] > MOST_FAILED * ended or waiting > usual + MOST_FAILED * one["offered"]:
            unserved.append(one)
    if not unserved:
        return 0.0, True
    return unserved[-1]["start_s"] + unserved[-1]["duration_s"] - since_s, unserved[-1] is not after[-1]
