"""A gateway before several services, compared as a system: what it turned away, and what each service answered."""

from typing import Any

import pytest

from testbed.plan.cell import Cell
from testbed.report import by_service, standing, systems, work
from testbed.report.view import View
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import text, view_of

SWEEP: dict[str, Any] = {
    "models": ["event-loop"],
    "limits": {"cpus": 0.5},
    "front": {"kind": "envoy", "cpus": 0.3, "auth": "key", "rate_limit": [280, "none"]},
    "services": {
        "reads": {"share": 3, "model": "thread-pool", "spin": "200us", "cpus": 0.2},
        "waits": {"share": 1, "sleep": "20ms", "cpus": 0.1},
    },
    "workload": {"protocol": "http"},
}


def measured(cell: Cell, block: int) -> dict[str, Any]:
    limited = bool(cell.rate_limit_rps)
    return {
        "verdict": "not-saturated",
        "throughput_rps": (280.0 if limited else 400.0) * (1 + 0.01 * (block - 2)),
        "window_s": 10.0,
        "limited": 2800 if limited else 0,
        "limited_share": 0.5 if limited else 0.0,
        "service_rps": f"reads {200 + block}, waits 80" if limited else "reads 300, waits 100",
        "service_p50_us": "reads 900, waits 21000",
        "service_p99_us": "reads 4000, waits 25000" if limited else "reads 2e+06, waits 25000",
        "service_limited": "reads 2020, waits 800" if limited else "",
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> View:
    return view_of(make_run(tmp_path_factory.mktemp("gateway") / "run", SWEEP, measured=measured))


def test_what_was_turned_away_stands_in_the_line_beside_the_one_without_a_limit(seen: View) -> None:
    (found,) = standing.standings(seen)
    (line,) = standing.lines(seen, found)
    assert line.startswith("1 replica of 0.5 CPU behind envoy, limited to 280 requests/s: serves 0.70 (0.70 to 0.70)")
    assert "of 1 replica of 0.5 CPU behind envoy, no limit;" in line
    assert line.endswith(" 50 % of its requests were answered 429, 0 % there.")


def test_where_nothing_was_turned_away_nothing_is_said_of_it(seen: View) -> None:
    base = standing.standings(seen)[0].groups[0]
    assert standing._of_the_gateway(base, base) == ""


def test_each_service_has_a_line_for_each_system(seen: View) -> None:
    (told,) = by_service.contests(seen)
    assert told["heading"] == "By service: reads by thread-pool 3, waits 1"
    shown = text(str(told["table"]).replace("<td", " <td")).split("event-loop, ")[1:]
    assert sorted(" ".join(line.split()) for line in shown) == [
        "limited to 280 requests/s reads thread-pool 75 % 202 900 µs 4 ms 50 % 3",
        "limited to 280 requests/s waits event-loop 25 % 80 21 ms 25 ms 50 % 3",
        "no limit reads thread-pool 75 % 300 900 µs 2 s 0 % 3",
        "no limit waits event-loop 25 % 100 21 ms 25 ms 0 % 3",
    ]


def test_what_is_not_known_of_a_service_is_said_so() -> None:
    assert by_service.of({"service_rps": "a 1, b 2.5"}, "service_rps", "b") == 2.5
    assert by_service.of({"service_rps": "ab 1"}, "service_rps", "b") is None
    assert by_service.of({}, "service_rps", "b") is None
    row = {"limited": 5, "service_rps": "a 10", "service_limited": "", "window_s": 10.0}
    assert by_service._limited_share(row, "a") is None


def test_the_section_says_what_each_service_is_asked_for(seen: View) -> None:
    row = seen.groups[0].rows[0]
    assert work.kind(row) == "requests to several services"
    assert work.request(row) == (
        "Each request goes to one of 2 services, by its path: reads (0.75 of them) computes 200 µs; waits (0.25 of "
        "them) waits 20 ms. A request carries 64 B."
    )
    assert "By service: reads by thread-pool 3, waits 1" in text(str(systems.section(seen)))
