"""PgBouncer's counters out of what its console answers."""

from typing import Any

import pytest

from testbed.parts.part_counts import PartCounts
from testbed.parts.pgbouncer import counts

POOLS = [
    {"database": "pgbouncer", "cl_active": 1, "cl_waiting": 0},
    {"database": "threadmill", "cl_active": 3, "cl_waiting": 2},
]
TOTALS = [{"database": "pgbouncer", "xact_count": 4}, {"database": "threadmill", "xact_count": 70}]
SETTINGS = [{"key": "listen_port", "value": "5432"}, {"key": "max_client_conn", "value": "100"}]


def test_clients_that_wait_are_connected_too() -> None:
    found = counts(POOLS, TOTALS, SETTINGS)
    assert found == PartCounts(connections=5, connections_most=100, operations=70, waiting=2)


@pytest.mark.parametrize(
    ("pools", "totals", "expected"),
    [
        ([], [], PartCounts(connections=0, connections_most=100, operations=0, waiting=0)),
        (
            [{"database": "threadmill", "cl_active": 3}],
            TOTALS,
            PartCounts(connections=None, connections_most=100, operations=70, waiting=None),
        ),
    ],
)
def test_what_is_not_said_is_not_known(
    pools: list[dict[str, Any]], totals: list[dict[str, Any]], expected: PartCounts
) -> None:
    assert counts(pools, totals, SETTINGS) == expected


def test_a_limit_that_is_not_said_is_not_known() -> None:
    assert counts(POOLS, TOTALS, []).connections_most is None
