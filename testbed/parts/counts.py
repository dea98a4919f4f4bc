"""What a front counts of connections, and of requests where it speaks HTTP, whatever it is. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.sums import total


@dataclass(frozen=True)
class ServerCounts:
    """Of one server, by the front's count since its start. None: not known."""

    connections: int | None = None
    """Handed to it, those that could not be made and were given to another included."""
    open: int | None = None
    waiting: int | None = None
    """That wait for this very server."""
    waiting_most: int | None = None
    failed: int | None = None
    """That it could not be reached for, after all retries."""
    is_ejected: bool | None = None
    """Whether it is given nothing now, because it has failed too often."""


@dataclass(frozen=True)
class RequestCounts:
    """Of a front that speaks HTTP, since its start, of its requests to the servers. None: not known."""

    fetched: int | None = None
    """Those that were answered with 200."""
    refreshed: int | None = None
    """Among them, those that no client waited for: refreshes in the background."""
    connections: int | None = None
    """That were made for them. One is kept, and used for many."""
    failed: int | None = None
    """Connections that could not be made."""
    tried: int | None = None
    """Requests that it sent to servers, those that it tried again counted each time, whatever came of them."""
    retried: int | None = None
    """Of those, the ones that it tried again."""
    asked: int | None = None
    """Requests of its clients."""
    refused: int | None = None
    """Of those, the ones that its circuit breaker let go to no server."""
    counts_errors: bool = False
    """Whether `fetched` has those in it that were answered with another status."""


@dataclass(frozen=True)
class FrontCounts:
    """What a front has counted since its start, of its clients and of each server. None: not known, or not counted by
    this front."""

    connections: int | None = None
    """Of clients, taken."""
    open: int | None = None
    open_most: int | None = None
    limit: int | None = None
    """Of connections open at once; further ones wait in the kernel's queue."""
    dropped: int | None = None
    """Taken from the kernel's queue and closed at once, for want of room."""
    waiting: int | None = None
    """That have no server yet, because each has as many as it may."""
    waiting_most: int | None = None
    """The most of them at once."""
    servers: Mapping[str, ServerCounts] = field(default_factory=dict)
    """By name; empty where the front does not count by server."""
    limited: int | None = None
    """Requests that it answered 429, because more came than it lets through."""
    requests: RequestCounts | None = None
    """None: it hands on connections, and sees no requests."""


UNKNOWN = FrontCounts()


def together(counts: Sequence[FrontCounts]) -> FrontCounts:
    """What several fronts side by side have counted, added up; one is told as it is.

    A sum lacks as soon as one front does not know its part. The most of anything at once is of one front and moment,
    so of several it is not known.
    """
    if len(counts) == 1:
        return counts[0]
    names = dict.fromkeys(name for one in counts for name in one.servers)
    of_servers = {name: [one.servers.get(name, ServerCounts()) for one in counts] for name in names}
    requests = [one.requests for one in counts if one.requests is not None]
    return FrontCounts(
        **_sums(counts, "connections", "open", "dropped", "waiting", "limited"),
        servers={
            name: ServerCounts(**_sums(those, "connections", "open", "waiting", "failed"))
            for name, those in of_servers.items()
        },
        requests=_requests(requests) if counts and len(requests) == len(counts) else None,
    )


def _requests(counts: Sequence[RequestCounts]) -> RequestCounts:
    names = ("fetched", "refreshed", "connections", "failed", "tried", "retried", "asked", "refused")
    return RequestCounts(**_sums(counts, *names), counts_errors=any(one.counts_errors for one in counts))


def _sums(counts: Sequence[Any], *names: str) -> dict[str, Any]:
    return {name: total(getattr(one, name) for one in counts) for name in names}
