"""A real master with real workers, driven over HTTP as the orchestrator and the web page drive it."""

import itertools
import os
import platform
import signal
import socket
import stat
import threading
import time
from collections import Counter

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, free_port, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until

MISBEHAVIOURS = {
    "liar": (rigged.lie, "bad_echo"),
    "closer": (rigged.close, "eof"),
    "resetter": (rigged.reset, "reset"),
    "refuser": (rigged.refuse, "refused"),
}


@pytest.fixture(scope="module")
def counting():
    with rigged.rigged(rigged.echo) as echoing:
        yield echoing


@pytest.fixture(scope="module")
def stack(counting, tmp_path_factory):
    """One stack for all tests that leave it as they found it."""
    with server("spst") as spst, server("spmt") as spmt, rigged.rigged(rigged.fall_silent()) as mute:
        misbehaving = {
            name: rigged.Rigged(rigged.honest_to_probes(handler)) for name, (handler, _) in MISBEHAVIOURS.items()
        }
        targets = {
            "spst": spst.port,
            "spmt": spmt.port,
            "counting": counting.port,
            "mute": mute.port,
            "down": free_port(),
            **{name: one.port for name, one in misbehaving.items()},
        }
        with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
            yield running
        for one in misbehaving.values():
            one.stop()


def counts_add_up(result):
    assert sum(result["failures"].values()) == result["failed"]
    totals = result["totals"]
    assert result["sent"] == totals["sent"] == totals["ok"] + totals["failed"] + totals["in_flight"]
    assert sum(piece["ok"] for piece in result["slices"]) == result["totals"]["ok"]
    assert sum(piece["failed"] for piece in result["slices"]) == result["totals"]["failed"]
    inside = [piece for piece in result["slices"] if piece["in_window"]]
    assert sum(piece["ok"] for piece in inside) == result["ok"]
    assert sum(piece["failed"] for piece in inside) == result["failed"]
    assert sum(count for _lower, _upper, count in result["histograms"]["latency"]) == result["ok"]
    assert sum(piece["duration_s"] for piece in inside) == pytest.approx(result["window"]["duration_s"], abs=0.05)


def test_a_trial_is_recorded_as_it_was_ordered(stack):
    result = stack.run("recorded", users=6, target="spmt", payload_bytes=100, warmup_s=0.3, window_s=1.5)
    assert result["schema_version"] == 2
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


@pytest.mark.parametrize("name", MISBEHAVIOURS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_misbehaving_server_is_counted_by_name_and_never_measured(stack, name, engine):
    result = stack.run(f"bad-{name}", users=2, target=name, engine=engine)
    assert result["failures"][MISBEHAVIOURS[name][1]] == result["failed"] > 0
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


def test_a_server_that_dies_is_failures_to_connect_and_the_run_goes_on(tmp_path):
    with rigged.rigged(rigged.echo) as dying, locust_stack({"dying": dying.port}, tmp_path, 1) as alone:
        alone.start(target="dying", trial_id="dies", window_s=1)
        wait_until(lambda: dying.lines, "requests")
        dying.stop()
        wait_until(lambda: alone.status()["window_closes_in_s"] < 0, "the window to close")
        assert alone.stop()["complete"] is True
        result = alone.result("dies")
        assert result["failures"]["connect"] > 0
        assert result["failures"]["bad_echo"] == 0
        assert result["users"] == 4


def test_stop_answers_when_the_file_is_there_and_the_next_run_starts_at_once(stack):
    stops, starts = [], []
    for number in range(5):
        began = time.monotonic()
        stack.start(trial_id=f"quick-{number}", target="spmt")
        starts.append(time.monotonic() - began)
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        began = time.monotonic()
        answer = stack.stop()
        stops.append(time.monotonic() - began)
        file = f"load/quick-{number}.json"
        assert answer == {"complete": True, "file": file, "workers_final": 2, "workers_expected": 2, "error": ""}
        assert stack.result(f"quick-{number}")["users"] == 4
    # Locust's own stop alone looks once a second.
    assert sorted(stops)[2] < 0.7, stops
    assert sorted(starts)[2] < 0.7, starts


def test_a_run_stopped_twice_is_stopped_once(stack):
    stack.run("twice", target="spmt")
    first = (stack.results / "load" / "twice.json").read_bytes()
    assert stack.stop()["complete"] is True
    assert (stack.results / "load" / "twice.json").read_bytes() == first


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_stopped_while_users_are_still_coming_leaves_none_behind(stack, engine):
    stack.start(target="spmt", trial_id="ramp", users=50, spawn_rate=10, engine=engine)
    wait_until(lambda: stack.status()["users"] >= 1, "the first users")
    assert stack.stop()["complete"] is True
    stack.wait_status("no users", users=0, workers=2)
    assert stack.result("ramp")["users"] < 50
    assert stack.run("after-ramp", target="spmt", engine=engine)["users"] == 4


def test_options_of_one_run_do_not_linger_in_the_next(stack):
    stack.run("first", target="spmt", payload_bytes=999, connection="3", sleep_us=1)
    options = stack.run("second", target="spmt")["options"]
    assert (options["payload_bytes"], options["connection"], options["sleep_us"]) == (64, "persistent", 0)


def test_status_tells_the_progress_of_a_run(stack):
    stack.start(target="spmt", trial_id="progress", warmup_s=0.5, window_s=30)
    status = wait_until(lambda: (found := stack.status())["users"] == 4 and found, "all users")
    assert (status["trial_id"], status["workers"], status["workers_expected"]) == ("progress", 2, 2)
    assert (status["target"], status["by_hand"]) == ("spmt", False)
    assert status["final"] is False
    assert status["window_opens_in_s"] < 0.5
    assert status["window_closes_in_s"] - status["window_opens_in_s"] == pytest.approx(30, abs=0.01)
    wait_until(lambda: stack.status()["requests"] > 100, "requests to rise")
    live = wait_until(lambda: len(found := stack.status()["generator"]) == 2 and found, "both workers' own figures")
    assert all(0 < one["cpu_share"] <= 1.5 and one["behind_s"] is None for one in live)
    stack.stop()
    status = stack.wait_status("no users", users=0, workers=2)
    assert (status["final"], status["error"], status["trial_id"]) == (True, "", "progress")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"target": "down"}, "down is not up: docker compose up down"),
        ({"target": "nginx"}, "target: one of spst, spmt"),
        ({"target": "spmt", "payload_bytes": "many"}, "payload_bytes: a whole number from 1 to 65536, not 'many'"),
        ({"target": "spmt", "connection": "maybe"}, "connection: persistent, per-request or a whole number"),
        ({"target": "spmt", "mode": "open"}, "rate: mode open needs requests per second above 0, not 0"),
        ({"target": "spmt", "rate": "9"}, "rate: mode closed has none, so 0, not 9"),
        (
            {"target": "spmt", "mode": "open", "rate": "9", "users": "1"},
            "1 users for 2 workers: mode open shares the rate equally, so each worker needs one",
        ),
        ({"target": "spmt", "trial_id": "../up"}, "trial_id: letters, digits"),
        ({"target": "spmt", "users": "-1"}, "user_count: a whole number of users from 1"),
        ({"target": "spmt", "users": "x"}, "user_count: a whole number of users from 1"),
        ({"target": "spmt", "spawn_rate": "0"}, "spawn_rate: users per second"),
        ({"target": "spmt", "spawn_rate": "nan"}, "spawn_rate: users per second"),
        ({"target": "spmt", "run_time": "soon"}, "run_time: like 20, 20s, 3m or 1h20m, not 'soon'"),
        ({"target": "spmt", "html_file": "/tmp/x"}, "'html_file' is not a field of this form"),
        ({"target": "spmt", "stop_timeout": "99"}, "'stop_timeout' is not a field of this form"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_clear_line_and_nothing_starts(stack, form, message):
    before = stack.status()["trial_id"]
    answer = stack.swarm(**form)
    assert answer["success"] is False
    assert answer["message"].startswith(message)
    assert "\n" not in answer["message"]
    assert stack.status()["trial_id"] == before
    assert stack.status()["users"] == 0


def test_a_second_run_is_refused_while_one_is_running(stack):
    stack.start(target="spmt", trial_id="only-one")
    answer = stack.swarm(target="spmt", trial_id="another")
    assert answer == {"success": False, "message": "only-one is running: stop it first"}
    assert stack.stop()["file"] == "load/only-one.json"


def test_of_runs_asked_for_at_the_same_time_one_starts(stack):
    answers = []
    threads = [
        threading.Thread(target=lambda name=name: answers.append(stack.swarm(target="spmt", trial_id=name)))
        for name in ("race-1", "race-2", "race-3")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["success"] for answer in answers) == [False, False, True]
    assert stack.stop()["complete"] is True


def test_pages_of_other_sites_cannot_drive_the_load(stack):
    elsewhere = {"Origin": "https://example.org"}
    assert stack.post("/swarm", headers=elsewhere, user_count=1, spawn_rate=1, target="spmt").status_code == 403
    assert stack.post("/threadmill/stop", headers=elsewhere).status_code == 403
    assert stack.post("/user").status_code == 403
    assert stack.post("/swarm", headers={"Origin": stack.base_url}, user_count="x").json()["success"] is False


def test_the_echo_route_makes_one_real_round_trip(stack, counting):
    counting.lines.clear()
    assert stack.get("/threadmill/echo", target="counting") == {"ok": True, "error": "", "replies": 1, "connections": 1}
    assert len(counting.lines) == 1
    answer = stack.get("/threadmill/echo", target="down")
    assert answer == {"ok": False, "error": "down is not up: docker compose up down", "replies": 0, "connections": 0}
    assert stack.get("/threadmill/echo", target="example.org")["ok"] is False


def test_the_echo_route_says_when_a_server_is_up_but_does_not_echo(stack, counting):
    port = stack.get("/threadmill/echo", target="spst")
    assert port["ok"] is True
    stack.start(target="spst", trial_id="busy", users=1)
    wait_until(lambda: stack.status()["requests"] > 0, "the one client to be served")
    answer = stack.get("/threadmill/echo", target="spst")
    stack.stop()
    assert answer == {
        "ok": False,
        "error": "spst is up but does not echo: no reply within 1 s",
        "replies": 0,
        "connections": 1,
    }


def by_hand_files(stack):
    return sorted(path.name for path in (stack.results / "load").glob("web-*"))


def test_a_run_by_hand_gets_a_name_of_its_own_and_lasts_until_locusts_stop(stack):
    before = by_hand_files(stack)
    stack.start(target="spmt")
    status = stack.status()
    assert (status["target"], status["by_hand"]) == ("spmt", True)
    trial_id = status["trial_id"]
    assert trial_id.startswith("web-20")
    assert trial_id.endswith("Z-spmt")
    wait_until(lambda: stack.status()["requests"] > 0, "requests")
    assert stack.post("/stop").json()["success"] is True
    stack.wait_status("the result", final=True)
    (name,) = set(by_hand_files(stack)) - set(before)
    result = stack.result(name.removesuffix(".json"))
    assert result["window"]["opens_unix"] == result["started_unix"]
    # Each user may have finished one more request after the window had closed with the stop.
    assert 0 < result["ok"] <= result["totals"]["ok"] <= result["ok"] + 4
    counts_add_up(result)


def test_a_run_with_a_run_time_ends_by_itself_and_is_recorded(stack):
    stack.start(target="spmt", run_time="1s")
    trial_id = stack.status()["trial_id"]
    stack.wait_status("the result", final=True)
    assert 0.8 < stack.result(trial_id)["window"]["duration_s"] < 3


def test_a_run_by_hand_stops_when_its_window_closes(stack):
    stack.start(target="spmt", warmup_s=0.2, window_s=0.5)
    trial_id = stack.status()["trial_id"]
    stack.wait_status("the result", final=True, users=0)
    assert stack.result(trial_id)["window"]["duration_s"] == pytest.approx(0.5)


def test_locusts_own_table_shows_the_requests_in_fractions_of_a_millisecond(stack):
    stack.start(target="spmt", trial_id="table")
    row = wait_until(
        lambda: next((row for row in stack.get("/stats/requests")["stats"] if row["num_requests"] > 100), None),
        "a row in the statistics",
    )
    stack.stop()
    assert (row["method"], row["name"], row["num_failures"]) == ("TCP", "spmt", 0)
    assert 0 < row["median_response_time"] < 1000
    assert row["median_response_time"] != int(row["median_response_time"])


def test_failures_appear_in_locusts_table_once_per_kind(stack):
    stack.start(target="liar", trial_id="table-of-failures")
    wait_until(lambda: stack.get("/stats/requests")["errors"], "failures in the statistics")
    answer = stack.get("/stats/requests")
    stack.stop()
    (error,) = answer["errors"]
    assert "bad_echo: the reply is not the request" in error["error"]


# The following break their stack, so each has its own.


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_worker_lost_during_a_run_ends_it_without_a_result(tmp_path, signum):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path) as stack:
        stack.start(target="spmt", trial_id="lost")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.workers[0].send_signal(signum)
        status = wait_until(lambda: (found := stack.status())["error"] and found, "the loss to be noticed", 15)
        assert status["workers_expected"] == 2
        assert status["workers"] == 1
        assert status["error"] == "1 of 2 workers lost: the run is stopped and not recorded"
        answer = stack.stop()
        assert (answer["complete"], answer["file"]) == (False, "")
        assert (answer["workers_final"], answer["workers_expected"]) == (1, 2)
        stack.wait_status("no users", users=0, final=False)
        assert not (tmp_path / "load" / "lost.json").exists()
        if signum == signal.SIGKILL:
            # The stack is of use again with the worker that is left.
            assert stack.run("after", target="spmt")["workers"] == 1


def test_a_stop_right_after_a_worker_died_does_not_claim_to_be_complete(tmp_path):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path) as stack:
        stack.start(target="spmt", trial_id="half")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.workers[1].kill()
        answer = stack.stop()
        assert (answer["complete"], answer["workers_final"], answer["workers_expected"]) == (False, 1, 2)
        assert not (tmp_path / "load" / "half.json").exists()


def test_a_worker_that_joins_during_a_run_spoils_it(tmp_path):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path, workers=1) as stack:
        stack.start(target="spmt", trial_id="joined")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.add_worker()
        wait_until(lambda: "a worker joined" in stack.status()["error"], "the newcomer to be noticed")
        assert stack.stop()["complete"] is False
        stack.wait_ready(2)
        assert stack.run("both", target="spmt")["workers"] == 2


def test_without_a_worker_nothing_starts_and_the_page_says_why(tmp_path):
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=0) as stack:
        assert stack.swarm(target="one") == {
            "success": False,
            "message": "no worker is ready: docker compose up worker",
        }
        assert stack.stop()["complete"] is False


def test_a_directory_that_cannot_be_written_is_said_and_not_hidden(tmp_path):
    (tmp_path / "load").write_text("a file where the directory should be")
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=1) as stack:
        answer = stack.swarm(target="one", trial_id="nowhere")
        assert answer["success"] is False
        assert answer["message"].startswith("results cannot be written: ")
        assert stack.status()["users"] == 0


def test_bad_targets_stop_locust_at_start_with_one_line(tmp_path):
    message = "TARGET_ADDRESSES: each item is model=host:port"
    with pytest.raises(AssertionError, match=message), locust_stack({"": 1}, tmp_path, workers=0):
        pass


def test_a_port_is_free_again_after_a_stack(tmp_path):
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=1) as stack:
        port = int(stack.base_url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
