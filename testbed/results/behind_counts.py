"""The columns of what servers and consumers count of what stands behind them. Pure; None is "not known"."""

from collections.abc import Iterable, Sequence
from typing import Any

from testbed.parts.deliveries import Deliveries
from testbed.parts.part_counts import PartCounts
from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.sums import total

# What a server may say of a message whose confirmation it did not get.
_UNSURE = ("timeout", "unreachable")

Reports = Sequence[dict[str, Any] | None]
"""The exit reports of all servers; None of one that ended without."""


def sent(reports: Reports) -> int | None:
    """Messages that a broker has confirmed to servers, by their own counts. None: not known of every one."""
    return total(at(report, "behind", "sends") for report in reports)


def unsure(reports: Reports) -> int | None:
    """Messages that servers have sent, of which they do not know whether a broker has them. None: not known."""
    errors = [at(report, "behind", "errors") for report in reports]
    return total(None if one is None else sum(one.get(name, 0) for name in _UNSURE) for one in errors)


def columns(reports: Reports, deliveries: Deliveries | None, closed: Iterable[PartCounts] = ()) -> dict[str, Any]:
    """`closed`: what the parts had counted when the window closed. Without anything behind the servers all is empty."""

    def counted(name: str) -> int | None:
        return total(at(report, "behind", name) for report in reports)

    hits, misses, waits, waited_us = (counted(name) for name in ("hits", "misses", "waited", "waited_us"))
    asked = total((hits, misses))
    return {
        "cache_fetches": counted("fetches") if asked else None,
        "cache_hit_ratio": rounded(hits / asked, 4) if hits is not None and asked else None,
        "pool_waits": waits,
        "pool_wait_mean_us": rounded(waited_us / waits, 1) if waited_us is not None and waits else None,
        "messages_sent": deliveries.sent if deliveries else None,
        "messages_waiting": _waiting(closed) if deliveries else None,
        "messages_done": deliveries.done if deliveries else None,
        "messages_repeated": deliveries.repeated if deliveries else None,
        "messages_lost": deliveries.lost if deliveries else None,
        "messages_late": deliveries.late if deliveries else None,
    }


def _waiting(closed: Iterable[PartCounts]) -> int | None:
    """Messages in brokers, those that consumers have included. None: no part counts them."""
    queues = [(one.backlog, one.unacknowledged) for one in closed if one.backlog is not None]
    return total(count for queue in queues for count in queue) if queues else None
