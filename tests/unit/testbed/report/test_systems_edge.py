"""A cache before the servers, compared as a system: the share of its hits, and what they save the servers."""

from pathlib import Path
from typing import Any

import pytest

from testbed.plan.cell import Cell
from testbed.report import standing, work
from testbed.report.view import View
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import view_of

SWEEP: dict[str, Any] = {
    "models": ["event-loop"],
    "limits": {"cpus": 0.5},
    "front": {"kind": ["none", "varnish"], "cpus": 0.3},
    "workload": {
        "protocol": "http",
        "method": "get",
        "cache_control": "max-age=2",
        "keys": 1000,
        "zipf": 1.1,
        "payload": "1KiB",
    },
}


def measured(cell: Cell, block: int) -> dict[str, Any]:
    hits = 0.9 if cell.front == "varnish" else 0.0
    return {
        "verdict": "server-bound",
        "throughput_rps": 1000.0 * (1 + hits) * (1 + 0.01 * (block - 2)),
        "cpu_us_per_request": 400.0 * (1 - hits),
        "edge_hit_ratio": hits,
        "edge_age_max_s": 2 if hits else 0,
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> View:
    return view_of(make_run(tmp_path_factory.mktemp("edge") / "run", SWEEP, measured=measured))


def test_the_share_of_hits_and_what_they_save_the_servers_stand_in_the_line(seen: View) -> None:
    (found,) = standing.standings(seen)
    (line,) = standing.lines(seen, found)
    assert line.endswith(
        " 90 % of its replies come from its cache, up to 2 s old, 0 % there; its servers take 0.10 (0.10 to 0.10) "
        "times the CPU for a request."
    )


def test_without_a_cache_anywhere_nothing_is_said_of_one(seen: View) -> None:
    base = standing.standings(seen)[0].groups[0]
    assert standing._of_the_edge(base, base) == ""


def test_what_a_request_gets_is_told(seen: View) -> None:
    row = seen.groups[0].rows[0]
    assert work.request(row) == (
        "A request gets one of 1,000 items of 1 KiB, drawn by Zipf's law of exponent 1.1. The server makes it of its "
        "address: what is measured is the cost of the model."
    )
    assert work.protocol(row) == (
        "Load and server speak HTTP/1.1: a request is a GET. Replies to GET and HEAD say Cache-Control: max-age=2."
    )
    slept = {**row, "sleep_us": 50_000, "keys": 1}
    assert work.request(slept).startswith("A request gets the one item of 1 KiB. The server waits 50 ms without using")


def test_several_edges_are_compared_with_one(tmp_path: Path) -> None:
    several = {**SWEEP, "front": {"kind": "varnish", "count": [4, 1, 2], "cpus": 0.1}}
    view = view_of(make_run(tmp_path / "run", several, measured=measured))
    (found,) = standing.standings(view)
    assert [group.rows[0]["fronts"] for group in found.groups] == [1, 2, 4]
    names = [standing.name(found, group) for group in found.groups]
    assert names == [f"1 replica of 0.5 CPU behind {which}" for which in ("varnish", "2 varnish", "4 varnish")]
    assert len(standing.lines(view, found)) == 2
