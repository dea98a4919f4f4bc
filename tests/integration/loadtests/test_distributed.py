"""What a real master with real workers records of a run, against servers that behave and that do not."""

import itertools
import os
import platform
import stat
import time
from collections import Counter

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, counts_add_up
from tests.waiting import wait_until


def test_a_trial_is_recorded_as_it_was_ordered(stack):
    result = stack.run("recorded", users=6, target="spmt", payload_bytes=100, warmup_s=0.3, window_s=1.5)
    assert result["schema_version"] == 5
    assert (result["trial_id"], result["target"]) == ("recorded", "spmt")
    assert (result["workers"], result["users"], result["users_starved"]) == (2, 6, 0)
    assert result["options"]["payload_bytes"] == 100
    assert result["window"]["duration_s"] == pytest.approx(1.5)
    assert result["window"]["opens_unix"] - result["started_unix"] == pytest.approx(0.3)
    assert result["window"]["closes_unix"] - result["window"]["opens_unix"] == pytest.approx(1.5)
    assert result["ok"] > 100
    assert result["throughput_rps"] == pytest.approx(result["ok"] / 1.5)
    assert result["bytes_sent"] == result["bytes_received"] == 101 * result["ok"]
    latency = result["latency_us"]
    assert 0 < latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    # Little's law: six users without think time, each with one request in flight.
    assert result["throughput_rps"] * latency["mean"] / 1e6 == pytest.approx(6, rel=0.15)
    assert [piece["start_s"] for piece in result["slices"]][1:3] == [0, 1]
    assert result["service_time_us"] == latency
    assert result["workers_present"] == {"expected": 2, "throughout": True}
    assert (result["host"]["kernel"], result["host"]["cpus"]) == (platform.release(), os.cpu_count())
    assert len(result["generator"]) == len({one["worker"] for one in result["generator"]}) == 2
    for one in result["generator"]:
        assert one["window_s"] == pytest.approx(1.5, abs=0.2)
        assert 0 < one["cpu_used_s"] <= 1.1 * one["window_s"]
    counts_add_up(result)


def test_the_file_belongs_to_who_ran_it_and_can_be_read(stack):
    stack.run("mode", target="spmt")
    status = (stack.results / "load" / "mode.json").stat()
    assert status.st_uid == os.getuid()
    assert stat.S_IMODE(status.st_mode) == 0o644


@pytest.mark.parametrize("connection", ["persistent", "per-request", "7"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_server_counted_what_the_users_counted(stack, counting, connection, engine):
    counting.lines.clear()
    before = len(counting.connections)
    result = stack.run(f"truth-{connection}", users=4, target="counting", connection=connection, engine=engine)
    totals = result["totals"]
    served = wait_until(
        lambda: Counter(line.startswith(b"threadmill-check") for line in counting.lines), "lines at the server"
    )
    assert totals["failed"] == 0
    # Users finish what is in flight, so that both sides agree to the last request.
    assert (totals["ok"], totals["in_flight"]) == (served[False], 0)
    assert result["replies_to_checks"] == served[True]
    connections = len(counting.connections) - before
    per_connection = {"persistent": totals["ok"], "per-request": 1, "7": 7}[connection]
    assert connections >= totals["ok"] / per_connection
    assert (connections > 5) is (connection != "persistent")
    counts_add_up(result)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_request_of_a_user_differs_from_the_one_before(stack, counting, engine):
    counting.lines.clear()
    stack.run("differs", users=1, target="counting", payload_bytes=1, sleep_us=0, engine=engine)
    lines = [line for line in counting.lines if not line.startswith(b"threadmill-check")]
    assert len(lines) > 10
    assert all(one != other for one, other in itertools.pairwise(lines))


@pytest.mark.parametrize("engine", ENGINES)
def test_directives_reach_the_server(stack, engine):
    result = stack.run("sleep", users=2, target="spmt", sleep_us=20_000, engine=engine)
    assert result["latency_us"]["min"] >= 20_000
    assert result["failed"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_think_time_is_a_pause_between_requests(stack, engine):
    result = stack.run("think", users=2, target="spmt", think_ms=50, engine=engine)
    assert 10 <= result["ok"] <= 2 * (0.6 / 0.05 + 1)


@pytest.mark.parametrize("name", rigged.MISBEHAVIOURS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_misbehaving_server_is_counted_by_name_and_never_measured(stack, name, engine):
    result = stack.run(f"bad-{name}", users=2, target=name, engine=engine)
    assert result["failures"][rigged.MISBEHAVIOURS[name][1]] == result["failed"] > 0
    assert (result["ok"], result["throughput_rps"]) == (0, 0)
    assert set(result["latency_us"].values()) == {None}
    # A failing user waits before it tries again.
    assert result["failed"] < 500


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_that_falls_silent_is_a_timeout(stack, engine):
    result = stack.run("silent", users=2, target="mute", reply_timeout_s=0.1, window_s=1, engine=engine)
    assert result["failures"]["timeout"] == result["failed"] > 0
    assert result["ok"] > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_users_a_model_does_not_serve_are_starved_and_nothing_hangs_or_fails(stack, engine):
    began = time.monotonic()
    result = stack.run("starved", users=8, target="spst", reply_timeout_s=0.1, engine=engine)
    assert (result["users"], result["users_starved"], result["failed"]) == (8, 7, 0)
    assert result["in_flight"] in (7, 8)
    # At the stop the one user that was served leaves, and so the others get their turn.
    assert result["totals"]["in_flight"] == 0
    assert result["ok"] > 100
    counts_add_up(result)
    assert time.monotonic() - began < 5
