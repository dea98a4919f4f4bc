"""A run from the web page becomes a trial: judged on what there is, and empty where nobody knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.report.build import html
from testbed.report.source import read
from testbed.results import web_probe, web_record, web_runs
from testbed.results.reading import trials
from testbed.results.summary import summary

OPENS = 1_000.0


def load(**options: Any) -> dict[str, Any]:
    chosen = {
        "target": "spmt",
        "mode": "closed",
        "connection": "persistent",
        "payload_bytes": 64,
        "think_ms": 0.5,
        "rate": 0.0,
        "arrivals": "constant",
        "idle_holders": 0,
        "sleep_us": 0,
        "spin_units": 0,
        "hash_rounds": 0,
        **options,
    }
    counts = {"sent": 5004, "ok": 5000, "failed": 0, "failures": {"bad_echo": 0}, "in_flight": 4}
    return {
        "options": chosen,
        "started_unix": OPENS - 1,
        "window": {"opens_unix": OPENS, "closes_unix": OPENS + 5, "duration_s": 5.0},
        "workers_present": {"expected": 1, "throughout": True},
        "users": 4,
        "users_starved": 0,
        "ok": 5000,
        "failed": 0,
        "in_flight": 4,
        "offered": None,
        "missed": None,
        "achieved_over_offered": None,
        "throughput_rps": 1000.0,
        "latency_us": {"p50": 3000, "p90": 4000, "p99": 5000, "mean": 3400.0, "max": 9000},
        "service_time_us": {"p50": 3000, "p99": 5000, "mean": 3400.0, "max": 9000},
        "send_lag_us": {"p99": None},
        "dispatch_lag_us": {"p99": None},
        "slices": [],
        "generator": [{"worker": "w", "cpu_used_s": 0.5, "window_s": 5.0}],
        "replies_to_checks": 1,
        "totals": counts,
    }


def lines(**values: Any) -> list[dict[str, Any]]:
    """One a second from before the window until after it."""
    limits = {"cpus": 0.5, "memory_bytes": 2**27}
    grown = {"cpu_used_us_since_last": 500_000, "periods_since_last": 10, "throttled_periods_since_last": 9}
    return [
        {"unix": OPENS - 1.5 + second, "limits": limits, **grown, "threads": 5, "processes": 1, **values}
        for second in range(9)
    ]


def test_a_run_beside_a_probe_is_judged_like_a_trial_of_a_sweep() -> None:
    record = web_record.record("web-1", load(), lines(), 2)
    assert (record["verdict"], record["status"]) == ("server-bound", "ok")
    assert (record["model"], record["cpus"], record["memory_bytes"]) == ("spmt", 0.5, 2**27)
    assert (record["users"], record["think_us"], record["payload_bytes"]) == (4, 500, 64)
    assert record["cpu_used_s"] == 2.5
    assert record["cpu_us_per_request"] == 500.0
    assert (record["throughput_rps"], record["latency_p99_us"]) == (1000.0, 5000)
    unknown = {gate["name"] for gate in record["gates"] if gate["status"] == "unknown"}
    assert {"verification", "conservation", "model_shape", "server_survived"} <= unknown


def test_a_run_over_http_is_of_the_model_whose_image_was_the_target() -> None:
    told = lines(model="spmt-http", host="0123abcd", container="0123abcd")
    record = web_record.record("web-1", load(target="spmt-http", protocol="http"), told, 2)
    assert (record["model"], record["protocol"], record["cache_control"]) == ("spmt", "http", None)
    assert (record["cpus"], record["cpu_used_s"]) == (0.5, 2.5)
    # A version that knew of no other spoke lines.
    earlier = web_record.record("web-1", load(), lines(), 2)
    assert (earlier["protocol"], earlier["cache_control"]) == ("line", "none")


def behind(front: str | None, servers: list[str] | None) -> dict[str, Any]:
    """A run of which the load knows who served it."""
    target = load(target=front or "spmt")
    return target | {"served_by": {"model": "spmt", "front": front, "servers": servers}}


def lines_of(name: str, model: str = "spmt", **values: Any) -> list[dict[str, Any]]:
    return lines(model=model, host=f"id of {name}", container=name, **values)


def test_a_run_through_a_front_is_of_the_model_behind_it_and_of_every_container() -> None:
    told = [
        *lines_of("a-spmt-1"),
        *lines_of("a-spmt-2", cpu_used_us_since_last=100_000),
        *lines_of("haproxy", "haproxy"),
    ]
    record = web_record.record("web-1", behind("haproxy", ["a-spmt-1", "a-spmt-2"]), told, 2)
    assert (record["model"], record["replicas"], record["replica_cpus"], record["front"]) == (
        *("spmt", 2, "each", "haproxy"),
    )
    assert (record["cpus"], record["front_cpus"]) == (0.5, 0.5)
    # Of the servers alone; each line is of a second.
    assert record["cpu_used_s"] == 2.5 + 0.5
    # How the front was set is nowhere recorded.
    assert (record["balance"], record["queue"]) == (None, None)


def test_with_a_probe_beside_one_of_several_what_all_used_is_not_known() -> None:
    record = web_record.record("web-1", behind(None, ["a-spmt-1", "a-spmt-2"]), lines_of("a-spmt-2"), 2)
    assert (record["replicas"], record["front"]) == (2, "dns")
    for name in ("cpu_used_s", "cpu_us_per_request", "pss_bytes", "oom_kills", "cpus", "memory_bytes"):
        assert record[name] is None, name
    assert record["throughput_rps"] == 1000.0


@pytest.mark.parametrize("names", [["a-spmt-1", "a-spmt-2"], ["a-spmt-2"], []])
def test_where_containers_came_or_went_their_number_and_their_use_are_not_known(names: list[str]) -> None:
    told = [line for name in names for line in lines_of(name)]
    record = web_record.record("web-1", behind("nginx", None), told, 2)
    assert (record["replicas"], record["front"]) == (None, "nginx")
    assert record["cpu_used_s"] is None


def test_one_server_by_itself_has_no_front_and_no_container_to_tell_apart() -> None:
    record = web_record.record("web-1", behind(None, ["spmt"]), lines_of("0123abcd"), 2)
    before = web_record.record("web-1", load(), lines(), 2)
    assert record == before
    assert (record["replicas"], record["front"], record["balance"]) == (1, "none", "none")


def test_without_a_probe_nothing_of_the_server_is_known_and_nothing_is_claimed() -> None:
    record = web_record.record("web-1", load(), [], 2)
    assert record["verdict"] == "not-saturated"
    for name in ("cpus", "memory_bytes", "limit", "cpu_used_s", "pss_bytes", "throttled_periods", "oom_kills"):
        assert record[name] is None, name
    assert record["throughput_rps"] == 1000.0


def test_a_wrong_echo_makes_it_invalid_as_everywhere() -> None:
    wrong = load()
    wrong["totals"] |= {"failures": {"bad_echo": 1}, "failed": 1, "ok": 4999}
    assert web_record.record("web-1", wrong, lines(), 2)["verdict"] == "invalid"


def test_uncalibrated_work_has_no_time() -> None:
    record = web_record.record("web-1", load(spin_units=500), lines(), 2)
    assert (record["spin_us"], record["hash_us"], record["options"]["spin_units"]) == (None, 0, 500)
    # Asked for in time, the load has found out what that is in units.
    asked = web_record.record("web-1", load(spin_us=300, spin_units=500), lines(), 2)
    assert (asked["spin_us"], asked["hash_us"]) == (300, 0)
    assert web_record.record("web-1", load(), lines(), 2)["spin_us"] == 0


def test_pools_are_counted_from_outside() -> None:
    assert web_record.record("w", load(target="prefork"), lines(processes=5), 2)["workers"] == 4
    assert web_record.record("w", load(target="thread-pool"), lines(threads=17), 2)["threads"] == 16


def test_a_pool_that_nothing_has_counted_is_not_known_and_shows_no_saturation() -> None:
    for target, size in (("prefork", "workers"), ("thread-pool", "threads"), ("prefork-event-loop-uvloop", "workers")):
        record = web_record.record("w", load(target=target) | {"users_starved": 3}, [], 2)
        assert record[size] is None
        assert record["verdict"] == "not-saturated"
    assert web_record.record("w", load(target="spst"), [], 2)["workers"] == 0


@pytest.mark.parametrize("starved", [0, 3])
def test_a_server_that_is_no_model_is_shown_with_what_is_known(starved: int) -> None:
    record = web_record.record("web-1", load(target="my-server") | {"users_starved": starved}, [], 2)
    assert (record["model"], record["throughput_rps"], record["latency_p99_us"]) == ("my-server", 1000.0, 5000)
    assert (record["workers"], record["threads"], record["cpus"]) == (None, None, None)
    assert record["verdict"] == "not-saturated"
    gates = {gate["name"]: gate["status"] for gate in record["gates"]}
    if starved:
        assert gates["littles_law"] == "unknown"
    assert gates["model_shape"] == "unknown"


def test_a_server_that_is_no_model_breaks_no_page(tmp_path: Path) -> None:
    for trial_id, target in (("web-1", "my-server"), ("web-2", "spmt")):
        web_runs.store(tmp_path, trial_id, {"load.json": json.dumps(load(target=target))}, 2)
    web_runs.describe(tmp_path)
    page = html(read(tmp_path))
    assert "my-server" in page
    assert "spmt" in page
    assert "not described in this version" in page


def test_the_manifest_of_runs_is_of_when_they_were_made_and_never_of_who_collects_them(tmp_path: Path) -> None:
    then = {"cpu_model": "Old Processor", "cpus": 64, "memory_bytes": 2**40, "kernel": "5.4"}
    web_runs.store(tmp_path, "web-1", {"load.json": json.dumps(load() | {"host": then})}, 2)
    web_runs.describe(tmp_path)
    made = json.loads((tmp_path / "manifest.json").read_text())
    assert made["host"] == then
    assert made["threadmill"] is made["engine"] is None
    assert made["started_utc"] == "1970-01-01T00:16:39+00:00"
    web_runs.store(tmp_path, "web-2", {"load.json": json.dumps(load() | {"host": then | {"kernel": "6.1"}})}, 2)
    web_runs.describe(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["host"] == then | {"kernel": None}
    # One that was made before runs told of their machine.
    web_runs.store(tmp_path, "web-3", {"load.json": json.dumps(load())}, 2)
    web_runs.describe(tmp_path)
    host = json.loads((tmp_path / "manifest.json").read_text())["host"]
    assert set(host.values()) == {None}
    assert "an unknown number of processors (model not known)" in html(read(tmp_path))


def test_the_probes_lines_stand_for_the_window_only_where_they_cover_it() -> None:
    window = load()["window"]
    found = web_probe.probe_summary(window, lines(accept_queue=3))
    assert found is not None
    assert found["difference"]["cpu_used_us"] == 2_500_000
    assert found["difference"]["listen_overflows"] is None
    assert found["max"]["accept_queue"] == 3
    assert web_probe.probe_summary(window, lines()[:3]) is None
    assert web_probe.probe_summary(window, []) is None


def test_switches_are_known_where_each_line_tells_them_of_all_tasks() -> None:
    window = load()["window"]

    def switches(made: list[dict[str, Any]]) -> Any:
        found = web_probe.probe_summary(window, made)
        assert found is not None
        return found["difference"]["voluntary_switches"]

    known = {"schema_version": 2, "voluntary_switches_since_last": 100}
    assert switches(lines(**known)) == 500
    assert switches(lines(**known | {"schema_version": 1})) is None
    gap = lines(**known)
    del gap[4]["voluntary_switches_since_last"]
    assert switches(gap) is None


def test_a_stored_run_reads_back_as_a_trial_and_as_a_summary(tmp_path: Path) -> None:
    text = {"load.json": json.dumps(load()), "probe.ndjson": "".join(json.dumps(one) + "\n" for one in lines())}
    web_runs.store(tmp_path, "web-1", text, 2)
    for number in (2, 3, 4):
        web_runs.store(tmp_path, f"web-{number}", {"load.json": text["load.json"]}, 2)
    rows = trials(tmp_path, {}).rows
    assert [row["trial_id"] for row in rows] == ["web-1", "web-2", "web-3", "web-4"]
    assert (tmp_path / "trials/web-1/probe.ndjson").is_file()
    found = summary(rows, seed=0)
    assert [cell["trials"] for cell in found["cells"]] == [1, 3]


def test_runs_that_were_copied_from_elsewhere_are_collected_alike(tmp_path: Path) -> None:
    said: list[str] = []
    for cell, name in (("001", "web-20260102T030405Z-spmt"), ("002", "web-20260102T030505Z-spmt")):
        place = tmp_path / "brought" / cell
        place.mkdir(parents=True)
        (place / f"{name}.json").write_text(json.dumps(load()))
        (place / f"{name}.probe.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines()))
    (tmp_path / "brought" / "001" / "web-cut-off.probe.ndjson").write_text("")
    directory = web_runs.collect(tmp_path / "results", said.append, tmp_path / "brought")
    assert said == [f"2 runs from the web page brought to {directory}"]
    assert [row["cpus"] for row in trials(directory, {}).kept] == [0.5, 0.5]
    web_runs.collect(tmp_path / "results", said.append, tmp_path / "brought")
    assert len(said) == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_without_any_is_one_line(tmp_path: Path, there: bool) -> None:
    source = tmp_path / "brought"
    if there:
        source.mkdir()
        (source / "web-1.txt").write_text("")
    with pytest.raises(UserError, match=f"^--from: found {source}, allowed: a directory with results of Locust below"):
        web_runs.collect(tmp_path / "results", print, source)
