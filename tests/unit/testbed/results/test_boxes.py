"""Records of trials with one box and with several, and those from before there were boxes."""

from dataclasses import replace
from typing import Any

import pytest

from testbed.plan.trials import Trial
from testbed.results.boxes import box_file, exit_reports, server_files, servers
from testbed.results.findings import Findings, Seen
from testbed.results.record import record
from testbed.stack import server_services
from testbed.stack.run import Run
from tests.unit.testbed.stack.golden_cases import SETS, run_of, trial_of

TRIAL: Trial = trial_of("models: prefork\nlimits: {cpus: 0.5, memory: 64MiB}")
SERVER = server_services.servers(Run(**run_of({})), TRIAL)[0]
GROWN = {
    "cpu_used_us": 1_234_567,
    "periods": 100,
    "throttled_periods": 40,
    "throttled_us": 2_000_000,
    "voluntary_switches": 900,
    "involuntary_switches": 90,
    "listen_overflows": 3,
}
PROBE: dict[str, Any] = {
    "difference": GROWN,
    "closed": {"memory_peak_bytes": 2**20, "pss_bytes": 2**19, "oom_kills": 0, "processes": 3},
    "max": {"pids": 4, "accept_queue": 5},
    "own_cost": {"share_of_core": 0.02},
}
LOAD = {"ok": 1_000, "window": {"duration_s": 10.0}, "throughput_rps": 100.0, "totals": {}, "generator": []}
SUMS = {
    "cpu_used_s": (1.2346, 2.4691),
    "cpu_us_per_request": (1234.6, 2469.1),
    "periods": (100, 200),
    "throttled_periods": (40, 80),
    "throttled_s": (2.0, 4.0),
    "memory_peak_bytes": (2**20, 2**21),
    "pss_bytes": (2**19, 2**20),
    "oom_kills": (0, 0),
    "voluntary_switches": (900, 1_800),
    "involuntary_switches": (90, 180),
    "listen_overflows": (3, 6),
    "accept_queue_max": (5, 5),
    "probe_cpu_share": (0.02, 0.04),
    "server_served": (1_020, 2_040),
}


def seen(name: str, **about: Any) -> Seen:
    found = Seen.of(replace(SERVER, name=name))
    found.probe, found.report = PROBE, {"served": 1_020, "replaced": 0, "workers": [{"pid": 9, "served": 1_020}]}
    return replace(found, **about)


def written(*boxes: Seen) -> dict[str, Any]:
    return record(TRIAL, Findings(boxes=list(boxes), load=LOAD), SETS, 4)


ONE, TWO = written(seen("prefork")), written(seen("prefork-1"), seen("prefork-2"))


@pytest.mark.parametrize("name", SUMS)
def test_the_columns_are_of_all_servers(name: str) -> None:
    assert (ONE[name], TWO[name]) == SUMS[name]


@pytest.mark.parametrize("name", [name for name in SUMS if name != "server_served"])
def test_without_the_probe_of_one_no_part_is_given_for_the_whole(name: str) -> None:
    assert written(seen("prefork-1"), seen("prefork-2", probe=None))[name] is None


def test_without_the_report_of_one_what_was_served_is_not_known() -> None:
    assert written(seen("prefork-1"), seen("prefork-2", report=None))["server_served"] is None


def test_each_box_is_in_the_record_with_its_limits_and_readings() -> None:
    first, second = TWO["boxes"]
    assert (first["name"], second["name"], second["role"]) == ("prefork-1", "prefork-2", "server")
    assert (first["cpu_limit"], first["memory_limit_bytes"]) == (0.5, 64 * 2**20)
    assert (first["cpu_used_s"], first["served"], first["ended"]) == (1.234567, 1_020, "")
    worker = {"worker": "w1", "cpu_used_s": 2.5, "cpu_spun_s": 0.5, "window_s": 10.0, "throttled_periods": 0}
    found = record(TRIAL, Findings(boxes=[seen("prefork")], load=LOAD | {"generator": [worker]}), SETS, 4)
    assert [(box["name"], box["role"], box["cpu_used_s"]) for box in found["boxes"]] == [
        ("prefork", "server", 1.234567),
        ("w1", "load worker", 2.0),
    ]


def test_exit_reports_are_read_of_one_server_and_of_several() -> None:
    assert (set(ONE) & {"exit_report", "exit_reports"}, set(TWO) & {"exit_report", "exit_reports"}) == (
        {"exit_report"},
        {"exit_reports"},
    )
    assert {name: report["served"] for name, report in exit_reports(ONE).items()} == {"prefork": 1_020}
    assert list(exit_reports(TWO)) == ["prefork-1", "prefork-2"]
    assert exit_reports(written(seen("prefork", report=None))) == {}


def test_a_record_without_boxes_is_one_server() -> None:
    before = {name: value for name, value in ONE.items() if name != "boxes"}
    (server,), (today,) = servers(before), servers(ONE)
    assert server["name"] == today["name"] == "prefork"
    # What the columns of then say of it is what its box says now, but for the digits.
    for name in server.keys() - {"cpu_used_s"}:
        assert server[name] == today[name], name
    assert server["cpu_used_s"] == 1.2346
    assert list(exit_reports(before)) == ["prefork"]
    assert server_files(before, "probe.json") == {"prefork": "probe.json"}


def test_files_are_called_by_their_box_where_there_are_several() -> None:
    assert server_files(ONE, "probe.json") == {"prefork": "probe.json"}
    assert server_files(TWO, "probe.ndjson") == {
        "prefork-1": "prefork-1.probe.ndjson",
        "prefork-2": "prefork-2.probe.ndjson",
    }
    assert box_file("a", "server.log", single=False) == "a.server.log"
    # One that is called by its number stays so, though no other was there.
    for several in ({"replicas": 2, "front": "dns"}, {"replicas": 1, "front": "dns"}):
        assert server_files({**ONE, **several}, "probe.json") == {"prefork": "prefork.probe.json"}
    # A load worker has no probe, and does not make it two.
    load_worker = {"name": "w1", "role": "load worker"}
    assert server_files({**ONE, "boxes": [*ONE["boxes"], load_worker]}, "probe.json") == {"prefork": "probe.json"}


@pytest.mark.parametrize("broken", [{"boxes": None}, {"boxes": "none"}, {"boxes": [None, 3, {"role": "server"}]}])
def test_a_broken_list_of_boxes_raises_nothing(broken: dict[str, Any]) -> None:
    servers(broken)
    exit_reports(broken)
    server_files(broken, "probe.json")


def test_a_name_that_leads_out_of_the_trials_directory_is_none() -> None:
    away = {"name": "../../a", "role": "server"}
    assert server_files({"boxes": [away, *TWO["boxes"]]}, "probe.json").keys() == {"prefork-1", "prefork-2"}
