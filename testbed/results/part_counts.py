"""What a part behind the servers has counted, as evidence has it. Pure; None is "not known"."""

from typing import Any

from testbed.parts.part_counts import PartCounts
from testbed.sums import most


def of_box(stood: tuple[PartCounts, PartCounts] | None) -> dict[str, Any]:
    """The fields of its box, out of its counts when the window opened and when it closed."""
    if stood is None:
        return {}
    opened, closed = stood
    return {
        "connection_limit": closed.connections_most,
        "open_max": most((opened.connections, closed.connections)),
        "queue_max": most((opened.waiting, closed.waiting)),
    }
