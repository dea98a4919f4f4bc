"""One record for every container that is watched, whatever it is there for. None is "not known". Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.stack.services import Role


@dataclass(frozen=True)
class Box:
    """A container over the window: its limits, what it used of them, and how it fared. Counts are of the window unless
    named otherwise."""

    name: str
    """Of its service; of a load worker as Locust calls it."""
    role: Role

    # Its limits; None where there is none.
    cpu_limit: float | None = None
    """CPUs it can use at once, be it by a quota or by its processors; the most, where that was changed while the load
    was on. Of a load worker, its quota."""
    memory_limit_bytes: int | None = None
    tasks_limit: int | None = None
    """Processes and threads."""

    # What it used.
    window_s: float | None = None
    """What its readings span, where it measures that itself; else the window of the load."""
    cpu_used_s: float | None = None
    periods: int | None = None
    """Quota periods in which it wanted to run."""
    throttled_periods: int | None = None
    throttled_s: float | None = None
    """Time stopped, summed over CPUs."""
    steal_share: float | None = None
    """Of the window's time of the processors it may run on, what the hypervisor gave to others."""
    memory_peak_bytes: int | None = None
    """Since its start."""
    pss_bytes: int | None = None
    """Of all its processes, at the window's end."""
    oom_kills: int | None = None
    """Since its start."""
    processes: int | None = None
    """At the window's end."""
    tasks_max: int | None = None
    """Most processes and threads seen at once."""
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    accept_queue_max: int | None = None
    listen_overflows: int | None = None
    watching_cpu_share: float | None = None
    """What its probe cost, of one core."""

    # How it fared, over its life.
    served: int | None = None
    """Replies by its own count. Its `errors` belong to them where `other_replies` counts `!error`."""
    connections: int | None = None
    """Taken from the kernel's queue, by its own count; those it turned away among them."""
    connections_made: int | None = None
    """Of a sidecar: to its server, by its own count."""
    connection_limit: int | None = None
    """Of a front, a store or a broker: how many it may have open at once."""
    open_max: int | None = None
    """Of a front: the most it had open at once. Of the others: at the edges of the window."""
    dropped: int | None = None
    """Of a front: taken and closed at once, for want of room."""
    queue_max: int | None = None
    """Of a front: the most connections that waited in it for a server at once. Of what pools connections: the most of
    its clients that waited for one, at the edges of the window."""
    workers_replaced: int | None = None
    """Pool workers that died and were replaced."""
    said: str = ""
    """What its log says of a connection it could not take."""
    ended: str | None = None
    """How it ended before it was asked to, in words that name it; empty when it did not."""
    joined: bool = False
    """Whether it was started while the load was on: then what it used is counted from its start."""
    removed: bool = False
    """Whether it was stopped or killed on purpose while the load was on, or crashed so that it ended."""
    crashes: int = 0
    """How often it was asked to crash; as many of its workers, or it itself, may have died of that."""
    oom_asked: int = 0
    """Among those, by memory that there was none of."""


def has_no_room(front: Box) -> bool:
    """Whether a front had as many connections open as it may; False where that is not known."""
    limit, most_open = front.connection_limit, front.open_max
    return bool(limit) and most_open is not None and limit is not None and most_open >= limit


def said_of(box: Box, boxes: Sequence[Box], words: str) -> str:
    """What is found of one of these boxes: by name where there are several."""
    return words if len(boxes) == 1 else f"{box.name}: {words}"


def are_known(boxes: Sequence[Box], value: Callable[[Box], object]) -> bool:
    """Whether this is known of every one of them, and there is one."""
    return bool(boxes) and all(value(box) is not None for box in boxes)


def of_which(boxes: Sequence[Box], value: Callable[[Box], object]) -> str:
    """` of NAME, NAME`: the boxes of which this is not known; empty where there is but one."""
    lacking = [box.name for box in boxes if value(box) is None]
    return f" of {', '.join(lacking)}" if len(boxes) > 1 and lacking else ""
