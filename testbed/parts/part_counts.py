"""What a store or a broker counts, whatever it is. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PartCounts:
    """What a part tells of itself. None: not known, or not counted by this part.

    `operations`, `hits`, `misses`, `evicted`, `dropped` and `redelivered` count since its start; the others are as of
    now.
    """

    connections: int | None = None
    """Of clients, open now."""
    connections_most: int | None = None
    """As many as it takes at once; further ones wait or are refused."""
    operations: int | None = None
    """Done: transactions of a database, commands of a cache, messages taken in by a broker."""
    waiting: int | None = None
    """Clients that wait for a connection."""
    backlog: int | None = None
    """Messages that wait for a consumer."""
    unacknowledged: int | None = None
    """Messages that consumers have and have not said to be done."""
    redelivered: int | None = None
    """Messages handed out once more."""
    consumers: int | None = None
    """Those that take messages."""
    lag_s: float | None = None
    """How far a copy is behind: the age of the newest change that it has not made yet; 0: it has made all it knows of.
    """
    dropped: int | None = None
    """Consumers that were sent away because they did not keep up."""
    hits: int | None = None
    misses: int | None = None
    evicted: int | None = None
    """Values thrown out for want of memory."""
    memory_bytes: int | None = None
    """What its data takes by its own count."""


UNKNOWN = PartCounts()
