"""What a front has counted, as evidence has it. Pure; None is "not known"."""

from typing import Any

from testbed.parts.counts import FrontCounts
from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.sums import total


def of_box(front: FrontCounts | None) -> dict[str, Any]:
    """The fields of its box."""
    if front is None:
        return {}
    return {
        "connections": front.connections,
        "connection_limit": front.limit,
        "open_max": front.open_most,
        "dropped": front.dropped,
        "queue_max": front.waiting_most,
    }


def of_sidecar(counts: FrontCounts | None) -> dict[str, Any]:
    """The fields of a sidecar's box."""
    made = None if counts is None or counts.requests is None else counts.requests.connections
    return {**of_box(counts), "connections_made": made}


def tried_again(front: FrontCounts | None) -> dict[str, Any]:
    """The columns of what a front did about servers that failed, over its life."""
    requests = None if front is None else front.requests
    if requests is None:
        return dict.fromkeys(("front_retries", "amplification", "breaker_refused"))
    tried, asked = requests.tried, requests.asked
    return {
        "front_retries": requests.retried,
        "amplification": rounded(tried / asked, 4) if tried is not None and asked else None,
        "breaker_refused": requests.refused,
    }


def handed_on(front: FrontCounts | None) -> dict[str, int] | None:
    """Connections by server; None where it does not count them of every one."""
    if front is None or not front.servers:
        return None
    counts = {name: server.connections for name, server in front.servers.items()}
    known = {name: count for name, count in counts.items() if count is not None}
    return known if len(known) == len(counts) else None


def failed(front: FrontCounts | None) -> int | None:
    """How often it could not reach a server."""
    if front is not None and front.requests is not None:
        return front.requests.failed
    return None if front is None else total(server.failed for server in front.servers.values())


def of_the_start(load: dict[str, Any] | None) -> int | None:
    """Connections that Locust's master has made on the load's way right before it began: one for one line echoed. Of
    more lines it is not known over how many they went."""
    lines = at(load, "replies_to_checks")
    return lines if lines in (0, 1) else None
