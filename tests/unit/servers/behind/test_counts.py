"""Counts of what was asked of what is behind, in memory that processes share."""

import os

import pytest

from servers.behind.counts import PLAIN, Counts
from servers.behind.failures import NAMES


def test_rows_add_up_and_a_child_that_is_killed_takes_nothing_with_it() -> None:
    counts = Counts(3)
    counts.row(0).add("reads", 2)
    child = os.fork()
    if child == 0:
        counts.row(2).add("reads")
        counts.row(2).add("unknown key", 3)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    totals = counts.totals()
    assert totals["reads"] == 3
    assert totals["errors"] == {**dict.fromkeys(NAMES, 0), "unknown key": 3}
    assert list(totals) == [*PLAIN, "errors"]


def test_a_row_that_is_handed_on_keeps_what_it_has() -> None:
    counts = Counts(2)
    counts.row(1).add("sends")
    counts.row(1).add("sends")
    assert counts.totals()["sends"] == 2


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(KeyError):
        Counts(1).row(0).add("thoughts")
