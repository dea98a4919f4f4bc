"""What a value of `scaling` comes to beside the rest of a sweep, and where the two do not go together. Pure."""

from collections.abc import Mapping

from testbed.plan.scaling import Change, Planned, duration, size
from testbed.plan.scaling_values import of_text


def misfit_in_time(canonical: str, mode: str, window_us: int) -> str:
    """What is allowed of one value where the load and the window do not go with it; empty when they do."""
    scaling = of_text(canonical)
    if scaling is None:
        return ""
    if mode != "open":
        return f"none with mode {mode}: only an open loop goes on asking while something changes"
    if isinstance(scaling, Planned):
        late = [step for step in scaling.steps if step.at_us >= window_us]
        return f"steps within the duration, {duration(window_us)}" if late else ""
    if scaling.every_us >= window_us:
        return f"every of less than the duration, {duration(window_us)}"
    forecast = scaling.forecast
    if forecast and forecast.season_us and 2 * forecast.season_us >= window_us:
        return (
            f"a season of less than half the duration, {duration(window_us)}: before two of them have passed there is "
            "no forecast"
        )
    return ""


def most(canonical: str, change: Change, start: float) -> float:
    """The most there is at any time of what may change, which `start` is at first."""
    scaling = of_text(canonical)
    if scaling is None or scaling.change != change:
        return start
    if isinstance(scaling, Planned):
        return max(start, *(step.to for step in scaling.steps))
    return max(start, scaling.high)


def misfit_at_start(canonical: str, start: Mapping[Change, float], limit: str, front: str) -> str:
    """What is found and allowed where a value does not go with what a trial begins with; empty when it does.

    `start`: CPUs of each replica, bytes of memory of each, and replicas. `limit`: how CPUs are limited.
    """
    scaling = of_text(canonical)
    if scaling is None:
        return ""
    change = scaling.change
    if change == "replicas" and front not in ("haproxy", "dns"):
        reason = "nothing would find them" if front == "none" else f"{front} is told of its servers once"
        return f"found change replicas with front {front}, allowed: front haproxy or dns ({reason})"
    if change == "cpus" and limit != "quota":
        return f"found change cpus with limit {limit}, allowed: limit quota (processors are not divided or moved)"
    at_first = start[change]
    if isinstance(scaling, Planned):
        if change == "memory" and scaling.steps[0].to <= at_first:
            found, there = size(int(scaling.steps[0].to)), size(int(at_first))
            return f"found a step to {found}, allowed: more than limits.memory, {there}: memory in use cannot be taken"
        return ""
    if not scaling.low <= at_first <= scaling.high:
        what = "replicas" if change == "replicas" else "CPUs of each replica"
        return f"found {at_first:g} {what} at first, allowed: from min to max, {scaling.low:g} to {scaling.high:g}"
    return ""
