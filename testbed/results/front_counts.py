"""What a front has counted, as evidence has it. Pure; None is "not known"."""

from typing import Any

from testbed.judge.boxes import total
from testbed.parts.counts import FrontCounts
from testbed.results.nested import at


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
