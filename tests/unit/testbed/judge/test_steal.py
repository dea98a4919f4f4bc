"""Shares of a window that were stolen from the processors of server and generator."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.judge import steal
from testbed.plan import cells
from testbed.plan.cell import Cell
from testbed.plan.sweepfile import Machine, parse
from testbed.plan.trials import Trial
from testbed.results.findings import Findings, Seen
from testbed.results.record import record
from testbed.stack import server_services
from testbed.stack.cpus import CpuSets
from testbed.stack.run import Run

(CELL,) = cells.cells(parse("name: a\nmodels: [spst]\nlimits: {cpus: 2}\n", Path("a.yaml"), Machine(4, 2**33)))
SETS = CpuSets(server="2-3", generator="1", rest="0", isolated=True, notes=())
UNPINNED = CpuSets(server=None, generator=None, rest=None, isolated=False, notes=())


def probe(*stolen: int, before: tuple[int, ...] = (5, 5, 5, 5)) -> dict[str, Any]:
    """A window of 10 s: 1,000 ticks of each processor, of which so many were stolen."""
    ticks = {str(n): [was, 9_000] for n, was in enumerate(before)}
    after = {str(n): [was + more, 10_000] for n, (was, more) in enumerate(zip(before, stolen, strict=True))}
    return {"opened": {"processor_ticks": ticks}, "closed": {"processor_ticks": after}}


def test_the_share_is_of_the_processors_asked_for() -> None:
    seen = probe(0, 30, 10, 20)
    assert steal.share(seen, [2, 3]) == 30 / 2000
    assert steal.share(seen, [1]) == 30 / 1000
    assert steal.share(seen, None) == 60 / 4000


def test_a_window_from_which_nothing_was_stolen_has_a_share_of_zero() -> None:
    assert steal.share(probe(0, 0, 0, 0), [1]) == 0.0


@pytest.mark.parametrize(
    "seen",
    [
        None,
        {},
        {"opened": None, "closed": None},
        {"opened": {"processor_ticks": None}, "closed": {"processor_ticks": {"1": [3, 10]}}},
        # A kernel that has never counted any cannot be told from one that does not show it.
        probe(0, 0, 0, 0, before=(0, 0, 0, 0)),
    ],
)
def test_what_the_kernel_does_not_show_is_not_known(seen: dict[str, Any] | None) -> None:
    assert steal.share(seen, [1]) is None


def test_a_processor_without_a_reading_makes_no_partial_sum() -> None:
    assert steal.share(probe(0, 30, 10, 20), [3, 4]) is None


def processors(cell: Cell, sets: CpuSets) -> list[int] | None:
    return steal.processors(server_services.server_limits(Run("a", "a", "1:1", 1, sets), cell))


def test_who_runs_where() -> None:
    assert processors(CELL, SETS) == [2, 3]
    assert processors(replace(CELL, cpus=1.0, limit="cpuset"), SETS) == [2]
    assert processors(CELL, UNPINNED) is None
    assert processors(replace(CELL, limit="cpuset"), UNPINNED) == [0, 1]
    assert (steal.generator_processors(SETS), steal.generator_processors(UNPINNED)) == ([1], None)


@pytest.mark.parametrize(
    ("stolen", "disturbed", "shares"),
    [
        ((0, 10, 10, 10), False, (0.01, 0.01)),
        ((0, 11, 0, 0), True, (0.0, 0.011)),
        ((0, 0, 20, 21), True, (0.0205, 0.0)),
    ],
)
def test_a_trial_records_the_shares_and_whether_they_disturbed_it(
    stolen: tuple[int, ...], disturbed: bool, shares: tuple[float, float]
) -> None:
    trial = Trial("001-b1-spst-2cpu", 1, CELL)
    seen = Seen.of(server_services.servers(Run("a", "a", "1:1", 1, SETS), trial)[0])
    seen.probe = probe(*stolen)
    written = record(trial, Findings(boxes=[seen], speed_drift=0.9137), SETS, 4)
    assert written["disturbed"] is disturbed
    assert (written["server_steal_share"], written["generator_steal_share"]) == shares
    assert written["speed_drift"] == 0.914
    told = [reason for reason in written["reasons"] if reason.startswith("disturbed:")]
    assert len(told) == disturbed
    assert not disturbed or f"{shares[0]:.1%} of the server's, {shares[1]:.1%} of the generator's" in told[0]


def test_where_it_is_not_known_nothing_is_claimed() -> None:
    written = record(Trial("001-b1-spst-2cpu", 1, CELL), Findings(), SETS, 4)
    named = ("disturbed", "server_steal_share", "generator_steal_share", "speed_drift")
    assert [written[name] for name in named] == [None] * 4
    (gate,) = (one for one in written["gates"] if one["name"] == "disturbed")
    assert gate["status"] == "unknown"
