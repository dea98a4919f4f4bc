"""The columns of what a fault on purpose has done to the load. Pure; None is "not known"."""

from collections.abc import Sequence
from typing import Any

from testbed.judge.boxes import total
from testbed.results.nested import at
from testbed.results.rounding import rounded

# Of the requests that ended in a second, or were due in it and not sent, so many answered rightly: it is served again.
SERVED = 0.99
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

    0 where every second was served. None where nothing is known of seconds, or of what was missed in them.
    """
    seconds = [one for one in slices or () if one["in_window"] and one["start_s"] + one["duration_s"] > since_s]
    if not seconds or any(one.get("missed") is None for one in seconds):
        return None
    unserved = [place for place, one in enumerate(seconds) if not _is_served(one)]
    if not unserved:
        return 0.0, True
    last = seconds[unserved[-1]]
    return last["start_s"] + last["duration_s"] - since_s, unserved[-1] < len(seconds) - 1


def _is_served(second: dict[str, Any]) -> bool:
    wanted = second["ok"] + second["failed"] + second["missed"]
    # One in which nothing ends and all users wait has nothing due that could be missed.
    return bool(second["ok"] >= SERVED * wanted and (second["ok"] or not second["offered"]))
