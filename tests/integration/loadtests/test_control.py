"""A real master with real workers, driven over HTTP as the orchestrator and the web page drive them."""

import threading
import time

import pytest

from tests.integration.loadtests.locust_stack import ENGINES, counts_add_up
from tests.waiting import wait_until


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
    # Whom a stop overtakes before it has heard of the run sends no report.
    stack.wait_status("all users", users=4)
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
    assert sorted(answer["success"] for answer in answers) == [False, False, True], (answers, stack.log())
    stack.wait_status("all users", users=4)
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
