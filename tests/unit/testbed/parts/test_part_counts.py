"""When a part is full by its own count."""

import pytest

from testbed.parts.part_counts import UNKNOWN, PartCounts


@pytest.mark.parametrize(
    ("counts", "full"),
    [
        (UNKNOWN, None),
        (PartCounts(connections=5), None),
        (PartCounts(connections=4, connections_most=5), None),
        (PartCounts(connections=5, connections_most=5), "all 5 connections are taken"),
        (PartCounts(connections=1, connections_most=5, waiting=3), "3 clients wait for a connection"),
        (PartCounts(waiting=0), None),
        (PartCounts(backlog=10**6), None),
    ],
)
def test_it_is_full_when_clients_wait_or_no_connection_is_left(counts: PartCounts, full: str | None) -> None:
    assert counts.full() == full
