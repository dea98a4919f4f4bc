"""What the load asked of what stands behind the servers, as the table of trials has it."""

from typing import Any

import pytest

from testbed.parts.deliveries import Deliveries
from testbed.parts.part_counts import PartCounts
from testbed.results import behind_counts
from testbed.results.asked_behind import columns

LOAD: dict[str, Any] = {
    "stale": 3,
    "reads_checked": 60,
    "read_us": {"p50": 900, "p99": 4000},
    "write_us": {"p50": 1900, "p99": None},
    "failures": {"connect": 9, "wrong": 1, "backend timeout": 3, "backend exhausted": 0, "backend unknown key": 12},
}

NOTHING_BEHIND = dict.fromkeys(("stale", "reads_checked", "read_us", "write_us"))


def test_stale_reads_latencies_and_failures_by_name_are_columns() -> None:
    assert columns(LOAD) == {
        "stale": 3,
        "reads_checked": 60,
        "stale_share": 0.05,
        "read_p50_us": 900,
        "read_p99_us": 4000,
        "write_p50_us": 1900,
        "write_p99_us": None,
        "backend_errors": 15,
        "backend_error_names": "3 timeout, 12 unknown key",
    }


def test_with_no_read_that_could_be_found_stale_there_is_no_share() -> None:
    found = columns(LOAD | {"stale": 0, "reads_checked": 0})
    assert (found["stale"], found["stale_share"]) == (0, None)


def test_without_anything_behind_and_of_an_older_load_it_is_all_empty() -> None:
    """A load that did not count them has the failures of any other, which do not tell of those."""
    for load in (None, {"failures": {"connect": 9}}, LOAD | NOTHING_BEHIND):
        found = columns(load)
        assert found.pop("backend_error_names") == ""
        assert set(found.values()) == {None}


@pytest.mark.parametrize(
    ("closed", "waiting"),
    [
        ([PartCounts(backlog=3, unacknowledged=2)], 5),
        ([PartCounts(operations=9)], None),
        ([PartCounts(backlog=3)], None),
        ([], None),
    ],
)
def test_messages_that_wait_are_those_of_queues_with_those_that_consumers_have(
    closed: list[PartCounts], waiting: int | None
) -> None:
    deliveries = Deliveries(sent=9, done=4, distinct=4, repeated=0, lost=0, late=5)
    assert behind_counts.columns([], deliveries, closed)["messages_waiting"] == waiting
    assert behind_counts.columns([], None, closed)["messages_waiting"] is None
